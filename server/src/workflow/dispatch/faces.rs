//! What the faces of this program give workers, and are told of them.

use crate::config::Settings;

/// What a worker is.
pub struct WorkerOptions {
    /// The broker's address.
    pub address: String,
    /// The key that it shares with coordinators.
    pub key: String,
    /// Conversations that it holds at once.
    pub slots: usize,
    /// What it is fit for.
    pub tags: Vec<String>,
    /// Its name.
    pub name: String,
    /// The user's own settings.
    pub settings: Settings,
}

/// Why a worker cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum WorkerFault {
    /// What it was started with makes no sense.
    #[error("{0}")]
    Usage(String),
    /// The broker cannot be reached, or refuses.
    #[error("{0}")]
    Unreachable(String),
}

/// A worker as it announces itself.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerSeen {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The version of the protocol that it speaks.
    pub protocol: u32,
    /// Whether that is this program's.
    pub is_same_protocol: bool,
    /// Conversations that it holds at once.
    pub slots: usize,
    /// Those it holds now.
    pub busy: usize,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its models: tier, `provider:name`, on whose account.
    pub models: Vec<(String, String, String)>,
}
