//! The steps of a publish, where it can stop, and the errors of its callers.

use std::io;

use crate::contracts::RepoPath;
use crate::workspace::error::WorkspaceError;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Files changed on disk since the task read them; the working tree is unchanged.
    #[error("changed on disk since the task read them, and left alone: {}", names(.paths))]
    Conflict {
        /// The files.
        paths: Vec<RepoPath>,
    },
    /// Files are open in an editor with unsaved changes; the working tree is unchanged.
    #[error("open with unsaved changes, and left alone: {}; save them, or undo the changes there", names(.paths))]
    Unsaved {
        /// The files.
        paths: Vec<RepoPath>,
    },
    /// The task's changes of this round are already published.
    #[error("task {task} was already published in round {round}")]
    Again {
        /// The task.
        task: String,
        /// The round.
        round: u32,
    },
    /// An id that cannot name a file.
    #[error("{0:?} is no task id")]
    TaskId(String),
    /// A file could not be written; the working tree is unchanged.
    #[error("{what}: {source}; nothing of the task was published")]
    Io {
        /// What was being written.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file could not be written, and not all files could be restored. The journal stays, and the next start finishes
    /// or undoes the rest.
    #[error("{what}: {source}; could not be taken back: {}", names(.left))]
    Stuck {
        /// What was being written.
        what: String,
        /// What the system said.
        source: io::Error,
        /// Files that hold the task's content.
        left: Vec<RepoPath>,
    },
}

pub(super) fn names(paths: &[RepoPath]) -> String {
    paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(", ")
}

/// The points between two effects on the disk, where a kill may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Staged(usize),
    BeforeSaved(usize),
    Prepared,
    Journaled,
    Placing(usize),
    Placed(usize),
    Synced,
    Undoing,
    Undone,
}

/// Why the publish stopped.
#[derive(Debug)]
pub(super) enum Halt {
    /// As if the process had been killed: nothing more happens, not even undoing.
    #[cfg(test)]
    Killed,
    /// A file is not what the task built on.
    Conflict(Vec<RepoPath>),
    /// A file is open in an editor with unsaved changes.
    Unsaved(Vec<RepoPath>),
    /// The system failed.
    Failed { what: String, source: io::Error },
}

impl Halt {
    pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Failed { what, source }
    }

    /// For callers that know errors of the system only.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Failed { what, source } => io::Error::new(source.kind(), format!("{what}: {source}")),
            other => io::Error::other(format!("{other:?}")),
        }
    }

    pub(super) fn of_file(error: WorkspaceError, path: &RepoPath) -> Self {
        Self::Failed { what: format!("cannot read {path}"), source: io::Error::other(error) }
    }
}

/// A hook on every [`Step`], where tests can stop the publish.
pub(super) type Steps<'a> = &'a mut dyn FnMut(Step) -> Result<(), Halt>;

#[derive(Debug)]
pub(super) enum Stopped {
    #[cfg(test)]
    Killed,
    Refused(PublishError),
}

impl From<Halt> for Stopped {
    fn from(halt: Halt) -> Self {
        match halt {
            #[cfg(test)]
            Halt::Killed => Self::Killed,
            Halt::Conflict(paths) => Self::Refused(PublishError::Conflict { paths }),
            Halt::Unsaved(paths) => Self::Refused(PublishError::Unsaved { paths }),
            Halt::Failed { what, source } => Self::Refused(PublishError::Io { what, source }),
        }
    }
}
