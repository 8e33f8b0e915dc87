//! What a review of the working tree against a commit compares with.

use crate::workflow::run::error::StartError;
use crate::workspace::{self, Base, Workspace};

/// What a review against a commit compares with. It stands beside a workflow, whatever state that is in.
///
/// # Errors
/// When there is nothing to compare with; the message says what to do.
pub(super) fn find_base(workspace: &Workspace, reference: &str) -> Result<Base, StartError> {
    if reference.trim().is_empty() {
        return Err(StartError::Usage("name the commit to compare with, such as origin/main".to_owned()));
    }
    workspace::find_base(workspace, reference.trim()).map_err(|error| StartError::Usage(error.to_string()))
}
