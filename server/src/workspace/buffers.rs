//! The documents an editor has open: what agents read, and what is never written under.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::text_file::TextFile;
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
    pub(super) source: Arc<dyn Buffers>,
    /// Hashes of texts that were seen to be the file's content, by path. An editor takes a moment, or for
    /// ever, to load what was published; until then its document is old, and holds nothing of the user's.
    seen_on_disk: Arc<Mutex<HashMap<RepoPath, u64>>>,
}

impl fmt::Debug for OpenBuffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenBuffers")
    }
}

impl OpenBuffers {
    /// The documents of this editor, of which nothing is known yet.
    pub fn new(source: Arc<dyn Buffers>) -> Self {
        Self { source, seen_on_disk: Arc::default() }
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is whole.
    pub(super) fn seen(&self) -> MutexGuard<'_, HashMap<RepoPath, u64>> {
        self.seen_on_disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an open document shows what is on disk, however its editor took the bytes: with or without a byte order
/// mark, with line endings of its own, and, of an encoding that only the editor knows, at least the part that all
/// encodings share. For documents nobody has touched yet.
pub fn matches_disk(text: &str, bytes: &[u8]) -> bool {
    let text = normalised(text);
    match TextFile::decode(bytes) {
        Ok(file) if file.text() == text => true,
        _ => ascii(&text) == ascii(&normalised(&String::from_utf8_lossy(bytes))) && std::str::from_utf8(bytes).is_err(),
    }
}

/// Line feeds only, no byte order mark, as [`TextFile::text`].
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
