//! The changes of one task, overlaid on the working tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::contracts::{ChangeType, FileKeys, PathKind, RepoPath};
use crate::workspace::access::{Refused, readable, refused_by_name};
use crate::workspace::path_state::{blocking_path, read_exact};
use crate::workspace::protect::{GitFolders, Protection, in_git_folder, is_secret, is_secret_text, protection};
use crate::workspace::text_file::new_file;
use crate::workspace::{CannotEncode, FileState, Interrupt, NotText, Owner, TextFile, Workspace, WorkspaceError};

/// What a task may write, fixed when its plan was approved.
#[derive(Debug, Clone, Default)]
pub struct Writable {
    /// Files it may create or modify.
    pub write: BTreeSet<RepoPath>,
    /// Files it may delete.
    pub delete: BTreeSet<RepoPath>,
    /// Whether a person approved the very plan that lists them, protected files among them.
    pub approved_protected: bool,
}

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

#[derive(Debug, Clone)]
struct Entry {
    /// Its name on disk, or the one it will have.
    path: RepoPath,
    /// Where it was moved from: its format, permission bits and owner stay those of that file.
    origin: Option<Origin>,
    /// Whether its content was moved here and never read.
    unread: bool,
    /// Its new name, if only the case changes and the disk folds case.
    moved_to: Option<RepoPath>,
    /// The file on disk when the task last read it before its first change; `None` if there was none.
    base: Option<FileState>,
    staged: Option<Staged>,
}

/// The file that another one was made of by a move.
#[derive(Debug, Clone)]
struct Origin {
    path: RepoPath,
    base: FileState,
}

#[derive(Debug, Clone)]
enum Staged {
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
        let moved_to = self.moved_to(&keys, path);
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

    /// Deletes a file that the plan lists for deletion, or that the task created.
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

    fn check(&self, path: &RepoPath, to_write: bool) -> Result<RepoPath, StagingError> {
        let protection = protection(path, &self.memory_dir);
        if protection == Protection::Never {
            return Err(Refused::Never(path.clone()).into());
        }
        if self.git_folders.contain(path) || in_git_folder(&self.workspace, path) {
            return Err(Refused::GitFolder(path.clone()).into());
        }
        let keys = self.keys(path);
        let listed = |list: &BTreeSet<RepoPath>| find_in(list, &keys, path).is_some();
        if !self.writable.lists(&keys, path) || (to_write && !listed(&self.writable.write)) {
            return Err(Refused::Elsewhere { path: path.clone(), allowed: self.allowed() }.into());
        }
        if !to_write && !listed(&self.writable.delete) {
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

    /// The new name of a file that exists in another case: if the plan deletes the one name and writes the other, and
    /// the disk has one file for both.
    fn moved_to(&self, keys: &FileKeys, path: &RepoPath) -> Option<RepoPath> {
        let real = self.workspace.on_disk(path);
        let is_removed = self
            .writable
            .delete
            .iter()
            .any(|gone| gone.file_name() == real.file_name() && keys.key(gone) == keys.key(path));
        let listed = self.writable.write.iter().filter(|to| keys.key(to) == keys.key(path));
        let to = listed.map(RepoPath::file_name).find(|name| *name != real.file_name()).filter(|_| is_removed)?;
        let moved = real.parent().map_or_else(|| to.to_owned(), |parent| format!("{parent}/{to}"));
        RepoPath::parse(&moved).ok()
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

/// The entry of a list for a file: the exact name if it is listed.
fn find_in<'a>(list: &'a BTreeSet<RepoPath>, keys: &FileKeys, path: &RepoPath) -> Option<&'a RepoPath> {
    let key = keys.key(path);
    list.get(path).or_else(|| list.iter().find(|entry| keys.key(entry) == key))
}

impl Writable {
    fn lists(&self, keys: &FileKeys, path: &RepoPath) -> bool {
        find_in(&self.write, keys, path).is_some() || find_in(&self.delete, keys, path).is_some()
    }
}

impl Staged {
    fn content(&self) -> Option<&[u8]> {
        match self {
            Self::Content(bytes) => Some(bytes),
            Self::Deleted => None,
        }
    }
}

impl Entry {
    fn new(path: RepoPath, base: Option<FileState>) -> Self {
        Self { path, origin: None, unread: false, moved_to: None, base, staged: None }
    }

    /// The changes of a file: none, one, or for a rename a deletion and a creation.
    fn changes(&self) -> Vec<StagedChange> {
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

mod moving;

#[cfg(test)]
mod tests;
