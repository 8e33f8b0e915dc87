//! Shared by the files of this folder: where checkpoints are kept, how the repository is opened, and errors.

use std::path::PathBuf;

use git2::{ErrorCode, Oid, Repository};

use crate::workspace::git::open::open as open_repository;
use crate::workspace::root::Workspace;

/// Where checkpoints are kept.
pub(super) const REFS: &str = "refs/baton";

/// Why there is no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Checkpoints are not possible in this repository; everything else works as without git.
    #[error("checkpoints are not available in this git repository: {0}")]
    Unavailable(String),
    /// A file could not be recorded.
    #[error("cannot record {path}: {why}")]
    File {
        /// The file, relative to the repository.
        path: String,
        /// What the system said.
        why: String,
    },
    /// A reference is locked by a running or killed process.
    #[error(
        "another process works on it, or one was killed: {} is there (or packed-refs.lock beside the references); remove it \
         once no git or Baton is at work here", .0.display()
    )]
    Locked(PathBuf),
    /// Git failed.
    #[error("git failed: {0}")]
    Git(String),
    /// It was cancelled. Nothing refers to the objects written.
    #[error("stopped")]
    Stopped,
}

impl From<git2::Error> for CheckpointError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.message().to_owned())
    }
}

/// A file of a tree: its object and its mode.
pub(super) type Recorded = (Oid, u32);

pub(super) fn open(workspace: &Workspace) -> Result<Option<Repository>, CheckpointError> {
    open_repository(workspace).map_err(|error| CheckpointError::Unavailable(error.message().to_owned()))
}

/// The current commit; `None` before the first one.
pub(super) fn head_commit(repository: &Repository) -> Result<Option<git2::Commit<'_>>, CheckpointError> {
    match repository.head() {
        Ok(head) => Ok(Some(head.peel_to_commit()?)),
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
