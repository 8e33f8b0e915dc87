//! `baton clean`: old runs go, with their checkpoints.

use std::path::Path;

use super::failure::Failure;
use super::session::Session;
use super::{print, render};
use crate::config::Overrides;
use crate::workflow;

/// Keep the newest runs and those of the workflow at hand; remove the rest.
pub(super) fn clean(folder: Option<&Path>) -> Result<u8, Failure> {
    let session = Session::open(folder, Overrides::default())?;
    let removed = match session.memory()? {
        Some(store) => workflow::clean(&store, &session.workspace, session.settings.keep_runs)?,
        None => Vec::new(),
    };
    let text = match removed.as_slice() {
        [] => "There is nothing to remove.".to_owned(),
        [.., newest] => format!("Removed {}, up to {newest}.", render::count(removed.len(), "run")),
    };
    print(&text)?;
    Ok(0)
}
