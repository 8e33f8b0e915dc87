//! How a check ends on the files as they were before the workflow.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::running::run_check;
use super::sandbox::sandbox;
use crate::config::Check;
use crate::contracts::BaseState;
use crate::workflow::changes::files::{ChangedFile, Changes};
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;
use crate::workspace::{Ended, Place, ViewEdit};

/// The files that the workflow changed, as they were before it.
///
/// # Errors
/// When a journal or a before-image cannot be read.
pub(super) fn before_images(run: &Run) -> Result<Vec<ViewEdit>, PhaseError> {
    let changes = Changes::load(&run.store, &run.workspace)?;
    let image =
        |file: &ChangedFile| ViewEdit { path: file.path.clone(), content: file.before.clone(), mode: file.mode_before };
    Ok(changes.files().map(image).collect())
}

/// Find out how a check that fails now ends on the files as they were; once a workflow.
///
/// # Errors
/// When files cannot be read, or the run was cancelled.
pub(super) async fn base_state(run: &Run, check: &Check, cancel: &CancellationToken) -> Result<BaseState, PhaseError> {
    if let Some(known) = run.store.known_base(&check.name, &check.command) {
        return Ok(known);
    }
    let edits = before_images(run)?;
    if edits.is_empty() {
        // Nothing was changed, so that this is how it was.
        return Ok(BaseState::Failed);
    }
    if !sandbox(run).await.can_try() {
        return Ok(BaseState::Unknown);
    }
    let done = run_check(run, check, Place::Try { edits, touched: None }, Duration::from_secs(check.timeout_s), cancel)
        .await?;
    Ok(match done.ran.ended {
        Ended::Exited(0) => BaseState::Passed,
        Ended::Exited(_) | Ended::Signal(_) | Ended::TimedOut => BaseState::Failed,
        Ended::Cancelled | Ended::NotRun(_) => BaseState::Unknown,
    })
}
