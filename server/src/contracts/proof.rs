//! What became of checks and criteria, in words for people: the same in every face.

use serde::Serialize;

use super::report::{BaseState, CHECK_CANCELLED, CHECK_UNTRUSTED, CheckResult, CheckState};
use super::review::{CriterionResult, CriterionState, Evidence};
use crate::text::safe_line;

/// How many criteria are met, and how many are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CriteriaCount {
    /// Met, and the evidence shows it.
    pub met: usize,
    /// Not met.
    pub unmet: usize,
    /// Nothing shows whether they are.
    pub unproven: usize,
}

impl CriteriaCount {
    /// Of these results.
    pub fn of(criteria: &[CriterionResult]) -> Self {
        let count = |state| criteria.iter().filter(|result| result.state == state).count();
        Self {
            met: count(CriterionState::Met),
            unmet: count(CriterionState::Unmet),
            unproven: count(CriterionState::Unproven),
        }
    }
}

impl CriterionResult {
    /// The result of a task's criterion, by its number from 1.
    pub fn find<'a>(criteria: &'a [Self], task: &str, criterion: usize) -> Option<&'a Self> {
        let is_it = |result: &&Self| result.task_id == task && result.criterion as usize == criterion;
        criteria.iter().find(is_it)
    }
}

impl CheckResult {
    /// How it ended and, where that says more, why: `failed: exit code 2; also fails without these changes`.
    pub fn words(&self) -> String {
        match self.details() {
            details if details.is_empty() => self.state.words().to_owned(),
            details => format!("{}: {details}", self.state.words()),
        }
    }

    /// What there is to say beside the state; empty where there is nothing.
    pub fn details(&self) -> String {
        let details = [self.exit_words(), self.reason_words(), self.base_words().map(str::to_owned)];
        details.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    fn exit_words(&self) -> Option<String> {
        let code = self.exit_code?;
        match self.state {
            CheckState::Failed => Some(format!("exit code {code}")),
            // As shells report it.
            CheckState::Killed if code > 128 => Some(format!("signal {}", code - 128)),
            _ => None,
        }
    }

    fn reason_words(&self) -> Option<String> {
        let words = self.reason_in_full()?;
        Some(words.trim_end_matches('.').to_owned())
    }

    /// The reason in words; `None` where there is none.
    pub fn reason_in_full(&self) -> Option<String> {
        let reason = safe_line(self.reason.as_deref()?.trim());
        match reason.as_str() {
            "" => None,
            CHECK_UNTRUSTED => Some("it was not trusted".to_owned()),
            CHECK_CANCELLED => Some("it had not ended when the run was stopped".to_owned()),
            "paths" => Some("no file of its paths was changed".to_owned()),
            "sandbox" => Some("there is no view here, which the settings require".to_owned()),
            _ => Some(reason),
        }
    }

    fn base_words(&self) -> Option<&'static str> {
        match self.base? {
            _ if !self.has_failed() => None,
            BaseState::Passed => Some("passes without these changes"),
            BaseState::Failed => Some("also fails without these changes"),
            BaseState::Unknown => Some("not known whether it fails without these changes"),
        }
    }
}

impl CheckState {
    /// The word for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::TimedOut => "timed out",
            Self::NotFound => "not found",
            other => other.as_str(),
        }
    }

    /// What became of it, as the end of a sentence: "the check lint …".
    pub fn verb(self) -> &'static str {
        match self {
            Self::Killed => "was killed",
            Self::NotFound => "was not found",
            Self::Skipped => "was skipped",
            Self::Passed | Self::Failed | Self::TimedOut => self.words(),
        }
    }

    /// The sign before its name.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Passed => "✓",
            Self::Skipped => "–",
            Self::Failed | Self::TimedOut | Self::Killed | Self::NotFound => "✗",
        }
    }
}

impl CriterionState {
    /// The sign before it.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Met => "✓",
            Self::Unmet => "✗",
            Self::Unproven => "?",
        }
    }
}

impl Evidence {
    /// The place of the line it quotes: `src/a.rs:12`; `None` where it names no file.
    pub fn place(&self) -> Option<String> {
        let file = self.file.as_deref().map(str::trim).filter(|file| !file.is_empty())?;
        Some(match self.line {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn words(check: Value) -> String {
        let mut whole = json!({ "name": "test", "command": "make test" });
        whole.as_object_mut().unwrap().extend(check.as_object().unwrap().clone());
        let check: CheckResult = serde_json::from_value(whole).unwrap();
        format!("{} {}", check.state.mark(), check.words())
    }

    #[test]
    fn each_end_of_a_check_is_told_with_what_can_be_known_of_it() {
        for (check, expected) in [
            (json!({ "state": "passed", "exit_code": 0 }), "✓ passed"),
            (json!({ "state": "passed", "exit_code": 0, "base": "failed" }), "✓ passed"),
            (json!({ "state": "failed", "exit_code": 2 }), "✗ failed: exit code 2"),
            (
                json!({ "state": "failed", "exit_code": 1, "base": "failed" }),
                "✗ failed: exit code 1; also fails without these changes",
            ),
            (
                json!({ "state": "failed", "exit_code": 1, "base": "passed" }),
                "✗ failed: exit code 1; passes without these changes",
            ),
            (
                json!({ "state": "timed_out", "base": "unknown" }),
                "✗ timed out: not known whether it fails without these changes",
            ),
            (json!({ "state": "timed_out", "reason": "It needs a network." }), "✗ timed out: It needs a network"),
            (json!({ "state": "killed", "exit_code": 137 }), "✗ killed: signal 9"),
            (json!({ "state": "killed", "exit_code": null }), "✗ killed"),
            (json!({ "state": "not_found", "exit_code": 127 }), "✗ not found"),
            (json!({ "state": "skipped", "reason": "untrusted" }), "– skipped: it was not trusted"),
            (
                json!({ "state": "skipped", "reason": "cancelled" }),
                "– skipped: it had not ended when the run was stopped",
            ),
            (json!({ "state": "skipped", "reason": "paths" }), "– skipped: no file of its paths was changed"),
            (
                json!({ "state": "skipped", "reason": "sandbox" }),
                "– skipped: there is no view here, which the settings require",
            ),
            (json!({ "state": "skipped", "reason": "no\u{1b}[31m disk\nleft" }), "– skipped: no disk left"),
            (json!({ "state": "skipped" }), "– skipped"),
            (json!({}), "– skipped"),
        ] {
            assert_eq!(words(check.clone()), expected, "{check}");
        }
    }

    #[test]
    fn evidence_has_a_place_where_it_names_a_file() {
        let evidence = |value: Value| serde_json::from_value::<Evidence>(value).unwrap().place();
        assert_eq!(evidence(json!({ "file": "src/a.rs", "line": 3, "quote": "x" })), Some("src/a.rs:3".to_owned()));
        assert_eq!(evidence(json!({ "file": "src/a.rs" })), Some("src/a.rs".to_owned()));
        assert_eq!(evidence(json!({ "check": "test" })), None);
        assert_eq!(evidence(json!({ "file": " " })), None);
    }
}
