use std::fmt;

use serde::{Deserialize, Serialize};

use super::events::EventError;
use crate::contracts::{ReviewOutput, Usage};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The review approved. Changes are in the working tree; nothing was committed.
    Merged,
    /// The one phase that was asked for is done.
    Done,
    /// A person must decide.
    Escalated,
    /// The plan was rejected.
    Rejected,
    /// The plan waits for an answer.
    Waiting,
    /// Something failed; the error says what.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// All that agents did is undone. No run ends so: it is the outcome of a workflow.
    RolledBack,
}

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
    /// How many files the workflow has changed so far.
    pub changed_files: usize,
}

impl fmt::Display for Outcome {
    /// The word used in the JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
