//! Git through libgit2, beside the user's own use of it: what is checked out, what differs from a commit, checkpoints.
//!
//! Invariants: only `open` opens a repository, and only the workspace's own; nothing is written but references below
//! `refs/baton/` and their objects. Which files are ignored is decided by `ignored`, without git.

mod authors;
mod base;
mod checkpoint;
mod committed;
mod history;
mod open;
mod past;
mod state;
#[cfg(target_os = "linux")]
mod tracked;

pub use authors::PassedOver;
pub use base::{Base, BaseDiff, BaseError, BaseFile, diff_with, find_base};
pub use checkpoint::{Checkpoint, CheckpointError, checkpoint, remove_checkpoints, sweep_locks};
pub use committed::Committed;
pub use history::{Commits, HistoryError, LoggedCommit, commits_of};
pub use past::{PastError, PastFile, file_at};
pub use state::{Head, RepositoryState, Unreadable, head, head_file, library_version, repository};
#[cfg(target_os = "linux")]
pub(super) use tracked::{repository_folder, tracked_files};
