//! What agents changed in the files, from the publish journals: diffs, checkpoints, recovery and rollback.
//!
//! Invariants: a model's report is never taken for a change; journals that this user did not seal count as absent; a
//! rollback is journaled as a publish, so that it can be undone and survives a kill.

pub(crate) mod attribution;
pub(crate) mod before_image;
pub(crate) mod checkpoints;
pub(crate) mod files;
pub(crate) mod hunk_scope;
pub(crate) mod hunks;
pub(crate) mod keep;
pub(crate) mod publishes;
pub(crate) mod recover;
pub(crate) mod reversal;
pub(crate) mod rollback;
pub(crate) mod rollback_scope;
pub(crate) mod rolled_back;
pub(crate) mod settle;
pub(crate) mod spared;
pub(crate) mod target;
pub(crate) mod undone;
pub(crate) mod unverified;
pub(crate) mod written;
