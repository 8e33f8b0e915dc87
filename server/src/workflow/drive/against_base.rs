//! A review of the working tree against a commit: the same reviewer, with no plan and no edits. It is no part of a
//! workflow, and drives none.

use std::sync::Arc;

use super::ending::{failed_end, run_end, without_dismissed};
use crate::workflow::run::end::RunEnd;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::outcome::Outcome;
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::REVIEW;
use crate::workspace::Base;

/// Review, and answer with the end of the run.
pub(crate) async fn review_and_end(run: &Arc<Run>, base: &Base) -> RunEnd {
    match review(run, base).await {
        Ok(message) => {
            let memory = run.store.inspect().map(|(memory, _)| memory).unwrap_or_default();
            let review = memory.base_review.as_ref().map(|review| without_dismissed(review, &memory));
            RunEnd { review, ..run_end(run, &memory, Outcome::Done, message) }
        }
        Err(error) => {
            // No review of the workflow, and none from before, is what this run found.
            let mut end = RunEnd { review: None, ..failed_end(run, REVIEW.into(), &error) };
            if end.outcome == Outcome::Cancelled {
                end.message = "Stopped in review. Nothing was changed.".to_owned();
            }
            end
        }
    }
}

/// Run the phase that can review against a commit.
async fn review(run: &Arc<Run>, base: &Base) -> Result<String, PhaseError> {
    for phase in run.policy.phases.all() {
        if let Some(end) = phase.run_against(run, base).await {
            return end;
        }
    }
    Err(PhaseError::Internal("no phase reviews against a commit".to_owned()))
}
