//! `baton reset`: moves the workflow's memory to history; files stay.

use super::failure::Failure;
use super::output::{print, status_after};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::workflow::{self, WayOn, WayOnId};

/// Move the current workflow to history.
pub(super) fn reset(start: &Start<'_>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        print("There is nothing to reset.")?;
        return Ok(0);
    };
    let can_undo = |way: &WayOn| way.id == WayOnId::Undo;
    let has_undo = status_after(&store, &session.settings, &session.phases)
        .is_some_and(|status| status.ways_on.iter().any(can_undo));
    let undone_by = store.workflow_runs()?.first().filter(|_| has_undo).map(ToString::to_string);
    match workflow::reset(&session.workspace, &store)? {
        Some(entry) => {
            let entry = store.name(&entry);
            print(&format!("Started over. What there was is in {entry}; your files are as they were."))?;
            if let Some(workflow) = undone_by {
                print(&format!("What it changed in them can still be undone: `baton rollback --workflow {workflow}`"))?;
            }
        }
        None => print("There is nothing to reset.")?,
    }
    Ok(0)
}
