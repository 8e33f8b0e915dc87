use std::sync::atomic::{AtomicBool, AtomicU32};

/// How many checkpoints a run has made, and whether it goes without.
#[derive(Debug, Default)]
pub(crate) struct CheckpointState {
    pub(crate) made: AtomicU32,
    pub(crate) unavailable: AtomicBool,
}
