//! What one task has changed so far, laid over the working tree.

use std::collections::{BTreeMap, BTreeSet};

use super::access::{Refused, guarded, readable};
use super::protect::{Protection, is_secret, protection};
use super::{CannotEncode, FileState, NotText, TextFile, Workspace, WorkspaceError};
use crate::contracts::{ChangeType, RepoPath};

/// What a task may write, frozen when its plan was approved.
#[derive(Debug, Clone, Default)]
pub struct Writable {
    /// Files it may create or modify.
    pub write: BTreeSet<RepoPath>,
    /// Files it may delete.
    pub delete: BTreeSet<RepoPath>,
    /// Whether a person approved the very plan that lists them, protected files among them.
    pub approved_protected: bool,
}

/// One task's overlay. Nothing of it is on disk until it is [published](super::publish()).
#[derive(Debug)]
pub struct Staging {
    workspace: Workspace,
    task: String,
    writable: Writable,
    memory_dir: RepoPath,
    /// The task's own files, by [`RepoPath::key`].
    owned: BTreeMap<String, RepoPath>,
    entries: BTreeMap<String, Entry>,
    refusals: Vec<Refused>,
}

#[derive(Debug)]
struct Entry {
    path: RepoPath,
    /// What was on disk when the task last looked before its first change; `None`: no such file.
    base: Option<FileState>,
    staged: Option<Staged>,
}

#[derive(Debug)]
enum Staged {
    Content(Vec<u8>),
    Deleted,
}

/// One file as a task leaves it.
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
    /// Permission bits to give it.
    pub mode: u32,
}

/// Why a read or a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// It is not allowed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The disk says no.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The file on disk is binary; agents change text only.
    #[error("{0} is binary; only text files are changed")]
    Binary(RepoPath),
    /// The file cannot hold the text.
    #[error("{path}: {source}")]
    Encode {
        /// The file.
        path: RepoPath,
        /// What it cannot hold.
        source: CannotEncode,
    },
}

impl Staging {
    /// An empty overlay for a task.
    pub fn new(workspace: Workspace, task: impl Into<String>, writable: Writable, memory_dir: RepoPath) -> Self {
        let owned = writable.write.iter().chain(&writable.delete).map(|path| (path.key(), path.clone())).collect();
        let task = task.into();
        Self { workspace, task, writable, memory_dir, owned, entries: BTreeMap::new(), refusals: Vec::new() }
    }

    /// The task whose overlay this is.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// A file's bytes as the task sees them; `None` when there is no such file. Of the task's own files, what is on
    /// disk becomes the base of its changes, until the first change.
    ///
    /// # Errors
    /// When it may not or cannot be read.
    pub fn read(&mut self, path: &RepoPath) -> Result<Option<Vec<u8>>, StagingError> {
        let key = path.key();
        if let Some(staged) = self.entries.get(&key).and_then(|entry| entry.staged.as_ref()) {
            return Ok(match staged {
                Staged::Content(bytes) => Some(bytes.clone()),
                Staged::Deleted => None,
            });
        }
        let Some(owned) = self.owned.get(&key).cloned() else {
            return match readable(&self.workspace, path, &self.memory_dir)?? {
                Some(real) => Ok(self.workspace.read_open(&real)?.map(|state| state.bytes)),
                None => Ok(None),
            };
        };
        // What the plan lists is read even if git ignores it.
        let asked = [Some(owned.clone()), self.workspace.real_path(&owned)?];
        if let Some(refused) = asked.iter().flatten().find_map(|place| guarded(place, &owned, &self.memory_dir)) {
            return Err(refused.into());
        }
        let base = self.workspace.read_open(&owned)?;
        let bytes = base.as_ref().map(|state| state.bytes.clone());
        self.entries.insert(key, Entry { path: owned, base, staged: None });
        Ok(bytes)
    }

    /// The files the task has changed so far, with their new bytes; `None` for a deleted one.
    pub fn overlay(&self) -> impl Iterator<Item = (&RepoPath, Option<&[u8]>)> {
        self.entries.values().filter_map(|entry| match entry.staged.as_ref()? {
            Staged::Content(bytes) => Some((&entry.path, Some(bytes.as_slice()))),
            Staged::Deleted => Some((&entry.path, None)),
        })
    }

    /// Whether the task may write this file; the path as the plan spells it is answered. A refusal is remembered.
    ///
    /// # Errors
    /// The refusal.
    pub fn may_write(&mut self, path: &RepoPath) -> Result<RepoPath, StagingError> {
        let checked = self.check(path, true);
        self.remember(checked)
    }

    /// Give a file new content. An existing file must have been read.
    ///
    /// # Errors
    /// When it is not the task's to write, was not read, is binary or cannot hold the text.
    pub fn write(&mut self, path: &RepoPath, text: &str) -> Result<(), StagingError> {
        let path = self.may_write(path)?;
        let key = path.key();
        if !self.entries.contains_key(&key) {
            let exists = self.in_place(&path)?.is_some();
            if exists {
                let refused = if is_secret(&path) { Refused::Secret(path) } else { Refused::NotRead(path) };
                return self.remember(Err(refused.into()));
            }
            self.entries.insert(key.clone(), Entry { path: path.clone(), base: None, staged: None });
        }
        let Some(entry) = self.entries.get_mut(&key) else { return Ok(()) };
        let manner = match &entry.base {
            Some(base) => TextFile::decode(&base.bytes).map_err(|NotText| StagingError::Binary(path.clone()))?,
            None => TextFile::empty(),
        };
        let bytes = manner.encode(text).map_err(|source| StagingError::Encode { path, source })?;
        entry.staged = Some(Staged::Content(bytes));
        Ok(())
    }

    /// Delete a file that the plan lists to be deleted, or that the task itself created.
    ///
    /// # Errors
    /// When it is not the task's to delete or does not exist.
    pub fn delete(&mut self, path: &RepoPath) -> Result<(), StagingError> {
        let key = path.key();
        let created = self
            .entries
            .get(&key)
            .is_some_and(|entry| entry.base.is_none() && matches!(entry.staged, Some(Staged::Content(_))));
        if created {
            self.entries.remove(&key);
            return Ok(());
        }
        let checked = self.check(path, false);
        let path = self.remember(checked)?;
        if is_secret(&path) {
            return self.remember(Err(Refused::Secret(path).into()));
        }
        if !self.entries.contains_key(&key) {
            let base = self.in_place(&path)?;
            self.entries.insert(key.clone(), Entry { path: path.clone(), base, staged: None });
        }
        match self.entries.get_mut(&key) {
            Some(entry) if entry.base.is_some() && !matches!(entry.staged, Some(Staged::Deleted)) => {
                entry.staged = Some(Staged::Deleted);
                Ok(())
            }
            _ => Err(Refused::Missing(path).into()),
        }
    }

    /// What the task changed, in the order of the paths. A file that is as it was is no change.
    pub fn changes(&self) -> Vec<StagedChange> {
        let mut changes: Vec<StagedChange> = self.entries.values().filter_map(Entry::change).collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    /// Take for the base what is on disk now, where it is the same text: an editor saves in its own manner, and what
    /// the task did to the text it read is done to the text that is there.
    ///
    /// # Errors
    /// When a file cannot be read, or cannot hold the text any more.
    pub fn follow_saved(&mut self) -> Result<(), StagingError> {
        for entry in self.entries.values_mut() {
            let (Some(base), Some(staged)) = (&entry.base, &entry.staged) else { continue };
            let Some(disk) = self.workspace.read_in_place(&entry.path)? else { continue };
            if disk.sha256 == base.sha256 {
                continue;
            }
            let (Ok(was), Ok(manner)) = (TextFile::decode(&base.bytes), TextFile::decode(&disk.bytes)) else {
                continue;
            };
            if was.text() != manner.text() {
                continue;
            }
            if let Staged::Content(bytes) = staged {
                let Ok(file) = TextFile::decode(bytes) else { continue };
                let encoded = manner.encode(file.text());
                let bytes = encoded.map_err(|source| StagingError::Encode { path: entry.path.clone(), source })?;
                entry.staged = Some(Staged::Content(bytes));
            }
            entry.base = Some(disk);
        }
        Ok(())
    }

    /// What was refused to the task and a person should know, each once.
    pub fn refusals(&self) -> &[Refused] {
        &self.refusals
    }

    /// The file in its real place, as an editor has it open.
    fn in_place(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        self.workspace.overlaid(path, self.workspace.read_in_place(path)?)
    }

    fn check(&self, path: &RepoPath, to_write: bool) -> Result<RepoPath, StagingError> {
        let protection = protection(path, &self.memory_dir);
        if protection == Protection::Never {
            return Err(Refused::Never(path.clone()).into());
        }
        let Some(owned) = self.owned.get(&path.key()) else {
            return Err(Refused::Elsewhere { path: path.clone(), allowed: self.allowed() }.into());
        };
        let listed = |list: &BTreeSet<RepoPath>| list.iter().any(|entry| entry.key() == path.key());
        if to_write && !listed(&self.writable.write) {
            return Err(Refused::Elsewhere { path: path.clone(), allowed: self.allowed() }.into());
        }
        if !to_write && !listed(&self.writable.delete) {
            return Err(Refused::NotForDeletion(path.clone()).into());
        }
        if protection == Protection::NeedsApproval && !self.writable.approved_protected {
            return Err(Refused::Protected(path.clone()).into());
        }
        match self.workspace.check_in_place(owned) {
            Err(WorkspaceError::Link(path)) => Err(Refused::Link(path).into()),
            other => other.map(|()| owned.clone()).map_err(Into::into),
        }
    }

    fn allowed(&self) -> String {
        const SHOWN: usize = 20;
        if self.writable.write.is_empty() {
            return "no file".to_owned();
        }
        let mut names: Vec<&str> = self.writable.write.iter().take(SHOWN).map(RepoPath::as_str).collect();
        if self.writable.write.len() > SHOWN {
            names.push("…");
        }
        format!("only {}", names.join(", "))
    }

    fn remember<T>(&mut self, outcome: Result<T, StagingError>) -> Result<T, StagingError> {
        if let Err(StagingError::Refused(refused)) = &outcome
            && refused.is_blocker()
            && !self.refusals.contains(refused)
        {
            self.refusals.push(refused.clone());
        }
        outcome
    }
}

impl Entry {
    fn change(&self) -> Option<StagedChange> {
        // A new file is readable by all, as git would check it out.
        let mode = self.base.as_ref().map_or(0o644, |base| base.mode);
        let (change_type, after) = match (&self.base, self.staged.as_ref()?) {
            (None, Staged::Content(bytes)) => (ChangeType::Created, Some(bytes.clone())),
            (Some(base), Staged::Content(bytes)) if base.bytes != *bytes => (ChangeType::Modified, Some(bytes.clone())),
            (Some(_), Staged::Deleted) => (ChangeType::Deleted, None),
            _ => return None,
        };
        Some(StagedChange { path: self.path.clone(), change_type, before: self.base.clone(), after, mode })
    }
}

#[cfg(test)]
#[path = "staging_tests.rs"]
mod tests;
