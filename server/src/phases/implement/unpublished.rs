//! The edits of a task that failed or is blocked: they are not published, and not lost.

use std::sync::PoisonError;

use super::claims::{SharedStaging, listed, with_note};
use crate::contracts::TaskResult;
use crate::text::count;
use crate::workflow::Run;
use crate::workspace::{self, StagedChange};

/// How the sentence begins that says so.
const NOT_WRITTEN: &str = "Its edits of ";
/// Files that are named.
const NAMED: usize = 3;

/// Keep the staged edits of a task as a diff in the run's folder. The sentence says that they were not written, and where
/// they are; empty where there are none.
pub(super) fn keep(run: &Run, task: &str, staging: &SharedStaging) -> String {
    let changes = staging.lock().unwrap_or_else(PoisonError::into_inner).changes();
    if changes.is_empty() {
        return String::new();
    }
    let diff: String = changes.iter().map(diff_of).collect();
    let name = format!("unpublished-{task}.diff");
    let kept = match workspace::replace(&run.folder, &name, diff.as_bytes(), 0o600) {
        Ok(()) => format!("they are kept in {}/runs/{}/{name}", run.store.path(), run.context.run),
        Err(error) => format!("and could not be kept: {error}"),
    };
    let files = match changes.len() {
        files if files > NAMED => count(files, "file"),
        _ => listed(&changes.iter().map(|change| change.path.as_str()).collect::<Vec<_>>()),
    };
    format!("{NOT_WRITTEN}{files} were not written; {kept}.")
}

/// The result of a task whose edits are not published.
pub(super) fn with_kept_edits(run: &Run, mut result: TaskResult, staging: &SharedStaging) -> TaskResult {
    result.notes = with_note(&result.notes, &keep(run, &result.task_id, staging));
    result
}

/// Why a task failed or is blocked, and what became of its edits, in sentences without the last full stop.
pub(super) fn reason(result: &TaskResult) -> String {
    let Some(why) = result.blockers.first() else { return ended(&result.notes).to_owned() };
    match result.notes.rfind(NOT_WRITTEN) {
        Some(at) => format!("{}. {}", ended(why), ended(&result.notes[at..])),
        None => ended(why).to_owned(),
    }
}

fn ended(text: &str) -> &str {
    text.trim_end().trim_end_matches('.')
}

fn diff_of(change: &StagedChange) -> String {
    let before = change.before.as_ref().map(|state| state.bytes.as_slice());
    workspace::unified(&change.path, before, change.after.as_deref())
}
