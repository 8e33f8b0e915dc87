//! What the checks said of a plan's work and what the review made of its criteria, as plan.md shows it.

use std::fmt::Write;
use std::time::Duration;

use super::report::CheckResult;
use super::review::{CriterionResult, CriterionState};
use crate::text::{code, elapsed, markdown_line};

/// What is known of the work on a plan; nothing before it was checked and reviewed.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanResults<'a> {
    /// The last results of the checks.
    pub checks: &'a [CheckResult],
    /// What the review says of the criteria.
    pub criteria: &'a [CriterionResult],
}

impl PlanResults<'_> {
    fn of(&self, task: &str, criterion: usize) -> Option<&CriterionResult> {
        CriterionResult::find(self.criteria, task, criterion)
    }

    /// The line of a criterion, from 1, in a list.
    pub fn criterion_line(&self, task: &str, criterion: usize, text: &str) -> String {
        let text = markdown_line(text);
        let Some(result) = self.of(task, criterion) else { return format!("- {text}") };
        let mark = result.state.mark();
        match result.state {
            CriterionState::Met => format!("- {mark} {text}{}", evidence(result)),
            CriterionState::Unmet | CriterionState::Unproven => {
                format!("- {mark} **{}**: {text}{}", result.state.as_str(), evidence(result))
            }
        }
    }

    /// The section of the checks; nothing without any.
    pub(super) fn checks_section(&self, out: &mut String) -> std::fmt::Result {
        if self.checks.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n## Checks\n")?;
        for check in self.checks {
            let took = match check.elapsed_ms {
                0 => String::new(),
                ms => format!(" ({})", elapsed(Duration::from_millis(ms))),
            };
            let words = markdown_line(&check.words());
            writeln!(out, "- {} {} {words}{took}", check.state.mark(), code(&check.name))?;
            writeln!(out, "  - command {}", code(&check.command))?;
            if check.has_failed() && !check.log.is_empty() {
                writeln!(out, "  - log {}", code(&check.log))?;
            }
        }
        Ok(())
    }
}

/// What shows that a criterion is met, as it follows its text.
fn evidence(result: &CriterionResult) -> String {
    let Some(evidence) = &result.evidence else { return String::new() };
    let check = evidence.check.as_deref().map(|check| format!("check {}", code(check)));
    let place = evidence.place().map(|place| {
        let quote = evidence.quote.as_deref().map(str::trim).filter(|quote| !quote.is_empty());
        format!("{}{}", code(&place), quote.map(|quote| format!(" {}", code(quote))).unwrap_or_default())
    });
    match check.into_iter().chain(place).collect::<Vec<_>>() {
        shown if shown.is_empty() => String::new(),
        shown => format!(" — {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_criterion_carries_what_the_review_made_of_it() {
        let criteria: Vec<CriterionResult> = serde_json::from_value(json!([
            { "task_id": "T1", "criterion": 1, "state": "met", "evidence": { "check": "test" } },
            { "task_id": "T1", "criterion": 2, "state": "met",
              "evidence": { "file": "src/a.rs", "line": 3, "quote": "  assert!(a);" } },
            { "task_id": "T1", "criterion": 3, "state": "unmet", "evidence": null },
            { "task_id": "T1", "criterion": 4, "state": "unproven" },
            { "task_id": "T2", "criterion": 5, "state": "met" },
        ]))
        .unwrap();
        let results = PlanResults { criteria: &criteria, ..PlanResults::default() };
        let line = |n| results.criterion_line("T1", n, "It *greets*.");
        assert_eq!(line(1), "- ✓ It \\*greets\\*. — check `test`");
        assert_eq!(line(2), "- ✓ It \\*greets\\*. — `src/a.rs:3` `assert!(a);`");
        assert_eq!(line(3), "- ✗ **unmet**: It \\*greets\\*.");
        assert_eq!(line(4), "- ? **unproven**: It \\*greets\\*.");
        assert_eq!(line(5), "- It \\*greets\\*.", "another task's says nothing of it");
    }

    #[test]
    fn a_failed_check_is_shown_with_its_log() {
        let checks: Vec<CheckResult> = serde_json::from_value(json!([
            { "name": "test", "command": "cargo test", "state": "passed", "exit_code": 0, "elapsed_ms": 3200, "log": "runs/r/checks/test.log" },
            { "name": "lint", "command": "make lint", "state": "failed", "exit_code": 2, "base": "failed", "elapsed_ms": 400, "log": "runs/r/checks/lint.log" },
            { "name": "e2e", "command": "make e2e", "state": "skipped", "reason": "untrusted" },
        ]))
        .unwrap();
        let mut out = String::new();
        PlanResults { checks: &checks, ..PlanResults::default() }.checks_section(&mut out).unwrap();
        let expected = "\n## Checks\n\n- ✓ `test` passed (3.2 s)\n  - command `cargo test`\n\
                        - ✗ `lint` failed: exit code 2; also fails without these changes (0.4 s)\n  - command `make lint`\n  \
                        - log `runs/r/checks/lint.log`\n\
                        - – `e2e` skipped: it was not trusted\n  - command `make e2e`\n";
        assert_eq!(out, expected);
        let mut none = String::new();
        PlanResults::default().checks_section(&mut none).unwrap();
        assert_eq!(none, "");
    }
}
