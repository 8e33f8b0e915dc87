//! Whether a review of the working tree against a commit may begin.

use jiff::Timestamp;

use crate::memory::Memory;
use crate::workflow::decide::next::{Next, next_phase};
use crate::workflow::run::error::StartError;
use crate::workflow::run::phase::Policy;
use crate::workspace::{self, Base, Workspace};

/// Whether a review against a commit may begin, and against which.
///
/// # Errors
/// When a workflow is unfinished, or there is nothing to compare with; the message says what to do.
pub(super) fn find_base(
    workspace: &Workspace,
    memory: &Memory,
    policy: &Policy,
    reference: &str,
) -> Result<Base, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    if reference.trim().is_empty() {
        return usage("name the commit to compare with, such as origin/main".to_owned());
    }
    if is_unfinished(memory, policy) {
        return usage(
            "a workflow is unfinished here, and its review must stay; go on with it by `baton run`, or set it aside by \
             `baton reset`, then review"
                .to_owned(),
        );
    }
    workspace::find_base(workspace, reference.trim()).map_err(|error| StartError::Usage(error.to_string()))
}

/// Whether there is a workflow that has begun and is neither approved nor rejected.
fn is_unfinished(memory: &Memory, policy: &Policy) -> bool {
    memory.is_begun() && !matches!(next_phase(memory, policy, Timestamp::now()), Next::Merged | Next::Rejected)
}
