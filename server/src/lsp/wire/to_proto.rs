//! From the engine's types to the protocol's.

use std::path::Path;

use tower_lsp::lsp_types::{DiagnosticSeverity, MessageType, Url};

use crate::contracts::Severity;
use crate::lsp::text::documents::Documents;
use crate::workflow::Outcome;

/// The URI of a file in a folder of the client's; `None` for a folder that is no absolute path.
pub(crate) fn uri(folder: &Path, file: &str) -> Option<Url> {
    Url::from_file_path(folder.join(file)).ok()
}

/// The URI of a file by the client's path: as the client writes it, where it is open there.
pub(crate) fn uri_of(path: &Path, documents: &Documents) -> Option<Url> {
    documents.get(path).map(|document| document.uri).or_else(|| Url::from_file_path(path).ok())
}

/// How an editor shows an issue.
pub(crate) fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Critical => DiagnosticSeverity::ERROR,
        Severity::Major => DiagnosticSeverity::WARNING,
        Severity::Minor => DiagnosticSeverity::INFORMATION,
        Severity::Suggestion => DiagnosticSeverity::HINT,
    }
}

/// How loudly an editor says that a run has ended.
pub(crate) fn message_type(outcome: Outcome) -> MessageType {
    match outcome {
        Outcome::Merged | Outcome::Done | Outcome::Rejected | Outcome::Cancelled => MessageType::INFO,
        Outcome::Escalated | Outcome::Waiting => MessageType::WARNING,
        Outcome::Failed => MessageType::ERROR,
    }
}

/// One line for people that drives no terminal and deceives no eye: control and direction characters out, white space
/// joined, and cut after so many characters.
pub(crate) fn plain(text: &str, longest: usize) -> String {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line: String = words.collect::<Vec<_>>().join(" ").chars().filter(|c| !turns(*c)).collect();
    match line.char_indices().nth(longest) {
        Some((cut, _)) => format!("{}…", line[..cut].trim_end()),
        None => line,
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_one_plain_line() {
        assert_eq!(plain(" a\u{1b}[2J\r\n\tb\u{202e}c ", 100), "a [2J bc");
        assert_eq!(plain("one two three", 8), "one two…");
        assert_eq!(plain("éé", 2), "éé");
    }
}
