//! Whether a task may write or delete a file.

use std::collections::BTreeSet;

use super::entry::{Entry, Staged};
use super::writable::{Writable, find_in};
use super::{Staging, StagingError};
use crate::contracts::{PathKind, RepoPath};
use crate::workspace::WorkspaceError;
use crate::workspace::access::Refused;
use crate::workspace::path_state::blocking_path;
use crate::workspace::protect::{Protection, in_git_folder, protection};

impl Staging {
    /// Checks whether the task may write a file, or delete it, and returns its name on disk.
    pub(super) fn check(&self, path: &RepoPath, to_write: bool) -> Result<RepoPath, StagingError> {
        let protection = protection(path, &self.memory_dir);
        if protection == Protection::Never {
            return Err(Refused::Never(path.clone()).into());
        }
        if self.git_folders.contain(path) || in_git_folder(&self.workspace, path) {
            return Err(Refused::GitFolder(path.clone()).into());
        }
        let keys = self.keys(path);
        let Writable { write, delete, created, .. } = &self.writable;
        let listed = |list: &BTreeSet<RepoPath>| find_in(list, &keys, path).is_some();
        if !self.writable.lists(&keys, path) {
            return Err(Refused::Elsewhere { path: path.clone(), allowed: self.writable.words() }.into());
        }
        if to_write && !listed(write) {
            return Err(Refused::ForDeletion(path.clone()).into());
        }
        if !to_write && !listed(delete) && !listed(created) {
            return Err(Refused::NotForDeletion(path.clone()).into());
        }
        if protection == Protection::NeedsApproval && !self.writable.approved_protected {
            return Err(Refused::Protected(path.clone()).into());
        }
        let own = self.entry_of(&keys, path).unwrap_or_else(|| {
            let asked = find_in(&self.writable.write, &keys, path).filter(|_| to_write).unwrap_or(path);
            self.workspace.on_disk(asked)
        });
        self.check_path_is_free(&own, to_write)?;
        Ok(own)
    }

    /// Checks whether the file can be created there, given what the task has deleted and created so far.
    fn check_path_is_free(&self, path: &RepoPath, to_write: bool) -> Result<(), StagingError> {
        let is_below = |one: &RepoPath, other: &RepoPath| {
            one.as_str().strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let made = |entry: &&Entry| {
            let made = matches!(entry.staged, Some(Staged::Content(_)));
            made && (is_below(path, &entry.path) || is_below(&entry.path, path))
        };
        if let Some(made) = self.entries.values().find(made).filter(|_| to_write) {
            return Err(Refused::InTheWay { path: path.clone(), what: made.path.clone() }.into());
        }
        match self.workspace.path_kind(path) {
            PathKind::File | PathKind::Nothing => Ok(()),
            PathKind::Unwritable(why) => match self.workspace.check_in_place(path) {
                Err(WorkspaceError::Link(path)) => Err(Refused::Link(path).into()),
                _ => Err(Refused::Unwritable(why).into()),
            },
            PathKind::Folder | PathKind::BelowFile(_) => {
                let is_removed = |path: &RepoPath| {
                    self.entries
                        .values()
                        .any(|entry| entry.path == *path && matches!(entry.staged, Some(Staged::Deleted)))
                };
                match blocking_path(&self.workspace, path, &is_removed)? {
                    Some(what) if to_write => Err(Refused::InTheWay { path: path.clone(), what }.into()),
                    _ => Ok(()),
                }
            }
        }
    }
}
