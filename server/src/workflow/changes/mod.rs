//! What agents changed: the publish journals, the diff that follows from them, checkpoints, recovery and rollback.

pub(crate) mod checkpoints;
pub(crate) mod files;
pub(crate) mod publishes;
pub(crate) mod recover;
pub(crate) mod reversal;
pub(crate) mod rollback;
pub(crate) mod rollback_scope;
pub(crate) mod rolled_back;
pub(crate) mod settle;
pub(crate) mod unverified;
