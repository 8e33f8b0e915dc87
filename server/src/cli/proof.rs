//! How checks and acceptance criteria are printed: by `status`, and at the end of a run.

use std::time::Duration;

use super::output::row;
use crate::contracts::CriterionState;
use crate::text;
use crate::workflow::{CheckRow, TaskStanding};

/// Each check with how it ended, and below one that failed the path of its log. What was `said` by then is not said again.
pub(super) fn check_lines(checks: &[CheckRow], said: &str, columns: usize) -> Vec<String> {
    let lines = |row: &CheckRow| [Some(check_line(row, said, columns)), log_line(row)];
    checks.iter().flat_map(lines).flatten().collect()
}

fn check_line(checked: &CheckRow, said: &str, columns: usize) -> String {
    let check = &checked.check;
    let details = checked.details();
    let details = if said.contains(&details) { "" } else { details.as_str() };
    let took = match check.is_skipped() {
        true => String::new(),
        false => text::elapsed(Duration::from_millis(check.elapsed_ms)),
    };
    let name = format!("{} {}", check.state.mark(), text::safe_line(&check.name));
    row(&format!("{name:<10} {:<12} {took:>8}  ", check.state.words()), details, columns)
}

/// On a line of its own, to be copied.
fn log_line(CheckRow { check, file, .. }: &CheckRow) -> Option<String> {
    let file = file.as_deref().filter(|_| check.has_failed())?;
    Some(format!("  log: {}", text::safe_line(file)))
}

/// The criteria of a task that are not met, a line each after `first`; where there are none, that all are met. Nothing
/// before a review.
pub(super) fn criterion_lines(task: &TaskStanding, first: &str, columns: usize) -> Vec<String> {
    let line = |mark: &str, words: &str| text::paragraph(&format!("{first}{mark} "), words, columns);
    let unmet = task.criteria.iter().filter_map(|criterion| {
        let state = criterion.state.filter(|state| *state != CriterionState::Met)?;
        let text = text::safe_line(&criterion.text);
        Some(line(state.mark(), &format!("{}: {text}", state.as_str())))
    });
    let lines: Vec<String> = unmet.collect();
    let is_met = |state| state == Some(CriterionState::Met);
    let all = task.criteria.len();
    if all > 0 && task.criteria.iter().all(|criterion| is_met(criterion.state)) {
        let words = if all == 1 { "its criterion is met".to_owned() } else { format!("all {all} criteria are met") };
        return vec![line(CriterionState::Met.mark(), &words)];
    }
    lines
}

/// The criteria of all tasks that are not met, each with its task.
pub(super) fn unmet_lines(tasks: &[TaskStanding], columns: usize) -> Vec<String> {
    let is_open = |state: &CriterionState| *state != CriterionState::Met;
    let of_task = |task: &TaskStanding| {
        let id = text::safe_line(&task.id);
        let open = task.criteria.iter().filter_map(|criterion| Some((criterion.state.filter(is_open)?, criterion)));
        let line = |(state, criterion): (CriterionState, &crate::workflow::CriterionStatus)| {
            let words = format!("{id}: {}: {}", state.as_str(), text::safe_line(&criterion.text));
            text::paragraph(&format!("{} ", state.mark()), &words, columns)
        };
        open.map(line).collect::<Vec<_>>()
    };
    tasks.iter().flat_map(of_task).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::workflow::{CriterionStatus, TaskState};

    fn check(value: Value, file: Option<&str>) -> CheckRow {
        let check: crate::contracts::CheckResult = serde_json::from_value(value).unwrap();
        CheckRow::new(check, Vec::new(), file.map(str::to_owned))
    }

    fn checks() -> Vec<CheckRow> {
        let log = ".agent_memory/runs/20261127T120000-aaaa/checks/lint.log";
        vec![
            check(
                json!({ "name": "test", "command": "t", "state": "passed", "exit_code": 0, "elapsed_ms": 3200 }),
                Some("a.log"),
            ),
            check(
                json!({ "name": "lint", "command": "l", "state": "failed", "exit_code": 2, "base": "failed", "elapsed_ms": 72_000 }),
                Some(log),
            ),
            check(json!({ "name": "e2e", "command": "e", "state": "skipped", "reason": "untrusted" }), None),
            check(json!({ "name": "gone", "command": "g", "state": "timed_out", "elapsed_ms": 600_000 }), None),
        ]
    }

    #[test]
    fn a_check_is_a_row_and_a_failed_one_has_its_log_below() {
        let expected = [
            "✓ test     passed          3.2 s",
            "✗ lint     failed       1 m 12 s  exit code 2; also fails without these changes",
            "  log: .agent_memory/runs/20261127T120000-aaaa/checks/lint.log",
            "– e2e      skipped                it was not trusted",
            "✗ gone     timed out    10 m 0 s",
        ];
        assert_eq!(check_lines(&checks(), "", 120), expected);
        let narrow = [
            "✓ test     passed          3.2 s",
            "✗ lint failed 1 m 12 s\n  exit code 2; also fails without these\n  changes",
            "  log: .agent_memory/runs/20261127T120000-aaaa/checks/lint.log",
            "– e2e skipped\n  it was not trusted",
            "✗ gone     timed out    10 m 0 s",
        ];
        assert_eq!(check_lines(&checks(), "", 40), narrow);
    }

    #[test]
    fn the_row_of_a_check_names_what_changed_since_though_the_headline_counts_it() {
        let path = crate::contracts::RepoPath::parse("src/a.rs").unwrap();
        let rows: Vec<CheckRow> =
            checks().into_iter().map(|row| CheckRow::new(row.check, vec![path.clone()], row.file)).collect();
        let lines = check_lines(&rows, "Approved; 1 file changed since; skipped: e2e (it was not trusted).", 120);
        assert_eq!(lines[0], "✓ test     passed          3.2 s  changed since: src/a.rs");
        let lines = check_lines(&rows, "", 40);
        assert_eq!(lines[0], "✓ test passed 3.2 s\n  changed since: src/a.rs");
        assert!(
            lines.iter().flat_map(|line| line.lines()).all(|line| line.chars().count() <= 40 || line.contains("log: "))
        );
    }

    fn task(states: &[Option<CriterionState>]) -> TaskStanding {
        let criterion = |(at, state): (usize, &Option<CriterionState>)| CriterionStatus {
            n: at + 1,
            text: format!("It does number {} of the things.", at + 1),
            state: *state,
        };
        TaskStanding {
            id: "T1".to_owned(),
            title: "Greet".to_owned(),
            status: TaskState::Completed,
            activity: None,
            files: Vec::new(),
            depends_on: Vec::new(),
            criteria: states.iter().enumerate().map(criterion).collect(),
            attempts: Vec::new(),
        }
    }

    #[test]
    fn only_the_criteria_that_are_not_met_are_named() {
        let (met, unmet, unproven) = (CriterionState::Met, CriterionState::Unmet, CriterionState::Unproven);
        let lines = |states: &[Option<CriterionState>]| criterion_lines(&task(states), "  ", 40);
        assert_eq!(lines(&[None, None]), Vec::<String>::new());
        assert_eq!(lines(&[]), Vec::<String>::new());
        assert_eq!(lines(&[Some(met)]), ["  ✓ its criterion is met"]);
        assert_eq!(lines(&[Some(met), Some(met)]), ["  ✓ all 2 criteria are met"]);
        // One that nobody answered is not met, and nothing more is known of it.
        assert_eq!(lines(&[Some(met), None]), Vec::<String>::new());
        let named =
            ["  ✗ unmet: It does number 2 of the\n    things.", "  ? unproven: It does number 3 of the\n    things."];
        assert_eq!(lines(&[Some(met), Some(unmet), Some(unproven)]), named);
        let at_the_end =
            ["✗ T1: unmet: It does number 1 of the things.", "? T1: unproven: It does number 3 of the things."];
        assert_eq!(unmet_lines(&[task(&[Some(unmet), Some(met), Some(unproven)])], 100), at_the_end);
    }
}
