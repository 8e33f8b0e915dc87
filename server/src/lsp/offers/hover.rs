//! Hover on a line with issues: their descriptions and fixes, and the task of each.

use tower_lsp::lsp_types::{MarkupContent, MarkupKind};

use super::snapshot::Snapshot;
use crate::contracts::{Issue, Task, short_commit};
use crate::lsp::text::markdown::{markdown, markdown_line, plain_lines};
use crate::lsp::wire::to_proto::plain;

/// Longest title shown, in characters.
const LONGEST_TITLE: usize = 200;

/// An issue to be described.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HoverIssue<'a> {
    /// The issue.
    pub(crate) issue: &'a Issue,
    /// The commit that its review compares with, where it is of no workflow.
    pub(crate) base: Option<&'a str>,
}

/// The hover of some issues; `None` without any.
pub(crate) fn hover(snapshot: &Snapshot, issues: &[HoverIssue<'_>], kind: MarkupKind) -> Option<MarkupContent> {
    let parts = issues.iter().map(|HoverIssue { issue, base }| {
        // Nobody planned what a review against a commit is about.
        let task = snapshot.memory.task_of(issue).filter(|_| base.is_none());
        let against = |base: String| format!(" against {base}");
        let base = base.map(short_commit);
        match kind {
            MarkupKind::Markdown => {
                let of = base.map(|base| against(markdown_line(&base)));
                in_markdown(issue, &of.unwrap_or_default(), task)
            }
            MarkupKind::PlainText => in_plain_text(issue, &base.map(against).unwrap_or_default(), task),
        }
    });
    let between = match kind {
        MarkupKind::Markdown => "\n\n---\n\n",
        MarkupKind::PlainText => "\n\n",
    };
    let value = parts.collect::<Vec<_>>().join(between);
    (!value.is_empty()).then_some(MarkupContent { kind, value })
}

fn in_markdown(issue: &Issue, of: &str, task: Option<&Task>) -> String {
    let mut blocks = vec![format!("**Baton review{of}: {}**", issue.severity.as_str()), markdown(&issue.description)];
    if let Some(refuted) = &issue.refuted {
        blocks.push(markdown(&refuted.words()));
    }
    if let Some(fix) = suggested_fix(issue) {
        blocks.push("**Suggested fix**".to_owned());
        blocks.push(markdown(fix));
    }
    if let Some(task) = task {
        blocks.push(format!("**Task {}: {}**", markdown_line(&task.id), markdown_line(&title(task))));
        let criteria = task.acceptance_criteria.iter().map(|criterion| format!("- {}", markdown_line(criterion)));
        let criteria: Vec<String> = criteria.collect();
        if !criteria.is_empty() {
            blocks.push(format!("Accepted when:\n\n{}", criteria.join("\n")));
        }
    }
    blocks.join("\n\n")
}

fn in_plain_text(issue: &Issue, of: &str, task: Option<&Task>) -> String {
    let mut blocks =
        vec![format!("Baton review{of}: {}\n{}", issue.severity.as_str(), plain_lines(&issue.description))];
    if let Some(refuted) = &issue.refuted {
        blocks.push(plain_lines(&refuted.words()));
    }
    if let Some(fix) = suggested_fix(issue) {
        blocks.push(format!("Suggested fix:\n{}", plain_lines(fix)));
    }
    if let Some(task) = task {
        let mut lines = vec![format!("Task {}: {}", plain(&task.id, LONGEST_TITLE), title(task))];
        lines.extend(task.acceptance_criteria.iter().map(|criterion| format!("- {}", plain(criterion, 2000))));
        blocks.push(lines.join("\n"));
    }
    blocks.join("\n\n")
}

fn title(task: &Task) -> String {
    plain(&task.title, LONGEST_TITLE)
}

fn suggested_fix(issue: &Issue) -> Option<&str> {
    issue.suggested_fix.as_deref().map(str::trim).filter(|fix| !fix.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::fixture::{approve, issue, snapshot};
    use super::*;
    use crate::contracts::{Refuted, Severity};
    use crate::workflow::Next;

    #[test]
    fn an_issue_is_described_with_its_fix_and_its_task() {
        let snapshot = snapshot(Next::Merged, approve);
        let first = Issue {
            description: "An *empty* name.\nSee [this](command:quit).".to_owned(),
            suggested_fix: Some("Use `name.trim()`.".to_owned()),
            ..issue("i1", "src/lib.rs", 2)
        };
        let second = issue("i2", "src/other.rs", 2);
        let content = hover(&snapshot, &[of_workflow(&first), of_workflow(&second)], MarkupKind::Markdown).unwrap();
        let expected = "**Baton review: major**\n\n\
                        An \\*empty\\* name.  \nSee \\[this](`command:quit`).\n\n\
                        **Suggested fix**\n\nUse `name.trim()`.\n\n\
                        **Task T1: Title of T1**\n\nAccepted when:\n\n- It \\*greets\\*.\n\n---\n\n\
                        **Baton review: major**\n\nWhat i2 says.";
        assert_eq!(content.value, expected);
        let content = hover(&snapshot, &[of_workflow(&first)], MarkupKind::PlainText).unwrap();
        let expected = "Baton review: major\nAn *empty* name.\nSee [this](command:quit).\n\n\
                        Suggested fix:\nUse `name.trim()`.\n\nTask T1: Title of T1\n- It *greets*.";
        assert_eq!((content.kind, content.value.as_str()), (MarkupKind::PlainText, expected));
        assert_eq!(hover(&snapshot, &[], MarkupKind::Markdown), None);
    }

    #[test]
    fn a_refuted_issue_says_why() {
        let snapshot = snapshot(Next::Merged, approve);
        let refuted =
            Refuted { by: "test:m".to_owned(), reason: "Line 9 *bounds* it.".to_owned(), severity: Severity::Major };
        let issue = Issue { severity: Severity::Suggestion, refuted: Some(refuted), ..issue("i1", "src/lib.rs", 2) };
        let shown = |kind| hover(&snapshot, &[of_workflow(&issue)], kind).unwrap().value;
        let markdown = "**Baton review: suggestion**\n\nWhat i1 says.\n\nrefuted: Line 9 \\*bounds\\* it.\n\n**Task T1";
        assert!(shown(MarkupKind::Markdown).starts_with(markdown), "{}", shown(MarkupKind::Markdown));
        let plain = "Baton review: suggestion\nWhat i1 says.\n\nrefuted: Line 9 *bounds* it.\n\nTask T1";
        assert!(shown(MarkupKind::PlainText).starts_with(plain), "{}", shown(MarkupKind::PlainText));
    }

    fn of_workflow(issue: &Issue) -> HoverIssue<'_> {
        HoverIssue { issue, base: None }
    }

    #[test]
    fn an_issue_of_a_review_against_a_commit_names_it_and_has_no_task() {
        let snapshot = snapshot(Next::Merged, approve);
        let issue = issue("i1", "src/lib.rs", 2);
        let against = HoverIssue { issue: &issue, base: Some("0123456789abcdef") };
        let content = hover(&snapshot, &[against], MarkupKind::Markdown).unwrap();
        assert_eq!(content.value, "**Baton review against 0123456789: major**\n\nWhat i1 says.");
        let content = hover(&snapshot, &[against], MarkupKind::PlainText).unwrap();
        assert_eq!(content.value, "Baton review against 0123456789: major\nWhat i1 says.");
    }
}
