use std::fmt;

use serde::{Deserialize, Serialize};

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

impl fmt::Display for Outcome {
    /// The word used in the JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
