//! Git, by libgit2 and only beside the user's own use of it: what is checked out, what differs from a commit, checkpoints.
//!
//! Invariants: a repository is opened by `open` alone, which takes none that is not the workspace's own; nothing but references
//! below `refs/baton/` and the objects they lead to is ever written. Which files are ignored is no question to git: see
//! `ignored`.

mod base;
mod checkpoint;
mod open;
mod state;

pub use base::{Base, BaseDiff, BaseError, BaseFile, diff_with, find_base};
pub use checkpoint::{Checkpoint, CheckpointError, checkpoint, remove_checkpoints, sweep_locks};
pub use state::{Head, RepositoryState, Unreadable, head, head_file, library_version, repository};
