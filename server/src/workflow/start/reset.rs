//! Starting over.

use jiff::Timestamp;

use crate::memory::{SetAside, Store};
use crate::workflow::changes::recover::recover;
use crate::workflow::run::error::StartError;
use crate::workspace::Workspace;

/// Move the workflow at hand to history; the files of the workspace stay, and what a killed run was publishing is
/// finished first. Answers with the entry's path below the memory folder, or `None` when there was nothing to move.
///
/// # Errors
/// When a run is at work, or files cannot be moved.
pub fn reset(workspace: &Workspace, store: &Store) -> Result<Option<String>, StartError> {
    // Held while the files move, so that no run begins on half of them.
    let (lock, _) = store.lock(Timestamp::now())?;
    recover(workspace, store)?;
    let moved = store.set_workflow_aside(SetAside::Reset)?;
    drop(lock);
    Ok(moved)
}
