//! The task of a workflow that fixes issues of a review against a commit: nobody planned what they are about, so no task of
//! a plan can fix them.

use crate::contracts::Issue;
use crate::text::{count, safe_line, safe_lines};

/// The issues in words, for a reader who has the files and nothing else.
pub(crate) fn task_of(commit: &str, issues: &[&Issue]) -> String {
    let found = format!("found by a review of the working tree against {commit}");
    if let [issue] = issues {
        return format!("Fix this issue, {found}.\n\n{}", in_words(issue));
    }
    let mut task = format!("Fix these {}, {found}.", count(issues.len(), "issue"));
    for (index, issue) in issues.iter().enumerate() {
        let number = format!("{}. ", index + 1);
        let rest = format!("\n{}", " ".repeat(number.len()));
        task.push_str(&format!("\n\n{number}{}", in_words(issue).replace('\n', &rest)));
    }
    task
}

/// `src/a.rs:12-14 (major): What is wrong.` and how to fix it.
fn in_words(issue: &Issue) -> String {
    let Issue { file, line, end_line, severity, description, suggested_fix, .. } = issue;
    let end = end_line.filter(|end| end > line).map(|end| format!("-{end}")).unwrap_or_default();
    let lines = if issue.is_placed() { format!(":{line}{end}") } else { ", no place in it was found".to_owned() };
    let place = format!("{}{lines} ({})", safe_line(file), severity.as_str());
    let mut words = format!("{place}: {}", safe_lines(description.trim()));
    if let Some(fix) = suggested_fix.as_deref().map(str::trim).filter(|fix| !fix.is_empty()) {
        words.push_str(&format!("\nSuggested fix: {}", safe_lines(fix)));
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn issue(fields: Value) -> Issue {
        let mut issue = json!({ "severity": "major", "file": "src/a.rs", "line": 12, "description": "It breaks." });
        for (name, value) in fields.as_object().unwrap() {
            issue[name] = value.clone();
        }
        serde_json::from_value(issue).unwrap()
    }

    #[test]
    fn one_issue_is_told_with_its_place_and_its_fix() {
        let one =
            issue(json!({ "end_line": 14, "description": "It\u{1b}[2J breaks.\nBadly.", "suggested_fix": "Mend it." }));
        let expected = "Fix this issue, found by a review of the working tree against 0123456789.\n\n\
                        src/a.rs:12-14 (major): It breaks.\nBadly.\nSuggested fix: Mend it.";
        assert_eq!(task_of("0123456789", &[&one]), expected);
    }

    #[test]
    fn an_issue_without_a_place_is_told_without_a_line() {
        let expected = "Fix this issue, found by a review of the working tree against abc.\n\n\
                        src/a.rs, no place in it was found (major): It breaks.";
        assert_eq!(task_of("abc", &[&issue(json!({ "placed": false }))]), expected);
    }

    #[test]
    fn several_issues_are_one_numbered_task() {
        let (a, b) = (issue(json!({ "suggested_fix": " " })), issue(json!({ "line": 3, "suggested_fix": "Fix\nit." })));
        let expected = "Fix these 2 issues, found by a review of the working tree against abc.\n\n\
                        1. src/a.rs:12 (major): It breaks.\n\n\
                        2. src/a.rs:3 (major): It breaks.\n   Suggested fix: Fix\n   it.";
        assert_eq!(task_of("abc", &[&a, &b]), expected);
    }
}
