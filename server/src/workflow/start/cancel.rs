//! Stops a run that another process holds: a request in the run's folder, which the process that holds it watches for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use crate::memory::{LockHolder, RunId, Store};
use crate::workflow::drive::steps::drive;
use crate::workflow::run::end::RunEnd;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{EventPhase, EventStatus};
use crate::workflow::run::phase::Run;
use crate::workspace::Base;

/// Interval at which a run looks for a request to stop it: a run stops within a second of the request.
const WATCH: Duration = Duration::from_millis(200);

/// What became of a request to stop the run of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelRequest {
    /// The process that holds the run was asked to stop it.
    Asked(LockHolder),
    /// No run is at work; the last one, where there was one.
    NoneAtWork(Option<RunId>),
}

/// Ask the process that holds the workspace, whichever it is, to stop its run.
///
/// # Errors
/// When the memory folder cannot be read, or the request cannot be written.
pub fn request_cancel(store: &Store) -> Result<CancelRequest, StartError> {
    let holder = store.holder().and_then(|holder| Some((RunId::parse(&holder.run)?, holder)));
    let Some((run, holder)) = holder else { return Ok(CancelRequest::NoneAtWork(store.runs()?.pop())) };
    store.request_cancel(&run)?;
    Ok(CancelRequest::Asked(holder))
}

/// Take a run to its end, and stop it when another process asks for that.
pub(super) async fn drive_until_cancelled(run: &Arc<Run>, id: &RunId, base: Option<&Base>) -> RunEnd {
    let mut driven = Box::pin(drive(run, base));
    tokio::select! {
        end = &mut driven => return end,
        () = requested(run, id) => {}
    }
    run.emit(EventPhase::Workflow, EventStatus::Progress, "Stopping: another process in this workspace asked for it");
    run.context.cancel.cancel();
    driven.await
}

/// Returns when someone asked to stop the run.
async fn requested(run: &Run, id: &RunId) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if run.store.is_cancel_requested(id) {
            return;
        }
    }
}
