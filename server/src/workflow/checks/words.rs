//! What became of a check, in words.

use std::time::Duration;

use crate::contracts::{CheckResult, CheckState};
use crate::text;
use crate::workspace::Ended;

/// How the exit of a shell whose command was not found is told.
const NOT_FOUND: i32 = 127;
/// A shell that waited for a process that a signal ended exits with this and the number of the signal.
const SIGNAL: i32 = 128;
/// The highest number of a signal.
const LAST_SIGNAL: i32 = 64;

/// The name of a check among other words: one that is more than a plain word is quoted.
pub(crate) fn named(name: &str) -> String {
    let name = text::safe_line(name);
    let is_plain = |c: char| c.is_alphanumeric() || "-_./+".contains(c);
    if name.chars().all(is_plain) { name } else { format!("`{name}`") }
}

/// The state of a check that ended, with its exit code. What was never started was skipped.
pub(crate) fn state_of(ended: &Ended) -> (CheckState, Option<i32>) {
    match ended {
        Ended::Exited(0) => (CheckState::Passed, Some(0)),
        Ended::Exited(NOT_FOUND) => (CheckState::NotFound, Some(NOT_FOUND)),
        Ended::Exited(code) if (SIGNAL + 1..=SIGNAL + LAST_SIGNAL).contains(code) => (CheckState::Killed, Some(*code)),
        Ended::Exited(code) => (CheckState::Failed, Some(*code)),
        Ended::Signal(_) => (CheckState::Killed, None),
        Ended::TimedOut => (CheckState::TimedOut, None),
        Ended::Cancelled | Ended::NotRun(_) => (CheckState::Skipped, None),
    }
}

/// `failed (exit 101)`, `timed out`, `skipped: it was not trusted`.
pub(crate) fn outcome(check: &CheckResult) -> String {
    match check.state {
        CheckState::Skipped => format!("skipped: {}", skipped_because(check)),
        state => ended(state, check.exit_code),
    }
}

/// `failed (exit 101)`, `timed out`.
pub(crate) fn ended(state: CheckState, exit_code: Option<i32>) -> String {
    match (state, exit_code) {
        (CheckState::Passed, _) => "passed".to_owned(),
        (CheckState::Failed, Some(code)) => format!("failed (exit {code})"),
        (CheckState::Failed, None) => "failed".to_owned(),
        (CheckState::TimedOut, _) => "timed out".to_owned(),
        (CheckState::Killed, Some(code)) => format!("killed (exit {code})"),
        (CheckState::Killed, None) => "killed by a signal".to_owned(),
        (CheckState::NotFound, _) => "not found (exit 127)".to_owned(),
        (CheckState::Skipped, _) => "did not run".to_owned(),
    }
}

/// `failed (exit 101), 12 s`
pub(crate) fn outcome_in_time(check: &CheckResult) -> String {
    match check.state {
        CheckState::Skipped => outcome(check),
        _ => format!("{}, {}", outcome(check), text::elapsed(Duration::from_millis(check.elapsed_ms))),
    }
}

/// Why a check was skipped.
pub(crate) fn skipped_because(check: &CheckResult) -> String {
    check.reason_in_full().unwrap_or_else(|| "no reason was recorded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_command_ended_is_a_state_with_its_exit_code() {
        let cases = [
            (Ended::Exited(0), CheckState::Passed, Some(0)),
            (Ended::Exited(1), CheckState::Failed, Some(1)),
            (Ended::Exited(101), CheckState::Failed, Some(101)),
            (Ended::Exited(126), CheckState::Failed, Some(126)),
            (Ended::Exited(127), CheckState::NotFound, Some(127)),
            (Ended::Exited(128), CheckState::Failed, Some(128)),
            (Ended::Exited(137), CheckState::Killed, Some(137)),
            (Ended::Exited(192), CheckState::Killed, Some(192)),
            (Ended::Exited(193), CheckState::Failed, Some(193)),
            (Ended::Exited(255), CheckState::Failed, Some(255)),
            (Ended::Signal(9), CheckState::Killed, None),
            (Ended::TimedOut, CheckState::TimedOut, None),
            (Ended::NotRun("no view".to_owned()), CheckState::Skipped, None),
        ];
        for (ended, state, code) in cases {
            assert_eq!(state_of(&ended), (state, code), "{ended:?}");
        }
    }
}
