//! The rows of what was proven: the checks with their results, and the acceptance criteria with what the review made of them.

use serde::Serialize;

use super::rows::standing_review;
use crate::contracts::{CheckResult, CriterionResult, CriterionState, Dismissed, Issue, SandboxLevel, Task};
use crate::memory::{Memory, Store};

/// A check's last result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckRow {
    /// The result, as impl_report.json has it.
    #[serde(flatten)]
    pub check: CheckResult,
    /// How it ended and why, in a few words: `failed: exit code 2; also fails without these changes`.
    pub words: String,
    /// Its log, relative to the workspace root; null where there is none, or none any more.
    pub file: Option<String>,
}

/// An acceptance criterion of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CriterionStatus {
    /// Its number within the task, from 1.
    pub n: usize,
    /// The criterion.
    pub text: String,
    /// What the review says of it; null while none did.
    pub state: Option<CriterionState>,
}

/// The checks as they were run last, in their order.
pub(super) fn check_rows(memory: &Memory, store: &Store) -> Vec<CheckRow> {
    checks(memory).map(|check| check_row(check, store.check_log(&check.log))).collect()
}

pub(super) fn check_row(check: &CheckResult, file: Option<String>) -> CheckRow {
    CheckRow { words: check.words(), file, check: check.clone() }
}

fn checks(memory: &Memory) -> impl Iterator<Item = &CheckResult> {
    memory.report.iter().flat_map(|report| &report.checks)
}

/// What kept the checks from everything else, as the last of them that ran say; `None` where none ran.
pub(super) fn sandbox(memory: &Memory) -> Option<String> {
    let ran = checks(memory).filter(|check| !check.is_skipped());
    // The weakest, so that no more is promised than holds for all.
    let rank = |level: &SandboxLevel| match level {
        SandboxLevel::None => 0,
        SandboxLevel::Landlock => 1,
        SandboxLevel::View => 2,
    };
    ran.map(|check| check.sandbox).min_by_key(rank).map(|level| level.as_str().to_owned())
}

/// What the standing review says of the criteria; nothing where the plan was changed since.
pub fn standing_criteria(memory: &Memory, store: &Store) -> Vec<CriterionResult> {
    match &memory.review {
        Some(_) => memory.criteria().to_vec(),
        None => standing_review(memory, store).map(|review| review.criteria).unwrap_or_default(),
    }
}

/// The criteria that are not met and that a person has not settled: neither by taking the work as it is, nor, one that is
/// unmet, by dismissing all that was found in its task.
pub fn open_criteria(memory: &Memory, store: &Store) -> Vec<CriterionResult> {
    let mut criteria = standing_criteria(memory, store);
    if criteria.is_empty() || memory.is_accepted() {
        return Vec::new();
    }
    let issues = standing_review(memory, store).map(|review| review.issues).unwrap_or_default();
    criteria.retain(|result| match result.state {
        CriterionState::Met => false,
        CriterionState::Unproven => true,
        CriterionState::Unmet => !is_settled(memory, &issues, &result.task_id),
    });
    criteria
}

/// Whether something was found in a task, and all of it dismissed.
fn is_settled(memory: &Memory, issues: &[Issue], task: &str) -> bool {
    let of_task = |issue: &&Issue| memory.task_of(issue).is_some_and(|owner| owner.id == task);
    let mut found = issues.iter().filter(of_task).peekable();
    found.peek().is_some() && found.all(|issue| Dismissed::has(&memory.dismissed, &issue.id))
}

/// The criteria of a task, each with what these results say of it.
pub(super) fn criterion_rows(task: &Task, results: &[CriterionResult]) -> Vec<CriterionStatus> {
    let row = |(at, text): (usize, &String)| CriterionStatus {
        n: at + 1,
        text: text.clone(),
        state: CriterionResult::find(results, &task.id, at + 1).map(|result| result.state),
    };
    task.acceptance_criteria.iter().enumerate().map(row).collect()
}
