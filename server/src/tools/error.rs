use std::fmt;

use crate::workspace::{Interrupted, Refused, StagingError};

/// Why a tool has no answer.
#[derive(Debug)]
pub(super) struct ToolError {
    /// What the model reads.
    pub(super) text: String,
    /// A write that was refused for what it wanted to touch.
    pub(super) refused: Option<String>,
}

/// An error as a sentence. (A refused read is no blocker; see [`Refused::is_blocker`] for writes.)
pub(super) fn sentence(error: &dyn fmt::Display) -> String {
    format!("{error}.")
}

impl From<String> for ToolError {
    fn from(text: String) -> Self {
        Self { text, refused: None }
    }
}

impl From<Interrupted> for ToolError {
    fn from(interrupted: Interrupted) -> Self {
        Self { text: sentence(&interrupted), refused: None }
    }
}

impl From<StagingError> for ToolError {
    fn from(error: StagingError) -> Self {
        let refused = match &error {
            StagingError::Refused(refused) if refused.is_blocker() => Some(refused.to_string()),
            _ => None,
        };
        Self { text: sentence(&error), refused }
    }
}

impl From<Refused> for ToolError {
    fn from(refused: Refused) -> Self {
        Self { text: sentence(&refused), refused: None }
    }
}
