//! The start of a run: the engine is opened, the memory folder is prepared for the goal, and the loop is started.
//!
//! Invariants: a start that is refused has changed nothing; one run at a time holds the lock; what a killed run left is
//! repaired before anything else.

pub(crate) mod base;
pub(crate) mod beginning;
pub(crate) mod cancel;
pub(crate) mod engine;
pub(crate) mod launch;
pub(crate) mod memory_dir;
pub(crate) mod notify;
pub(crate) mod reset;
pub(crate) mod sinks;
pub(crate) mod tell;
