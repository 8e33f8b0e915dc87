use super::events::EventError;
use super::outcome::Outcome;
use crate::contracts::{ReviewOutput, Usage};

/// The end of a run.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// What that means, for people: what stands, what does not, what to do next.
    pub message: String,
    /// What went wrong, with [`Outcome::Failed`] and with a spent budget.
    pub error: Option<EventError>,
    /// Whether the run failed without a conclusion because model, network or quota failed.
    pub no_conclusion: bool,
    /// The review as it stands.
    pub review: Option<ReviewOutput>,
    /// What this run used.
    pub usage: Usage,
    /// What the workflow has used so far.
    pub workflow_usage: Usage,
    /// How many turns models took in this run.
    pub turns: u64,
    /// How many they took in the workflow so far.
    pub workflow_turns: u64,
    /// How many files the workflow has changed so far.
    pub changed_files: usize,
}
