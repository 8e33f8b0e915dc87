//! Giving a file of the task another name: it is deleted there and created here, and keeps its bytes, format, permission bits
//! and owner.

use super::entry::{Entry, Origin, Staged};
use super::writable::in_another_case;
use super::{Staging, StagingError};
use crate::contracts::{FileKeys, PathKind, RepoPath};
use crate::workspace::access::Refused;
use crate::workspace::{FileState, TextFile};

impl Staging {
    /// Moves a file that the plan lists to be deleted, or that the task created, in this round or before, to a name that the plan lists to be written
    /// and that is free. Returns both names. After an error nothing is moved.
    ///
    /// # Errors
    /// When the task may not delete the one or write the other, or there is nothing to move, or something in its way.
    pub fn move_file(&mut self, from: &RepoPath, to: &RepoPath) -> Result<(RepoPath, RepoPath), StagingError> {
        let moved = self.try_move(from, to);
        self.record_refusal(moved)
    }

    fn try_move(&mut self, from: &RepoPath, to: &RepoPath) -> Result<(RepoPath, RepoPath), StagingError> {
        let same = || Refused::SameFile { from: from.clone(), to: to.clone() };
        if from == to {
            return Err(same().into());
        }
        let listed = self.writable.write.iter().chain(&self.writable.delete);
        let keys = self.workspace.file_keys(listed.chain(self.entries.keys()).chain([from, to]));
        let source = self.source(&keys, from)?;
        if keys.key(from) == keys.key(to) {
            return self.change_case(&source, to).ok_or_else(|| same().into());
        }
        let before = self.entries.clone();
        let moved = self.take_out(&source).and_then(|(bytes, origin, unread)| {
            let target = self.check(to, true)?;
            self.put_in(target, bytes, origin, unread)
        });
        match moved {
            Ok(target) => Ok((source, target)),
            Err(error) => {
                self.entries = before;
                Err(error)
            }
        }
    }

    /// The entry of a file that may leave its place.
    fn source(&mut self, keys: &FileKeys, from: &RepoPath) -> Result<RepoPath, StagingError> {
        if let Some(known) = self.entry_of(keys, from)
            && let Some(Entry { base: None, staged: Some(Staged::Content(_)), .. }) = self.entries.get(&known)
        {
            return Ok(known);
        }
        let source = self.check(from, false)?;
        if !self.entries.contains_key(&source) {
            if self.workspace.path_kind(&source) == PathKind::Folder {
                return Err(Refused::Folder(source).into());
            }
            let base = self.in_place(&source)?;
            if self.holds_secrets(&source, base.as_ref()) {
                return Err(Refused::Secret(source).into());
            }
            let entry = Entry { unread: true, ..Entry::new(source.clone(), base) };
            self.entries.insert(source.clone(), entry);
        }
        Ok(source)
    }

    /// The content of a file, which is gone from its place then.
    fn take_out(&mut self, source: &RepoPath) -> Result<(Vec<u8>, Option<Origin>, bool), StagingError> {
        let missing = || StagingError::from(Refused::Missing(source.clone()));
        let entry = self.entries.get_mut(source).ok_or_else(missing)?;
        let bytes = match (&entry.staged, &entry.base) {
            (Some(Staged::Content(bytes)), _) => bytes.clone(),
            (None, Some(base)) => base.bytes.clone(),
            (Some(Staged::Deleted), _) | (None, None) => return Err(missing()),
        };
        let unread = entry.unread;
        let own = entry.base.clone().map(|base| Origin { path: entry.path.clone(), base });
        let origin = entry.origin.take().or(own);
        if entry.base.is_some() {
            entry.staged = Some(Staged::Deleted);
            (entry.moved_to, entry.unread) = (None, false);
        } else {
            self.entries.remove(source);
        }
        Ok((bytes, origin, unread))
    }

    /// Put a content where nothing is.
    fn put_in(
        &mut self,
        target: RepoPath,
        bytes: Vec<u8>,
        origin: Option<Origin>,
        unread: bool,
    ) -> Result<RepoPath, StagingError> {
        let exists = || StagingError::from(Refused::Exists(target.clone()));
        let base = match self.entries.get(&target) {
            Some(Entry { staged: Some(Staged::Deleted), base, .. }) => base.clone(),
            Some(Entry { staged: None, base: None, .. }) => None,
            Some(_) => return Err(exists()),
            None if self.in_place(&target)?.is_some() => return Err(exists()),
            None => None,
        };
        // Back in its old place a file is what it was.
        let origin = origin.filter(|origin| origin.path != target);
        let staged = Some(Staged::Content(bytes));
        let entry = Entry { path: target.clone(), origin, unread, moved_to: None, base, staged };
        self.entries.insert(target.clone(), entry);
        Ok(target)
    }

    /// Another case of the name of a file, where the disk has one file for both; `None` where the name stays.
    fn change_case(&mut self, source: &RepoPath, to: &RepoPath) -> Option<(RepoPath, RepoPath)> {
        let named = in_another_case(source, to).filter(|_| self.writable.write.contains(to))?;
        let mut entry = self.entries.remove(source)?;
        if let Some(base) = &entry.base {
            if entry.staged.is_none() {
                entry.staged = Some(Staged::Content(base.bytes.clone()));
            }
            entry.moved_to = Some(named.clone());
            self.entries.insert(source.clone(), entry);
        } else {
            entry.path = named.clone();
            self.entries.insert(named.clone(), entry);
        }
        Some((source.clone(), named))
    }

    /// Bytes that were moved follow the format in which an editor has saved the file they came from.
    pub(super) fn follow_origins(&mut self) -> Result<(), StagingError> {
        let saved: Vec<(RepoPath, FileState)> =
            self.entries.values().filter_map(|entry| Some((entry.path.clone(), entry.base.clone()?))).collect();
        for entry in self.entries.values_mut() {
            let (Some(origin), Some(Staged::Content(bytes))) = (&mut entry.origin, &entry.staged) else { continue };
            let Some((_, disk)) = saved.iter().find(|(path, _)| *path == origin.path) else { continue };
            let (Ok(file), Ok(format)) = (TextFile::decode(bytes), TextFile::decode(&disk.bytes)) else { continue };
            if disk.sha256 == origin.base.sha256 {
                continue;
            }
            let encoded = format.encode(file.text());
            let bytes = encoded.map_err(|source| StagingError::Encode { path: entry.path.clone(), source })?;
            entry.staged = Some(Staged::Content(bytes));
            origin.base = disk.clone();
        }
        Ok(())
    }
}
