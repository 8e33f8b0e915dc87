//! `baton reset`: moves the workflow's memory to history; files stay.

use super::failure::Failure;
use super::output::print;
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::workflow;

/// Move the current workflow to history.
pub(super) fn reset(start: &Start<'_>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        print("There is nothing to reset.")?;
        return Ok(0);
    };
    match workflow::reset(&session.workspace, &store)? {
        Some(entry) => {
            print(&format!("Started over. What there was is in {}; your files are as they were.", store.name(&entry)))?;
        }
        None => print("There is nothing to reset.")?,
    }
    Ok(0)
}
