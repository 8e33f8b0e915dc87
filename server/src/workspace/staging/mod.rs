//! The changes of one task, overlaid on the working tree.

mod check;
mod entry;
mod moving;
pub(super) mod take_over;
mod writable;

use std::collections::BTreeMap;

pub use self::entry::StagedChange;
use self::entry::{Entry, Staged};
pub use self::writable::Writable;
use crate::contracts::{FileKeys, RepoPath};
use crate::workspace::access::{Refused, readable, refused_by_name};
use crate::workspace::path_state::read_exact;
use crate::workspace::protect::{GitFolders, is_secret, is_secret_text};
use crate::workspace::text_file::new_file;
use crate::workspace::{CannotEncode, FileState, Interrupt, NotText, TextFile, Workspace, WorkspaceError};

/// One task's overlay. Nothing of it is on disk until it is [published](crate::workspace::publish()).
#[derive(Debug, Clone)]
pub struct Staging {
    workspace: Workspace,
    task: String,
    writable: Writable,
    memory_dir: RepoPath,
    /// Folders that are repositories, or would be with the plan's files.
    git_folders: GitFolders,
    /// The files that the task has read or changed, by their names on disk.
    entries: BTreeMap<RepoPath, Entry>,
    refusals: Vec<Refused>,
}

/// Why a read or write failed.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    /// It is not allowed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The file cannot be read or written.
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
        /// Why.
        source: CannotEncode,
    },
}

impl Staging {
    /// Creates an empty overlay for a task.
    pub fn new(workspace: Workspace, task: impl Into<String>, writable: Writable, memory_dir: RepoPath) -> Self {
        let task = task.into();
        let git_folders = GitFolders::of(&workspace, &writable.write);
        let (entries, refusals) = (BTreeMap::new(), Vec::new());
        Self { workspace, task, writable, memory_dir, git_folders, entries, refusals }
    }

    /// For one of several tasks: no file is written that would, together with those of the others, make a folder a
    /// repository.
    #[must_use]
    pub fn beside(mut self, git_folders: GitFolders) -> Self {
        self.git_folders = self.git_folders.union(git_folders);
        self
    }

    /// The files that the plan lists for the task.
    pub fn own_files(&self) -> impl Iterator<Item = &RepoPath> {
        self.writable.write.iter().chain(&self.writable.delete)
    }

    /// What the task may write.
    pub fn writable(&self) -> &Writable {
        &self.writable
    }

    /// The task whose overlay this is.
    pub fn task(&self) -> &str {
        &self.task
    }

    /// Reads a file as the task sees it; `None` if there is no such file. For the task's own files, the content on disk
    /// becomes the base of its changes, until the first change.
    ///
    /// # Errors
    /// When it may not be read or cannot be read.
    pub fn read(&mut self, path: &RepoPath) -> Result<Option<Vec<u8>>, StagingError> {
        let keys = self.keys(path);
        let known = self.entry_of(&keys, path);
        if let Some(entry) = known.and_then(|known| self.entries.get_mut(&known))
            && let Some(staged) = &entry.staged
        {
            entry.unread = false;
            return Ok(staged.content().map(<[u8]>::to_vec));
        }
        if !self.writable.lists(&keys, path) {
            return match readable(&self.workspace, path, &self.memory_dir)?? {
                Some(real) => Ok(self.workspace.read_open(&real)?.map(|state| state.bytes)),
                None => Ok(None),
            };
        }
        let own = self.workspace.on_disk(path);
        // Files of the plan are read even if git ignores them.
        let asked = [Some(own.clone()), self.workspace.real_path(&own)?];
        if let Some(refused) = asked.iter().flatten().find_map(|place| refused_by_name(place, &own, &self.memory_dir)) {
            return Err(refused.into());
        }
        let base = self.workspace.read_open(&own)?;
        if self.holds_secrets(&own, base.as_ref()) {
            return Err(Refused::Secret(own).into());
        }
        let bytes = base.as_ref().map(|state| state.bytes.clone());
        self.entries.insert(own.clone(), Entry::new(own, base));
        Ok(bytes)
    }

    /// Takes back that the task has read a file; nothing if it has changed it.
    pub fn forget(&mut self, path: &RepoPath) {
        let keys = self.keys(path);
        if let Some(known) = self.entry_of(&keys, path)
            && self.entries.get(&known).is_some_and(|entry| entry.staged.is_none())
        {
            self.entries.remove(&known);
        }
    }

    /// The files that the task has read and not changed.
    pub fn read_files(&self) -> Vec<RepoPath> {
        let read = self.entries.values().filter(|entry| entry.staged.is_none() && entry.base.is_some());
        read.map(|entry| entry.path.clone()).collect()
    }

    /// The same overlay before anything was read or changed. Refusals stay.
    #[must_use]
    pub fn without_edits(&self) -> Self {
        Self { entries: BTreeMap::new(), ..self.clone() }
    }

    /// Whether the plan lists a file for the task.
    pub fn is_own(&self, path: &RepoPath) -> bool {
        self.writable.lists(&self.keys(path), path)
    }

    /// The name under which the task has read a file.
    fn entry_of(&self, keys: &FileKeys, path: &RepoPath) -> Option<RepoPath> {
        let key = keys.key(path);
        let exact = self.entries.get_key_value(path).map(|(name, _)| name);
        exact.or_else(|| self.entries.keys().find(|name| keys.key(name) == key)).cloned()
    }

    /// Which of the task's own files, its changed files and this one are the same.
    fn keys(&self, path: &RepoPath) -> FileKeys {
        let listed = self.writable.write.iter().chain(&self.writable.delete);
        self.workspace.file_keys(listed.chain(self.entries.keys()).chain([path]))
    }

    /// The files the task has changed so far, with their new bytes; `None` for a deleted one.
    pub fn overlay(&self) -> impl Iterator<Item = (&RepoPath, Option<&[u8]>)> {
        self.entries.values().flat_map(|entry| {
            let (old, new) = match (&entry.staged, &entry.moved_to) {
                (None, _) => (None, None),
                (Some(Staged::Deleted), _) => (Some((&entry.path, None)), None),
                (Some(Staged::Content(bytes)), None) => (None, Some((&entry.path, Some(bytes.as_slice())))),
                (Some(Staged::Content(bytes)), Some(to)) => {
                    (Some((&entry.path, None)), Some((to, Some(bytes.as_slice()))))
                }
            };
            old.into_iter().chain(new)
        })
    }

    /// Checks whether the task may write this file, and returns its name on disk. A refusal is recorded.
    ///
    /// # Errors
    /// The refusal.
    pub fn may_write(&mut self, path: &RepoPath) -> Result<RepoPath, StagingError> {
        let checked = self.check(path, true);
        self.record_refusal(checked)
    }

    /// Writes a file. An existing file has to be read first.
    ///
    /// # Errors
    /// When the task may not write it, or it was not read, is binary or cannot hold the text.
    pub fn write(&mut self, path: &RepoPath, text: &str) -> Result<(), StagingError> {
        self.write_until(path, text, &Interrupt::never())
    }

    /// [`write`](Self::write), unless interrupted.
    ///
    /// # Errors
    /// As [`write`](Self::write), or when interrupted: the file is then unchanged.
    pub fn write_until(&mut self, path: &RepoPath, text: &str, interrupt: &Interrupt) -> Result<(), StagingError> {
        let keys = self.keys(path);
        let moved_to = self.writable.renamed_in_case(&keys, path, &self.workspace.on_disk(path));
        let path = self.may_write(path)?;
        if !self.entries.contains_key(&path) {
            let base = self.in_place(&path)?;
            if base.is_some() {
                let is_secret = self.holds_secrets(&path, base.as_ref());
                let refused = if is_secret { Refused::Secret(path) } else { Refused::NotRead(path) };
                return self.record_refusal(Err(refused.into()));
            }
            self.entries.insert(path.clone(), Entry::new(path.clone(), None));
        }
        let Some(entry) = self.entries.get_mut(&path) else { return Ok(()) };
        if entry.unread {
            return Err(Refused::NotRead(path).into());
        }
        let earlier = entry.staged.as_ref().and_then(Staged::content);
        let encoded = match entry.origin.as_ref().map(|origin| &origin.base).or(entry.base.as_ref()) {
            Some(base) => TextFile::decode(&base.bytes)
                .map_err(|NotText| StagingError::Binary(path.clone()))?
                .encode_until(text, interrupt),
            None => new_file::encode(&self.workspace, &path, earlier, text, interrupt),
        };
        let bytes = encoded.map_err(|source| StagingError::Encode { path, source })?;
        entry.moved_to = moved_to.filter(|to| *to != entry.path && entry.base.is_some()).or(entry.moved_to.take());
        entry.staged = Some(Staged::Content(bytes));
        Ok(())
    }

    /// Deletes a file that the plan lists for deletion, or that the task created, in this round or before.
    ///
    /// # Errors
    /// When the task may not delete it, or it does not exist.
    pub fn delete(&mut self, path: &RepoPath) -> Result<(), StagingError> {
        let keys = self.keys(path);
        let known = self.entry_of(&keys, path).and_then(|known| self.entries.get(&known));
        let staged = known.filter(|entry| matches!(entry.staged, Some(Staged::Content(_))));
        match staged.map(|entry| (&entry.base, &entry.moved_to)) {
            Some((None, _)) => {
                let made = staged.map(|entry| entry.path.clone());
                made.and_then(|made| self.entries.remove(&made));
                return Ok(());
            }
            // It was renamed, so the old name is already gone.
            Some((_, Some(to))) if to.file_name() != path.file_name() => return Ok(()),
            _ => {}
        }
        let checked = self.check(path, false);
        let path = self.record_refusal(checked)?;
        if !self.entries.contains_key(&path) {
            let base = self.in_place(&path)?;
            // Deleted content is shown to a reviewer.
            if self.holds_secrets(&path, base.as_ref()) {
                return self.record_refusal(Err(Refused::Secret(path).into()));
            }
            self.entries.insert(path.clone(), Entry::new(path.clone(), base));
        }
        match self.entries.get_mut(&path) {
            Some(entry) if entry.base.is_some() && !matches!(entry.staged, Some(Staged::Deleted)) => {
                entry.staged = Some(Staged::Deleted);
                Ok(())
            }
            _ => Err(Refused::Missing(path).into()),
        }
    }

    /// The task's changes, sorted by path, without files that are unchanged.
    pub fn changes(&self) -> Vec<StagedChange> {
        let mut changes: Vec<StagedChange> = self.entries.values().flat_map(Entry::changes).collect();
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        changes
    }

    /// Rebases onto what is on disk where it has the same text: an editor may save in a different format, and the
    /// task's changes are then applied to the saved file.
    ///
    /// # Errors
    /// When a file cannot be read, or cannot hold the text in its new encoding.
    pub fn follow_saved(&mut self) -> Result<(), StagingError> {
        for entry in self.entries.values_mut() {
            let (Some(base), Some(staged)) = (&entry.base, &entry.staged) else { continue };
            let Some(disk) = self.workspace.read_in_place(&entry.path)? else { continue };
            if disk.sha256 == base.sha256 {
                continue;
            }
            let (Ok(was), Ok(format)) = (TextFile::decode(&base.bytes), TextFile::decode(&disk.bytes)) else {
                continue;
            };
            if was.text() != format.text() {
                continue;
            }
            if let Staged::Content(bytes) = staged {
                let Ok(file) = TextFile::decode(bytes) else { continue };
                let encoded = format.encode(file.text());
                let bytes = encoded.map_err(|source| StagingError::Encode { path: entry.path.clone(), source })?;
                entry.staged = Some(Staged::Content(bytes));
            }
            entry.base = Some(disk);
        }
        self.follow_origins()
    }

    /// The refusals to report to the user, each once.
    pub fn refusals(&self) -> &[Refused] {
        &self.refusals
    }

    /// The file at its real path, with unsaved changes in the editor.
    fn in_place(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        self.workspace.with_unsaved_text(path, read_exact(&self.workspace, path)?)
    }

    /// Whether a file is a secret by its name, by another of its names, or by content.
    fn holds_secrets(&self, path: &RepoPath, base: Option<&FileState>) -> bool {
        is_secret(path)
            || self.workspace.is_secret_by_link(path)
            || base.is_some_and(|base| is_secret_text(&base.bytes))
    }

    fn record_refusal<T>(&mut self, outcome: Result<T, StagingError>) -> Result<T, StagingError> {
        if let Err(StagingError::Refused(refused)) = &outcome
            && refused.is_blocker()
            && !self.refusals.contains(refused)
        {
            self.refusals.push(refused.clone());
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
