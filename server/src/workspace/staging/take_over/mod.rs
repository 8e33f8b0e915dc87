//! Taking over what a worker on another machine made of a task's files.
//!
//! It built on a copy in which secrets are masked, and nobody here saw what it did: each change goes through the checks that
//! an agent here goes through, and counts only if the file is still what the worker built on.

use super::entry::{Entry, Origin, Staged};
use super::writable::in_another_case;
use super::{Staging, StagingError};
use crate::contracts::RepoPath;
use crate::workspace::access::Refused;
use crate::workspace::text_file::TextFile;
use crate::workspace::tree::{AsSent, Keys, as_sent, with_secrets_back};
use crate::workspace::{FileState, MAX_FILE_BYTES, sha256};

/// What a worker made of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The file.
    pub path: RepoPath,
    /// SHA-256 of what the worker built on, as the manifest has it; `None` if there was no such file.
    pub base: Option<String>,
    /// The new bytes; `None` for a deleted file.
    pub after: Option<Vec<u8>>,
    /// The file that it was made of by a move. That one has a change of its own.
    pub moved_from: Option<RepoPath>,
}

/// Why a change is not taken over. Nothing of it is staged then.
#[derive(Debug, thiserror::Error)]
pub enum TakeOver {
    /// The file is not what the worker built on.
    #[error("{0} is not what the worker built on: it was changed here meanwhile; have the task done again")]
    Changed(RepoPath),
    /// The change is none that an agent here could make.
    #[error("the change of {path} is refused: {why}")]
    Refused {
        /// The file.
        path: RepoPath,
        /// Why.
        why: String,
    },
    /// The task may not make it, or the file cannot be read or written.
    #[error(transparent)]
    Staging(#[from] StagingError),
}

impl Staging {
    /// The task's changes as they are returned to whoever sent the tree, in the order in which they are taken over:
    /// what is deleted first.
    pub fn returned(&self) -> Vec<Returned> {
        let changes = self.entries.values().flat_map(|entry| {
            let origin = entry.origin.as_ref().map(|origin| origin.path.clone());
            entry.changes().into_iter().map(move |change| Returned {
                moved_from: change.moved_from.or_else(|| origin.clone()).filter(|_| change.after.is_some()),
                base: change.before.map(|before| before.sha256),
                path: change.path,
                after: change.after,
            })
        });
        let mut changes: Vec<Returned> = changes.collect();
        changes.sort_by(|a, b| (a.after.is_some(), &a.path).cmp(&(b.after.is_some(), &b.path)));
        changes
    }

    /// The same as it may leave this machine: secrets are masked, as they are in the tree that is sent. What cannot be masked is
    /// left out.
    pub fn returned_as_sent(&self) -> Vec<Returned> {
        let keys = self.workspace.keys();
        let before = |path: &RepoPath, sha256: String| {
            let known = self.entries.values().filter_map(|entry| entry.base.as_ref());
            let is_it = |state: &&FileState| state.sha256 == sha256;
            known
                .into_iter()
                .find(is_it)
                .map_or(Some(sha256.clone()), |state| hash_as_sent(state, keys))
                .ok_or_else(|| path.clone())
        };
        let as_sent = |Returned { path, base, after, moved_from }: Returned| {
            let base = base.map(|base| before(&path, base)).transpose().ok()?;
            let after = match after.map(|bytes| (as_sent(&bytes, keys), bytes)) {
                None => None,
                Some((AsSent::Same, bytes)) => Some(bytes),
                Some((AsSent::Masked(masked), _)) => Some(masked),
                Some((AsSent::Never, _)) => return None,
            };
            Some(Returned { path, base, after, moved_from })
        };
        self.returned().into_iter().filter_map(as_sent).collect()
    }

    /// Takes over all that a worker returned, or nothing of it. A refusal is recorded.
    ///
    /// # Errors
    /// The first reason why a change is not taken over.
    pub fn take_over_all(&mut self, changes: impl IntoIterator<Item = Returned>) -> Result<(), TakeOver> {
        let before = self.entries.clone();
        let mut changes: Vec<Returned> = changes.into_iter().collect();
        changes.sort_by_key(|change| change.after.is_some());
        for change in changes {
            if let Err(error) = self.take_over(change) {
                self.entries = before;
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes over what a worker made of one file, as if an agent here had made it. What it deletes has to be taken over before
    /// what takes that place. A refusal is recorded.
    ///
    /// # Errors
    /// When the task may not make the change, the file is not what the worker built on, or the new content is none that an
    /// agent here could write.
    pub fn take_over(&mut self, change: Returned) -> Result<(), TakeOver> {
        let Returned { path, base, after, moved_from } = change;
        let checked = self.check(&path, after.is_some());
        let own = self.record_refusal(checked)?;
        let (Some(after), keys) = (after, self.keys(&path)) else {
            let base = self.unchanged(&own, base.as_deref())?;
            if base.is_none() {
                return Err(StagingError::from(Refused::Missing(own)).into());
            }
            let entry = Entry { staged: Some(Staged::Deleted), ..Entry::new(own.clone(), base) };
            self.entries.insert(own, entry);
            return Ok(());
        };
        if let Some(from) = &moved_from
            && keys.key(&path) == self.keys(from).key(from)
        {
            return self.take_over_case(&own, &path, after);
        }
        let moved_to = self.writable.renamed_in_case(&keys, &path, &self.workspace.on_disk(&path));
        let base = self.unchanged(&own, base.as_deref())?;
        let origin = moved_from.map(|from| self.origin(&from)).transpose()?;
        let format = origin.as_ref().map(|origin| &origin.base).or(base.as_ref());
        let bytes = accepted(&own, format, after, self.workspace.keys())?;
        let entry = Entry {
            path: own.clone(),
            // Back in its old place a file is what it was.
            origin: origin.filter(|origin| origin.path != own),
            unread: false,
            moved_to: moved_to.filter(|to| *to != own && base.is_some()),
            base,
            staged: Some(Staged::Content(bytes)),
        };
        self.entries.insert(own, entry);
        Ok(())
    }

    /// Tells that a worker was refused to write a file: if it is refused here as well, that is recorded. Whether it is.
    pub fn refuse_again(&mut self, path: &RepoPath) -> bool {
        let checked = match self.check(path, true) {
            Ok(own) => match self.in_place(&own) {
                Ok(base) if self.holds_secrets(&own, base.as_ref()) => Err(Refused::Secret(own).into()),
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error),
        };
        matches!(self.record_refusal(checked), Err(StagingError::Refused(_)))
    }

    /// The file on disk, or what a change taken over before was made of, if it is what the worker built on.
    fn unchanged(&mut self, own: &RepoPath, expected: Option<&str>) -> Result<Option<FileState>, TakeOver> {
        let staged = self.entries.get(own).and_then(|entry| Some((entry.base.clone(), entry.staged.as_ref()?)));
        let (base, is_gone) = match staged {
            Some((base, staged)) => (base, matches!(staged, Staged::Deleted)),
            None => (self.in_place(own).map_err(StagingError::from)?, false),
        };
        if self.holds_secrets(own, base.as_ref()) {
            let refused: Result<(), StagingError> = Err(Refused::Secret(own.clone()).into());
            self.record_refusal(refused)?;
        }
        let is_same = match (&base, expected) {
            (Some(state), Some(expected)) => hash_as_sent(state, self.workspace.keys()).as_deref() == Some(expected),
            (None, None) => true,
            (None, Some(_)) => false,
            // Under another name the file was deleted before.
            (Some(_), None) => is_gone,
        };
        if is_same { Ok(base) } else { Err(TakeOver::Changed(own.clone())) }
    }

    /// The file that another one was made of by a move.
    fn origin(&mut self, from: &RepoPath) -> Result<Origin, TakeOver> {
        let keys = self.keys(from);
        let known = self.entry_of(&keys, from).and_then(|known| self.entries.get(&known));
        if let Some(Entry { path, base: Some(base), staged: Some(_), .. }) = known {
            return Ok(Origin { path: path.clone(), base: base.clone() });
        }
        let checked = self.check(from, false);
        let own = self.record_refusal(checked)?;
        let base = self.in_place(&own).map_err(StagingError::from)?;
        if self.holds_secrets(&own, base.as_ref()) {
            let refused: Result<(), StagingError> = Err(Refused::Secret(own.clone()).into());
            self.record_refusal(refused)?;
        }
        let missing = || TakeOver::from(StagingError::from(Refused::Missing(own.clone())));
        base.ok_or_else(missing).map(|base| Origin { path: own.clone(), base })
    }

    /// Another case of the name of a file, which the disk takes for the same file: its deletion was taken over before.
    fn take_over_case(&mut self, own: &RepoPath, to: &RepoPath, after: Vec<u8>) -> Result<(), TakeOver> {
        let refused =
            || TakeOver::Refused { path: to.clone(), why: "it is the file that it was moved from".to_owned() };
        let named = in_another_case(own, to).filter(|_| self.writable.write.contains(to)).ok_or_else(refused)?;
        let entry = self.entries.get_mut(own).filter(|entry| entry.staged.is_some()).ok_or_else(refused)?;
        let bytes = accepted(own, entry.base.as_ref(), after, self.workspace.keys())?;
        entry.staged = Some(Staged::Content(bytes));
        entry.moved_to = Some(named);
        Ok(())
    }
}

/// The hash that a manifest has of a file; `None` if nothing of it is sent.
fn hash_as_sent(state: &FileState, keys: &Keys) -> Option<String> {
    match as_sent(&state.bytes, keys) {
        AsSent::Same => Some(state.sha256.clone()),
        AsSent::Masked(masked) => Some(sha256(&masked)),
        AsSent::Never => None,
    }
}

/// The bytes that stand for what a worker wrote, which was made of `format`: with the secrets that it never saw.
fn accepted(path: &RepoPath, format: Option<&FileState>, after: Vec<u8>, keys: &Keys) -> Result<Vec<u8>, TakeOver> {
    let refused = |why: String| TakeOver::Refused { path: path.clone(), why };
    if after.len() as u64 > MAX_FILE_BYTES {
        return Err(refused(format!("it has {} bytes, and agents write at most {MAX_FILE_BYTES}", after.len())));
    }
    let text = |bytes: &[u8]| {
        TextFile::decode(bytes).map_err(|_| refused("it is binary, and agents write only text".to_owned()))
    };
    let Some(base) = format else {
        with_secrets_back("", text(&after)?.text(), keys).map_err(|error| refused(error.to_string()))?;
        return Ok(after);
    };
    let sent = as_sent(&base.bytes, keys);
    // Whatever was moved and not changed is what it was, text or not.
    match &sent {
        AsSent::Masked(masked) if *masked == after => return Ok(base.bytes.clone()),
        _ if base.bytes == after => return Ok(after),
        _ => {}
    }
    let (real, edited) = (text(&base.bytes)?, text(&after)?);
    let whole = with_secrets_back(real.text(), edited.text(), keys).map_err(|error| refused(error.to_string()))?;
    match sent {
        AsSent::Same => Ok(after),
        AsSent::Masked(_) | AsSent::Never => {
            let encoded = real.encode(&whole);
            encoded.map_err(|source| StagingError::Encode { path: path.clone(), source }.into())
        }
    }
}

#[cfg(test)]
mod tests;
