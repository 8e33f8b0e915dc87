//! One thing that was looked at.

use std::fmt;

use serde::Serialize;

use crate::models::ModelError;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `binary`, `workspace`, `memory`, `git`, `sandbox`, `checks`, `settings`, `prompts`, `models`, `dispatch`, `key`, `endpoint`, `models.fast` and so
    /// on.
    pub name: &'static str,
    /// How it stands.
    pub status: CheckStatus,
    /// What is there, or what is wrong.
    pub message: String,
    /// How to fix it; of several that are mended alike, the last says it.
    pub fix: Option<String>,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// A run works without it.
    Warning,
    /// No run works.
    Error,
}

impl fmt::Display for CheckStatus {
    /// The word used in the JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Check {
    pub(super) fn new(name: &'static str, status: CheckStatus, message: impl Into<String>) -> Self {
        Self { name, status, message: message.into(), fix: None }
    }

    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, CheckStatus::Ok, message)
    }

    pub(super) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// A model's error: its last sentence says what to do.
    pub(super) fn failed(name: &'static str, status: CheckStatus, error: &ModelError) -> Self {
        match error.message.rsplit_once(". ") {
            Some((what, fix)) => Self::new(name, status, what).with_fix(fix),
            None => Self::new(name, status, error.message.trim_end_matches('.')),
        }
    }
}
