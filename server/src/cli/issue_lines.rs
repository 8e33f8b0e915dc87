//! The issues that a run ends with: the worst first, each with its id and what the reviewer suggests.

use super::color::Look;
use super::issue::{Shown, blocks, line};
use super::output::{columns, terminal_columns};
use crate::contracts::Issue;
use crate::text;

/// Issues that are shown; `baton status` has them all.
const MOST: usize = 10;
/// Longest suggestion beside an issue of one line, in characters.
const LONGEST_FIX: usize = 300;

/// The lines of these issues: blocks on a terminal, else a line for each and one for what is suggested.
pub(super) fn issue_lines(issues: &[Issue]) -> Vec<String> {
    let mut worst_first: Vec<&Issue> = issues.iter().collect();
    worst_first.sort_by_key(|issue| issue.severity);
    let (shown, rest) = worst_first.split_at(MOST.min(worst_first.len()));
    let mut lines = match terminal_columns() {
        Some(_) => blocks(shown.iter().map(|issue| Shown::new(issue)), columns(), Look::of_stdout()),
        None => shown.iter().flat_map(|issue| plain_lines(issue)).collect(),
    };
    if !rest.is_empty() {
        lines.push(format!("and {} more: `baton status`", rest.len()));
    }
    lines
}

fn plain_lines(issue: &Issue) -> impl Iterator<Item = String> {
    let id = if issue.id.is_empty() { String::new() } else { format!(" [{}]", text::safe_line(&issue.id)) };
    let fix = issue.suggested_fix.as_deref().map(|fix| text::short_line(fix, LONGEST_FIX));
    let fix = fix.filter(|fix| !fix.is_empty()).map(|fix| format!("    fix: {fix}"));
    std::iter::once(format!("{}{id}", line(issue))).chain(fix)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn issue(id: &str, severity: &str, fix: Option<&str>) -> Issue {
        let issue = json!({ "id": id, "severity": severity, "file": "a.rs", "line": 1, "description": "It is off.",
                            "suggested_fix": fix });
        serde_json::from_value(issue).unwrap()
    }

    #[test]
    fn the_worst_come_first_with_their_ids_and_what_is_suggested() {
        let issues = [issue("i1", "minor", None), issue("i2", "critical", Some("Count\nfrom 0."))];
        assert_eq!(
            issue_lines(&issues),
            ["a.rs:1: critical: It is off. [i2]", "    fix: Count from 0.", "a.rs:1: minor: It is off. [i1]"]
        );
    }

    #[test]
    fn many_issues_are_counted() {
        let issues: Vec<Issue> = (0..14).map(|n| issue(&format!("i{n}"), "minor", None)).collect();
        let lines = issue_lines(&issues);
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[10], "and 4 more: `baton status`");
        assert!(issue_lines(&[]).is_empty());
    }
}
