//! Checkpoints of a run in git, and old runs that go with theirs.

use super::publishes::in_effect;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::publishes::journal;
use crate::config::Checkpoint;
use crate::contracts::{PhaseName, RepoPath};
use crate::memory::{MemoryError, Store, lacks_events};
use crate::text::count;
use crate::workflow::run::checkpoint_state::CheckpointState;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{EventPhase, EventStatus};
use crate::workflow::run::phase::Run;
use crate::workspace::{self, CheckpointError, Workspace};

/// Record the working tree after a phase. A failure is reported and the run continues; where no checkpoint can be made at
/// all, it is reported once.
pub(crate) async fn record(run: &Arc<Run>, phase: PhaseName) {
    let CheckpointState { made, unavailable } = &run.checkpoints;
    if run.settings.checkpoint == Checkpoint::Off
        || unavailable.load(Ordering::Relaxed)
        || run.context.cancel.is_cancelled()
    {
        return;
    }
    let n = made.load(Ordering::Relaxed) + 1;
    let skipped = |why: &str| {
        run.emit(EventPhase::Workflow, EventStatus::Progress, format!("checkpoint skipped: {why}"));
    };
    let working = run.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let touched = touched(&working.store).map_err(|error| CheckpointError::Git(error.to_string()))?;
        let (run, memory) = (&working.context.run, working.store.path());
        let stopped = || working.context.cancel.is_cancelled();
        workspace::checkpoint(&working.workspace, run, n, phase.as_str(), &touched, memory, &stopped)
    });
    match taken.await {
        Ok(Ok(Some(_))) => made.store(n, Ordering::Relaxed),
        // Without git, and after a cancel, nothing is reported.
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
    let standing = in_effect(journal(store)?);
    Ok(standing.iter().flat_map(|publish| publish.record.paths().cloned()).collect())
}

/// How long a run stays whose events a sink has not all taken.
const HELD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which old runs are gone, and which could not be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Ids of the runs that were removed, oldest first.
    pub removed: Vec<String>,
    /// Ids of those that stay because a sink has not taken all their events.
    pub held: Vec<String>,
    /// Of those that were removed, the ones whose events a sink has not all taken in the time there is for it.
    pub undelivered: Vec<String>,
    /// Ids of those that were not, each with the reason.
    pub failed: Vec<(String, String)>,
}

/// Remove all but the newest runs, with their checkpoints. Runs of the workflow at hand stay, however many there are:
/// resuming and rolling back need them. One that cannot be removed keeps none of the others.
///
/// # Errors
/// When a run is at work, or the runs cannot be listed.
pub fn clean(store: &Store, workspace: &Workspace, keep_runs: usize) -> Result<Cleaned, StartError> {
    let (_lock, _) = store.lock(Timestamp::now())?;
    sweep(store, workspace);
    remove_old_runs(store, workspace, keep_runs)
}

/// Remove git locks that the checkpoints of a killed run left. The caller holds the run lock.
pub(crate) fn sweep(store: &Store, workspace: &Workspace) {
    let ours = store.runs().unwrap_or_default();
    match workspace::sweep_locks(workspace, &|run| ours.iter().any(|known| known.as_str() == run)) {
        Ok(0) | Err(CheckpointError::Unavailable(_)) => {}
        Ok(count) => tracing::info!(count, "removed locks of checkpoints that a killed run left"),
        Err(error) => tracing::warn!(%error, "locks of old checkpoints could not be removed"),
    }
}

/// What is told of runs that were removed although a sink had not taken all their events.
pub fn lost_events(undelivered: &[String]) -> Option<String> {
    let last = undelivered.last()?;
    let runs = count(undelivered.len(), "run");
    Some(format!("removed {runs}, up to {last}, whose events a sink has not all taken in 7 days: those are lost to it"))
}

/// The same under a lock that is held already.
pub(crate) fn remove_old_runs(store: &Store, workspace: &Workspace, keep_runs: usize) -> Result<Cleaned, StartError> {
    let mut runs = store.runs()?;
    runs.truncate(runs.len().saturating_sub(keep_runs));
    let needed = store.workflow_runs()?;
    let mut cleaned = Cleaned::default();
    for run in runs.into_iter().filter(|run| !needed.contains(run)) {
        let lacks = lacks_events(store, &run);
        if lacks && run.started().is_some_and(|began| Timestamp::now().duration_since(began) < HELD_FOR) {
            cleaned.held.push(run.to_string());
            continue;
        }
        // The folder goes last: as long as it is there, its checkpoints are found again.
        let removed = match workspace::remove_checkpoints(workspace, run.as_str()) {
            Ok(_) | Err(CheckpointError::Unavailable(_)) => store.remove_run(&run).map_err(|error| error.to_string()),
            Err(error) => Err(format!("its checkpoints cannot be removed: {error}")),
        };
        match removed {
            Ok(()) => {
                cleaned.removed.push(run.to_string());
                if lacks {
                    cleaned.undelivered.push(run.to_string());
                }
            }
            Err(why) => cleaned.failed.push((run.to_string(), why)),
        }
    }
    Ok(cleaned)
}
