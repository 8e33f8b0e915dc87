//! The open documents of an editor: agents read them, and nothing is written to a file with unsaved changes.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::text_file::TextFile;
use crate::contracts::RepoPath;

/// An editor's open documents in one workspace.
pub trait Buffers: Send + Sync {
    /// The current document of a file; `None` if it is not open.
    fn open(&self, path: &RepoPath) -> Option<Buffer>;

    /// Counts up whenever a document is opened, changed, saved or closed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// One open document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Its text, with the line endings that the editor uses.
    pub text: Arc<str>,
    /// Whether it may hold changes by the user: it differs from what it was when it last matched the file. An untouched
    /// document that only lags behind its file does not.
    pub edited: bool,
}

/// The open documents of one workspace, and what is known about them. Cheap to clone; created once for as long as the
/// editor has the workspace open.
#[derive(Clone)]
pub struct OpenBuffers {
    pub(super) source: Arc<dyn Buffers>,
    /// Hashes of texts that once were the file's content, by path. An editor reloads a published file late or never;
    /// until then its document is stale but holds no changes by the user.
    seen_on_disk: Arc<Mutex<HashMap<RepoPath, u64>>>,
}

impl fmt::Debug for OpenBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenBuffers")
    }
}

impl OpenBuffers {
    /// Creates the set for an editor; nothing is known about its documents yet.
    pub fn new(source: Arc<dyn Buffers>) -> Self {
        Self { source, seen_on_disk: Arc::default() }
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is atomic.
    pub(super) fn seen(&self) -> MutexGuard<'_, HashMap<RepoPath, u64>> {
        self.seen_on_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an open document matches the file on disk, however the editor decoded it: with or without a byte order mark,
/// with its own line endings, and, for an encoding that only the editor knows, at least in the ASCII characters. For
/// documents that have not been changed yet.
pub fn matches_disk(text: &str, bytes: &[u8]) -> bool {
    let text = normalised(text);
    match TextFile::decode(bytes) {
        Ok(file) if file.text() == text => true,
        _ => ascii(&text) == ascii(&normalised(&String::from_utf8_lossy(bytes))) && std::str::from_utf8(bytes).is_err(),
    }
}

/// Normalises line ends to line feeds and removes the byte order mark, as [`TextFile::text`] does.
pub(super) fn normalised(text: &str) -> String {
    text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n")
}

fn ascii(text: &str) -> String {
    text.chars().filter(char::is_ascii).collect()
}

pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untouched_document_shows_its_file_in_any_encoding() {
        assert!(matches_disk("a\r\n", b"a\n") && matches_disk("a\n", b"\xef\xbb\xbfa\r\n") && matches_disk("", b""));
        assert!(matches_disk("caf\u{fffd}\n", b"caf\xe9\n"), "taken for UTF-8");
        assert!(matches_disk("\u{43f}x\n", b"\xefx\n"), "taken for Windows-1251");
        assert!(!matches_disk("cafe\n", b"caf\xe9\n"));
        assert!(!matches_disk("b\n", b"a\n") && !matches_disk("\u{e9}\n", "\u{e8}\n".as_bytes()));
    }
}
