//! A review of the working tree against a commit: the same reviewer, with no plan and no edits. It is no part of a
//! workflow, and drives none.

use std::sync::Arc;

use jiff::Timestamp;

use super::ending::{failed, run_end};
use crate::memory::Memory;
use crate::workflow::decide::next::{Next, Policy, next_phase};
use crate::workflow::decide::phase::REVIEW;
use crate::workflow::run::error::{PhaseError, StartError};
use crate::workflow::run::outcome::{Outcome, RunEnd};
use crate::workflow::run::shared::Run;
use crate::workspace::{self, Base, Workspace};

/// Whether a review against a commit may begin, and against which.
///
/// # Errors
/// When a workflow is unfinished, or there is nothing to compare with; the message says what to do.
pub(crate) fn begin(
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

/// Review, and end.
pub(crate) async fn drive(run: &Arc<Run>, base: &Base) -> RunEnd {
    match review(run, base).await {
        Ok(message) => {
            let memory = run.store.inspect().map(|(memory, _)| memory).unwrap_or_default();
            run_end(run, &memory, Outcome::Done, message)
        }
        Err(error) => {
            let mut end = failed(run, REVIEW.into(), &error);
            if end.outcome == Outcome::Cancelled {
                end.message = "Stopped in review. Nothing was changed.".to_owned();
            }
            end
        }
    }
}

/// Have the phase review that can.
async fn review(run: &Arc<Run>, base: &Base) -> Result<String, PhaseError> {
    for phase in run.policy.phases.all() {
        if let Some(end) = phase.run_against(run, base).await {
            return end;
        }
    }
    Err(PhaseError::Internal("no phase reviews against a commit".to_owned()))
}
