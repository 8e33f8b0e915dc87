//! One check at work: its slot, its log, its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::sandbox::sandbox;
use crate::agents::AgentError;
use crate::config::Check;
use crate::memory::RunId;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;
use crate::workspace::{Ended, Job, Place, Ran};

/// A check that ran.
pub(super) struct Done {
    /// Its number among those of the run, from 1.
    pub(super) number: u32,
    /// How it ended.
    pub(super) ran: Ran,
    /// Its log, by its path from the memory folder.
    pub(super) log: String,
}

/// Wait for a slot. Who asks first gets one first; the wait counts against no time limit.
pub(super) async fn slot(run: &Run) -> Result<OwnedSemaphorePermit, PhaseError> {
    tokio::select! {
        slot = run.check_state.slots.clone().acquire_owned() => {
            slot.map_err(|error| PhaseError::Internal(format!("no check can run any more: {error}")))
        }
        () = run.context.cancel.cancelled() => Err(AgentError::Cancelled.into()),
    }
}

/// Run a check that is trusted. Whoever calls this has a slot.
///
/// # Errors
/// When its log cannot be written, or it was cancelled.
pub(super) async fn run_check(
    run: &Run,
    check: &Check,
    place: Place,
    limit: Duration,
    cancel: &CancellationToken,
) -> Result<Done, PhaseError> {
    let number = run.check_state.begun.fetch_add(1, Ordering::Relaxed) + 1;
    let id = RunId::parse(&run.context.run)
        .ok_or_else(|| PhaseError::Internal(format!("{} is no id of a run", run.context.run)))?;
    let (file, log) = run.store.create_check_log(&id, number, &check.file_name())?;
    let job =
        Job { command: check.command.clone(), timeout: limit, network: check.network, secrets: check.secrets, place };
    let ran = sandbox(run).await.run(&job, file, cancel).await;
    if ran.ended == Ended::Cancelled || cancel.is_cancelled() {
        return Err(AgentError::Cancelled.into());
    }
    Ok(Done { number, ran, log })
}
