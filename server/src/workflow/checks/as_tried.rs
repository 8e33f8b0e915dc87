//! A check that passed when a task tried it, on the very files that stand at the end of the round: its result is the round's.
//!
//! Invariant: it counts only where all that the try saw, but for the edits in it, is unchanged, the edits were published as
//! they were tried, and the check left the files as they were. Where any of that is not known the check is run.
//!
//! Deliberately absent: results of an earlier process. What was tried is not kept on disk.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::changed_since::as_they_are;
use crate::config::Check;
use crate::contracts::{CheckResult, CheckState, RepoPath, SandboxLevel};
use crate::workflow::run::check_state::PassedTry;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;
use crate::workspace::{Ended, Ran, TreeState, ViewEdit, read_exact};

/// What a try writes is thrown away. Where it wrote more files than this, it may have built from scratch: the run at the end of
/// the round builds once more, where that is kept.
const MOST_WRITTEN: usize = 1_000;

/// The tree before a check is tried on these edits, where its result may count at the end of the round.
///
/// # Errors
/// When looking broke off.
pub(super) async fn tree_before(run: &Run, check: &Check, edits: &[ViewEdit]) -> Result<Option<TreeState>, PhaseError> {
    if check.network {
        // What it found there may be another thing by then.
        return Ok(None);
    }
    let (workspace, memory, without) = (run.workspace.clone(), run.store.path().clone(), paths(edits));
    let looked = tokio::task::spawn_blocking(move || TreeState::of(&workspace, &memory, &without)).await;
    looked.map_err(|error| PhaseError::Internal(format!("looking at the files broke off: {error}")))
}

/// Keep what came of a try, where it may count at the end of the round; what was kept of the check before does not any more.
pub(super) fn keep(run: &Run, check: &Check, edits: Vec<ViewEdit>, tree: Option<TreeState>, ran: &Ran, log: String) {
    let has_passed = ran.ended == Ended::Exited(0) && ran.hints.is_empty();
    let is_clean = ran.traces.is_some_and(|traces| traces.is_clean && traces.written <= MOST_WRITTEN);
    let mut passed = run.check_state.passed.lock().unwrap_or_else(PoisonError::into_inner);
    passed.remove(&check.name);
    if let Some(tree) = tree.filter(|_| has_passed && is_clean) {
        let (elapsed, output) = (ran.elapsed, ran.output.clone());
        passed.insert(check.name.clone(), PassedTry { check: check.clone(), edits, tree, elapsed, output, log });
    }
}

/// The result of a check that passed when it was tried, recorded for these files of the workflow; `None` where it has to run.
///
/// # Errors
/// When it cannot be recorded, or looking broke off.
pub(super) async fn as_tried(
    run: &Arc<Run>,
    check: &Check,
    files: Vec<RepoPath>,
) -> Result<Option<CheckResult>, PhaseError> {
    let kept = run.check_state.passed.lock().unwrap_or_else(PoisonError::into_inner).remove(&check.name);
    let Some(tried) = kept.filter(|tried| tried.check == *check) else { return Ok(None) };
    let (of, elapsed, output, log) = (run.clone(), tried.elapsed, tried.output.clone(), tried.log.clone());
    let looked = tokio::task::spawn_blocking(move || {
        let seen = as_they_are(&of.workspace, files);
        stands(&of, &tried).then_some(seen)
    });
    let seen =
        looked.await.map_err(|error| PhaseError::Internal(format!("looking at the files broke off: {error}")))?;
    let Some(seen) = seen else { return Ok(None) };
    let result = CheckResult {
        name: check.name.clone(),
        command: check.command.clone(),
        state: CheckState::Passed,
        exit_code: Some(0),
        reason: None,
        base: None,
        sandbox: SandboxLevel::View,
        elapsed_ms: millis(elapsed),
        log,
    };
    run.store.record_check(&result, &output, seen)?;
    Ok(Some(result))
}

/// Whether the working tree is what a try saw.
fn stands(run: &Run, tried: &PassedTry) -> bool {
    let is_published = |edit: &ViewEdit| match read_exact(&run.workspace, &edit.path) {
        Ok(Some(file)) => {
            edit.content.as_ref() == Some(&file.bytes) && edit.mode.is_none_or(|mode| mode & 0o777 == file.mode & 0o777)
        }
        Ok(None) => edit.content.is_none(),
        Err(_) => false,
    };
    tried.edits.iter().all(is_published)
        && tried.tree.holds(&run.workspace, run.store.path(), &paths(&tried.edits))
        // Once more, for they could have been changed while the rest was looked at.
        && tried.edits.iter().all(is_published)
}

fn paths(edits: &[ViewEdit]) -> BTreeSet<RepoPath> {
    edits.iter().map(|edit| edit.path.clone()).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
