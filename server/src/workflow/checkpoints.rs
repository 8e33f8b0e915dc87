//! Checkpoints of a run in git, and old runs that go with theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use jiff::Timestamp;

use super::error::StartError;
use super::events::{EventPhase, EventStatus};
use super::phase::Phase;
use super::published::{journal, standing};
use super::run::Run;
use crate::config::Checkpoint;
use crate::contracts::RepoPath;
use crate::memory::{MemoryError, Store};
use crate::workspace::{self, CheckpointError, Workspace};

/// How many checkpoints a run has made, and whether it goes without.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    made: AtomicU32,
    unavailable: AtomicBool,
}

/// Record the working tree after a phase. A checkpoint that fails is told of, once where none can be made at all, and
/// ends nothing.
pub(super) async fn take(run: &Arc<Run>, phase: Phase) {
    let Checkpoints { made, unavailable } = &run.checkpoints;
    if run.settings.checkpoint == Checkpoint::Off
        || unavailable.load(Ordering::Relaxed)
        || run.desk.cancel.is_cancelled()
    {
        return;
    }
    let n = made.load(Ordering::Relaxed) + 1;
    let skipped = |why: &str| {
        run.say(EventPhase::Workflow, EventStatus::Progress, format!("checkpoint skipped: {why}"));
    };
    let working = run.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let touched = touched(&working.store).map_err(|error| CheckpointError::Git(error.to_string()))?;
        let (run, memory) = (&working.desk.run, working.store.path());
        let stopped = || working.desk.cancel.is_cancelled();
        workspace::checkpoint(&working.workspace, run, n, phase.as_str(), &touched, memory, &stopped)
    });
    match taken.await {
        Ok(Ok(Some(_))) => made.store(n, Ordering::Relaxed),
        // Without git there is nothing to miss, and who cancels knows.
        Ok(Ok(None)) => unavailable.store(true, Ordering::Relaxed),
        Ok(Err(CheckpointError::Stopped)) => {}
        Ok(Err(error)) => {
            unavailable.store(matches!(error, CheckpointError::Unavailable(_)), Ordering::Relaxed);
            skipped(&error.to_string());
        }
        Err(error) => skipped(&format!("internal error: {error}; please report it")),
    }
}

/// The files agents of this workflow have written, and that have not been rolled back.
fn touched(store: &Store) -> Result<Vec<RepoPath>, MemoryError> {
    let standing = standing(journal(store)?);
    Ok(standing.iter().flat_map(|publish| publish.record.paths().cloned()).collect())
}

/// Remove all but the newest runs, with their checkpoints; their ids are returned. Runs of the workflow at hand stay,
/// however many there are: resuming and rolling back need them.
///
/// # Errors
/// When a run is at work, or something cannot be removed.
pub fn clean(store: &Store, workspace: &Workspace, keep_runs: usize) -> Result<Vec<String>, StartError> {
    let (_lock, _) = store.lock(Timestamp::now())?;
    remove_old_runs(store, workspace, keep_runs)
}

/// The same under a lock that is held already.
pub(super) fn remove_old_runs(
    store: &Store,
    workspace: &Workspace,
    keep_runs: usize,
) -> Result<Vec<String>, StartError> {
    let mut runs = store.runs()?;
    runs.truncate(runs.len().saturating_sub(keep_runs));
    let needed = store.workflow_runs()?;
    let mut removed = Vec::new();
    for run in runs.into_iter().filter(|run| !needed.contains(run)) {
        // The folder goes last: as long as it is there, its checkpoints are found again.
        match workspace::remove_checkpoints(workspace, run.as_str()) {
            Ok(_) | Err(CheckpointError::Unavailable(_)) => {}
            Err(error) => {
                return Err(StartError::Usage(format!("the checkpoints of run {run} cannot be removed: {error}")));
            }
        }
        store.remove_run(&run)?;
        removed.push(run.to_string());
    }
    Ok(removed)
}
