//! The rows of what was proven: the checks with their results, and the acceptance criteria with what the review made of them.

use serde::Serialize;

use crate::contracts::{CheckResult, CriterionResult, CriterionState, RepoPath, SandboxLevel, Task};
use crate::memory::{Memory, Store};
use crate::workflow::checks::changed_since::{changed_since, since_names};
use crate::workflow::checks::sandbox::SANDBOX_EVENT;
use crate::workflow::run::events::{EventPhase, EventStatus, PhaseEvent};

/// A check's last result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckRow {
    /// The result, as impl_report.json has it.
    #[serde(flatten)]
    pub check: CheckResult,
    /// How it ended and why, in a few words: `failed: exit code 2; also fails without these changes; changed since: src/a.rs`.
    pub words: String,
    /// The files of the workflow that are not what it saw any more.
    pub changed_since: Vec<RepoPath>,
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
    let rows = checks(memory).zip(changed_since(store, memory));
    rows.map(|(check, since)| CheckRow::new(check.clone(), since, store.check_log(&check.log))).collect()
}

impl CheckRow {
    /// Of a result, with the files that changed since, and its log.
    pub(crate) fn new(check: CheckResult, changed_since: Vec<RepoPath>, file: Option<String>) -> Self {
        let words = [Some(check.words()), since_names(&changed_since)];
        Self { words: words.into_iter().flatten().collect::<Vec<_>>().join("; "), changed_since, file, check }
    }

    /// What there is to say beside the state; empty where there is nothing.
    pub fn details(&self) -> String {
        let details = [Some(self.check.details()), since_names(&self.changed_since)];
        details.into_iter().flatten().filter(|words| !words.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

fn checks(memory: &Memory) -> impl Iterator<Item = &CheckResult> {
    memory.report.iter().flat_map(|report| &report.checks)
}

/// What keeps the checks from everything else, and why: as the last run that needed to know tells, else the level that the
/// last results name; `None` where no check ran.
pub(super) fn sandbox(memory: &Memory, events: &[&PhaseEvent]) -> Option<String> {
    let of_run = |event: &&&PhaseEvent| event.phase == EventPhase::Workflow && event.status == EventStatus::Progress;
    let told = events.iter().rev().filter(of_run).find_map(|event| event.message.strip_prefix(SANDBOX_EVENT));
    told.map(str::to_owned).or_else(|| level(memory))
}

fn level(memory: &Memory) -> Option<String> {
    let ran = checks(memory).filter(|check| !check.is_skipped());
    // The weakest, so that no more is promised than holds for all.
    let rank = |level: &SandboxLevel| match level {
        SandboxLevel::None => 0,
        SandboxLevel::Landlock => 1,
        SandboxLevel::View => 2,
    };
    ran.map(|check| check.sandbox).min_by_key(rank).map(|level| level.as_str().to_owned())
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
