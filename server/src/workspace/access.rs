//! What an agent may read, and the refusals it gets.

use super::ignored::Ignored;
use super::protect::{is_never, is_secret};
use super::{Workspace, WorkspaceError, is_ignored};
use crate::contracts::RepoPath;

/// What an agent is refused, in words for the agent and for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A file that is not the task's.
    #[error("{path} is not among the files of this task; it may write {allowed}")]
    Elsewhere {
        /// The file.
        path: RepoPath,
        /// What may be written, in words.
        allowed: String,
    },
    /// A file of the task that the plan does not delete.
    #[error("the plan does not list {0} to be deleted, and this task did not create it")]
    NotForDeletion(RepoPath),
    /// A file that the plan only deletes.
    #[error(
        "the plan lists {0} to be deleted by this task, and so it is not written; nothing was changed. Delete it with \
         delete_file, or give it the new name that the plan lists with move_file, and edit it there"
    )]
    ForDeletion(RepoPath),
    /// A protected file in a plan no person approved.
    #[error("{0} is protected: it is written only when a person approved the very plan that lists it")]
    Protected(RepoPath),
    /// `.git` or the memory folder.
    #[error("{0} is never touched: it belongs to git or to Baton")]
    Never(RepoPath),
    /// In a folder that git takes for a repository.
    #[error(
        "{0} lies in a folder that is, or with the plan's files would be, a git repository, whose configuration names \
         programs that git runs; like .git, it is never written, with or without an approval"
    )]
    GitFolder(RepoPath),
    /// Behind a symbolic link.
    #[error("{0} lies behind a symbolic link; files are written only in their real place")]
    Link(RepoPath),
    /// Another file or folder is at the path.
    #[error("{path} cannot be written: {what} is in its way; where the plan deletes that, delete it first")]
    InTheWay {
        /// The file.
        path: RepoPath,
        /// The file or folder that is there.
        what: RepoPath,
    },
    /// What is at the path can be neither read nor written.
    #[error("{0}")]
    Unwritable(String),
    /// An existing file the task has not read.
    #[error("{0} exists and was not read yet; read it first")]
    NotRead(RepoPath),
    /// A file of secrets.
    #[error("{0} may hold secrets; it is neither read nor changed")]
    Secret(RepoPath),
    /// A file that git ignores.
    #[error("{0} is ignored by git's rules; ignored files are not read")]
    Ignored(RepoPath),
    /// A file that a move would replace.
    #[error("{0} exists, and a move replaces no file; where the plan lists it to be deleted, delete it first")]
    Exists(RepoPath),
    /// A folder that was to be moved.
    #[error("{0} is a folder; files are moved one by one")]
    Folder(RepoPath),
    /// A move that moves nothing.
    #[error("{from} and {to} are the same file; nothing was moved")]
    SameFile {
        /// The file.
        from: RepoPath,
        /// Its new name.
        to: RepoPath,
    },
    /// A file that does not exist.
    #[error("{0} does not exist")]
    Missing(RepoPath),
}

impl Refused {
    /// The file that it is about, where it is about one that was to be written.
    pub fn path(&self) -> Option<&RepoPath> {
        match self {
            Self::Elsewhere { path, .. }
            | Self::NotForDeletion(path)
            | Self::ForDeletion(path)
            | Self::Protected(path)
            | Self::Never(path)
            | Self::GitFolder(path)
            | Self::Link(path)
            | Self::InTheWay { path, .. }
            | Self::NotRead(path)
            | Self::Secret(path)
            | Self::Ignored(path)
            | Self::Exists(path)
            | Self::Folder(path)
            | Self::SameFile { to: path, .. }
            | Self::Missing(path) => Some(path),
            Self::Unwritable(_) => None,
        }
    }

    /// Whether to report it to the user: an attempt on a file outside the task, not a slip.
    pub fn is_blocker(&self) -> bool {
        !matches!(
            self,
            Self::NotRead(_)
                | Self::Missing(_)
                | Self::ForDeletion(_)
                | Self::Ignored(_)
                | Self::InTheWay { .. }
                | Self::Exists(_)
                | Self::Folder(_)
                | Self::SameFile { .. }
        )
    }
}

/// Checks whether an agent may read this path: both the given path and the real one, links followed. Returns the real
/// path, or `None` if nothing is there.
///
/// # Errors
/// The inner error is the refusal, the outer one an error of the workspace.
pub fn readable(
    workspace: &Workspace,
    path: &RepoPath,
    memory_dir: &RepoPath,
) -> Result<Result<Option<RepoPath>, Refused>, WorkspaceError> {
    if let Some(refused) = refused_by_name(path, path, memory_dir) {
        return Ok(Err(refused));
    }
    let Some(real) = workspace.real_path(path)? else { return Ok(Ok(None)) };
    if let Some(refused) = refused_by_name(&real, path, memory_dir) {
        return Ok(Err(refused));
    }
    if workspace.is_secret_by_link(&real) {
        return Ok(Err(Refused::Secret(path.clone())));
    }
    if workspace.is_file(&real) && is_ignored(workspace, &real)? {
        return Ok(Err(Refused::Ignored(path.clone())));
    }
    Ok(Ok(Some(real)))
}

/// Checks whether an agent may read what was at this path in the past: by its name, and by what git ignores and which files
/// are secrets today.
///
/// # Errors
/// The inner error is the refusal, the outer one an error of the workspace.
pub fn readable_in_the_past(
    workspace: &Workspace,
    path: &RepoPath,
    memory_dir: &RepoPath,
) -> Result<Result<(), Refused>, WorkspaceError> {
    if let Some(refused) = refused_by_name(path, path, memory_dir) {
        return Ok(Err(refused));
    }
    if workspace.is_secret_by_link(path) {
        return Ok(Err(Refused::Secret(path.clone())));
    }
    // What is gone today is ignored by the rules alone.
    let is_ignored = Ignored::of(workspace)?.is_ignored_with_parents(path.as_str())?;
    Ok(if is_ignored { Err(Refused::Ignored(path.clone())) } else { Ok(()) })
}

/// The reason why a path may not be read by its name alone.
pub(super) fn refused_by_name(path: &RepoPath, asked: &RepoPath, memory_dir: &RepoPath) -> Option<Refused> {
    if is_never(path, memory_dir) {
        Some(Refused::Never(asked.clone()))
    } else {
        is_secret(path).then(|| Refused::Secret(asked.clone()))
    }
}
