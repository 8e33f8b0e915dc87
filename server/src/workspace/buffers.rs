//! The documents an editor has open: what agents read, and what is never written under.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{FileState, MAX_FILE_BYTES, TextFile, Workspace, WorkspaceError, sha256};
use crate::contracts::RepoPath;

/// An editor's open documents in one workspace.
pub trait Buffers: Send + Sync {
    /// The document of a file as it is now; `None` where it is not open.
    fn open(&self, path: &RepoPath) -> Option<Buffer>;

    /// Counts up whenever a document was opened, changed, saved or closed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// One open document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Its text, with whatever line endings the editor gives it.
    pub text: Arc<str>,
    /// Whether it may hold changes of the user's: it differs from what it was when it last was the file's content. An
    /// untouched document that only lags behind its file does not.
    pub edited: bool,
}

/// The open documents of one workspace, and what is known of them. Cheap to clone; made once for as long as the editor
/// has the workspace open.
#[derive(Clone)]
pub struct OpenBuffers {
    source: Arc<dyn Buffers>,
    /// Hashes of texts that were seen to be the file's content, by path. An editor takes a moment, or for
    /// ever, to load what was published; until then its document is old, and holds nothing of the user's.
    seen_on_disk: Arc<Mutex<HashMap<RepoPath, u64>>>,
}

impl fmt::Debug for OpenBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenBuffers")
    }
}

impl Workspace {
    /// The same folder, as an editor has its files open.
    #[must_use]
    pub fn with_buffers(mut self, buffers: OpenBuffers) -> Self {
        self.buffers = Some(buffers);
        self
    }

    /// Read a file as people see it: the open document's text where it has unsaved changes, else what is on disk. An
    /// unsaved text comes in the file's own encoding, mark and line endings: the bytes it will have once it is saved.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_open(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        let disk = self.read(path)?;
        self.overlaid(path, disk)
    }

    /// The same for a file that nobody asked for and that is read all the same: no component may be a link.
    ///
    /// # Errors
    /// As [`read`](Self::read); also when there is a link on the way.
    pub fn read_unlinked(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        let disk = self.read_in_place(path)?;
        self.overlaid(path, disk)
    }

    /// What is on disk at this path, under the open document's unsaved text.
    pub(super) fn overlaid(
        &self,
        path: &RepoPath,
        disk: Option<FileState>,
    ) -> Result<Option<FileState>, WorkspaceError> {
        let Some(text) = self.unsaved_over(path, disk.as_ref()) else { return Ok(disk) };
        let manner = match disk.as_ref().map(|disk| TextFile::decode(&disk.bytes)) {
            Some(Ok(manner)) => manner,
            _ => TextFile::empty(),
        };
        // What the file's encoding cannot hold is saved by no editor as it is; agents may read it all the same.
        let bytes = manner.encode(&text).unwrap_or_else(|_| text.into_bytes());
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(WorkspaceError::TooLarge { path: path.clone(), bytes: bytes.len() as u64 });
        }
        let (mode, owner) = disk.map_or((0o644, None), |disk| (disk.mode, disk.owner));
        Ok(Some(FileState { sha256: sha256(&bytes), bytes, mode, owner }))
    }

    /// Whether a file is open with changes that are not on disk.
    pub fn is_unsaved(&self, path: &RepoPath) -> bool {
        let Some(buffers) = &self.buffers else { return false };
        if buffers.source.open(path).is_none() {
            return false;
        }
        // What cannot be read cannot be compared either; whoever writes there is told why by the disk.
        self.read(path).is_ok_and(|disk| self.unsaved_over(path, disk.as_ref()).is_some())
    }

    /// Those of these files that are open with changes that are not on disk.
    pub fn unsaved<'a>(&self, paths: impl IntoIterator<Item = &'a RepoPath>) -> Vec<RepoPath> {
        paths.into_iter().filter(|path| self.is_unsaved(path)).cloned().collect()
    }

    /// Counts up whenever an open document changed; `None` where there is no editor.
    pub fn buffer_changes(&self) -> Option<watch::Receiver<u64>> {
        self.buffers.as_ref().map(|buffers| buffers.source.changes())
    }

    /// The open document's text, line feeds only, where it has changes that are not on disk.
    fn unsaved_over(&self, path: &RepoPath, disk: Option<&FileState>) -> Option<String> {
        let buffers = self.buffers.as_ref()?;
        let Buffer { text, edited } = buffers.source.open(path)?;
        let text = normal(&text);
        let on_disk = match disk {
            // A document of a file that does not exist is none yet while it is empty.
            None => Some(String::new()),
            Some(disk) => TextFile::decode(&disk.bytes).ok().map(|file| file.text().to_owned()),
        };
        // An editor shows something of a binary too, and nobody can tell what.
        let on_disk = on_disk?;
        let hash = hash(&text);
        let mut seen = buffers.seen();
        if text == on_disk {
            seen.insert(path.clone(), hash);
            return None;
        }
        (edited && seen.get(path) != Some(&hash)).then_some(text)
    }
}

impl OpenBuffers {
    /// The documents of this editor, of which nothing is known yet.
    pub fn new(source: Arc<dyn Buffers>) -> Self {
        Self { source, seen_on_disk: Arc::default() }
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is whole.
    fn seen(&self) -> MutexGuard<'_, HashMap<RepoPath, u64>> {
        self.seen_on_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an open document shows what is on disk, however its editor took the bytes: with or without a byte order
/// mark, with line endings of its own, and, of an encoding that only the editor knows, at least the part that all
/// encodings share. For documents nobody has touched yet.
pub fn shows(text: &str, bytes: &[u8]) -> bool {
    let text = normal(text);
    match TextFile::decode(bytes) {
        Ok(file) if file.text() == text => true,
        _ => ascii(&text) == ascii(&normal(&String::from_utf8_lossy(bytes))) && std::str::from_utf8(bytes).is_err(),
    }
}

/// Line feeds only, no byte order mark, as [`TextFile::text`].
fn normal(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

fn ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii).collect()
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "buffers_tests.rs"]
mod tests;
