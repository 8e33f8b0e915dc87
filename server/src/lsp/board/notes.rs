//! The user's notes in plan.md, as diagnostics at their lines until they are sent.

use serde_json::json;
use tower_lsp::lsp_types::{Diagnostic, DiagnosticSeverity, NumberOrString};

use crate::contracts::{PlanOutput, plan_notes};
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::to_proto;

/// Longest text of a note, in characters.
const LONGEST: usize = 500;

/// One for each note.
pub(super) fn of_notes(text: &Text, plan: Option<&PlanOutput>, encoding: Encoding) -> Vec<Diagnostic> {
    let notes = plan_notes(text.as_str(), plan).into_iter();
    let diagnostic = notes.map(|note| {
        let about = to_proto::plain(&note.about(plan), 100);
        let (first, last) = (note.line as usize - 1, note.last_line as usize - 1);
        Diagnostic {
            range: text.span_of(first, last.min(text.last_line()), encoding),
            severity: Some(DiagnosticSeverity::INFORMATION),
            code: Some(NumberOrString::String("note".to_owned())),
            source: Some(to_proto::DIAGNOSTIC_SOURCE.to_owned()),
            message: format!("Note on {about}, not sent yet: {}", to_proto::plain(&note.text, LONGEST)),
            data: Some(json!({ "line": note.line, "task": note.task })),
            ..Diagnostic::default()
        }
    });
    diagnostic.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_shown_over_all_its_lines() {
        let text = Text::new("# Plan, version 1\n\n```\nDo it\n```\n\n## Risks\n\n> not\n> so\n");
        let found = of_notes(&text, None, Encoding::Utf8);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "Note on “Risks”, not sent yet: not so");
        assert_eq!((found[0].range.start.line, found[0].range.end.line), (8, 9));
        assert_eq!(found[0].code, Some(NumberOrString::String("note".to_owned())));
    }
}
