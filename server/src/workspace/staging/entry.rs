//! What a task made of one file, and the changes that come of it.

use crate::contracts::{ChangeType, RepoPath};
use crate::workspace::{FileState, Owner};

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its name on disk, or the one it will have.
    pub(super) path: RepoPath,
    /// Where it was moved from: its format, permission bits and owner stay those of that file.
    pub(super) origin: Option<Origin>,
    /// Whether its content was moved here and never read.
    pub(super) unread: bool,
    /// Its new name, if only the case changes and the disk folds case.
    pub(super) moved_to: Option<RepoPath>,
    /// The file on disk when the task last read it before its first change; `None` if there was none.
    pub(super) base: Option<FileState>,
    pub(super) staged: Option<Staged>,
}

/// The file that another one was made of by a move.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) path: RepoPath,
    pub(super) base: FileState,
}

#[derive(Debug, Clone)]
pub(super) enum Staged {
    Content(Vec<u8>),
    Deleted,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedChange {
    /// The file.
    pub path: RepoPath,
    /// What happened to it.
    pub change_type: ChangeType,
    /// What the task built on; `None` for a new file.
    pub before: Option<FileState>,
    /// The new bytes; `None` for a deleted file.
    pub after: Option<Vec<u8>>,
    /// Permission bits for a file that a rollback puts in place; new files get the system's default.
    pub mode: u32,
    /// The owner of a file that a rollback puts in place; `None` for the current user.
    pub owner: Option<Owner>,
    /// Its old name, where it was moved: permission bits and owner stay.
    pub moved_from: Option<RepoPath>,
}

impl Staged {
    pub(super) fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Content(bytes) => Some(bytes),
            Self::Deleted => None,
        }
    }
}

impl Entry {
    pub(super) fn new(path: RepoPath, base: Option<FileState>) -> Self {
        Self { path, origin: None, unread: false, moved_to: None, base, staged: None }
    }

    /// The changes of a file: none, one, or for a rename a deletion and a creation.
    pub(super) fn changes(&self) -> Vec<StagedChange> {
        let owner = self.base.as_ref().and_then(|base| base.owner);
        let mode = self.base.as_ref().map_or(0o644, |base| base.mode);
        let change = |path: &RepoPath, change_type, before: Option<&FileState>, after: Option<&Vec<u8>>| StagedChange {
            path: path.clone(),
            change_type,
            before: before.cloned(),
            after: after.cloned(),
            mode,
            owner,
            moved_from: None,
        };
        let (path, base) = (&self.path, self.base.as_ref());
        let deleted = || change(path, ChangeType::Deleted, base, None);
        match (base, &self.staged, &self.moved_to) {
            (None, Some(Staged::Content(bytes)), _) if let Some(Origin { path: from, base }) = &self.origin => {
                let come = change(path, ChangeType::Created, None, Some(bytes));
                vec![StagedChange { mode: base.mode, owner: base.owner, moved_from: Some(from.clone()), ..come }]
            }
            (None, Some(Staged::Content(bytes)), _) => vec![change(path, ChangeType::Created, None, Some(bytes))],
            (Some(_), Some(Staged::Deleted), _) => vec![deleted()],
            (Some(_), Some(Staged::Content(bytes)), Some(to)) => {
                let come = change(to, ChangeType::Created, None, Some(bytes));
                vec![deleted(), StagedChange { moved_from: Some(path.clone()), ..come }]
            }
            (Some(base), Some(Staged::Content(bytes)), None) if base.bytes != *bytes => {
                vec![change(path, ChangeType::Modified, Some(base), Some(bytes))]
            }
            _ => Vec::new(),
        }
    }
}
