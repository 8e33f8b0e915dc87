//! What the review came to.

use serde::Serialize;

use super::standing::standing_review;
use crate::contracts::{RecommendedAction, Verdict};
use crate::memory::{Memory, Store};
use crate::text::safe_text;

/// What the review that stands came to; its issues and criteria are rows of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewStatus {
    /// The implement round it judges, from 1.
    pub round: u32,
    /// The judgement in a word.
    pub verdict: Verdict,
    /// What follows from it.
    pub recommended_action: RecommendedAction,
    /// The judgement in a few sentences.
    pub summary: String,
    /// How the changes left the plan; empty where they did not.
    pub drift: String,
}

/// The review whose issues stand, if there is one.
pub(super) fn review_status(memory: &Memory, store: &Store) -> Option<ReviewStatus> {
    let review = standing_review(memory, store)?;
    Some(ReviewStatus {
        round: review.round,
        verdict: review.verdict,
        recommended_action: review.recommended_action,
        summary: safe_text(&review.summary),
        drift: safe_text(&review.drift_details),
    })
}
