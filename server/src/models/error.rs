use serde::{Deserialize, Serialize};

use crate::contracts::Usage;

/// A turn that failed and is not retried.
#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct ModelError {
    /// What kind of failure.
    pub kind: ModelErrorKind,
    /// What happened and what the user can do about it. Never holds a key.
    pub message: String,
    /// What the failed attempts cost, as far as anything of their answers came.
    pub usage: Usage,
}

/// What kind of failure a [`ModelError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelErrorKind {
    /// The key is missing, wrong or not allowed.
    Auth,
    /// The account's money or quota is used up.
    Quota,
    /// The provider refused the request as it is.
    Request,
    /// The prompt does not fit the model's context window.
    ContextWindow,
    /// No conclusion after all retries: network, overload, broken streams.
    Unavailable,
    /// The editor's user has not allowed its models, or its policy blocked the request.
    Blocked,
    /// The settings name a model or provider that cannot be used.
    Settings,
    /// The run was cancelled.
    Cancelled,
}

impl ModelError {
    /// A failure of this kind that cost nothing.
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), usage: Usage::default() }
    }

    /// The user stopped the turn.
    pub fn cancelled() -> Self {
        Self::new(ModelErrorKind::Cancelled, "Cancelled.")
    }

    /// The same failure, with what it cost.
    #[must_use]
    pub fn with_usage(self, usage: Usage) -> Self {
        Self { usage, ..self }
    }
}
