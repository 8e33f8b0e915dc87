//! The documents that are open in the editor, with their unsaved text.
//!
//! Invariant: a notification changes them before the first await of its handler, and notifications are handled one after
//! the other, so that no edit is lost or applied out of order.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::watch;
use tower_lsp::lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams, Url,
};

use super::position::{Encoding, LineEdit, Text};
use crate::lsp::wire::from_proto;
use crate::workspace::{matches_disk, read_as_editor};

/// Cheap to clone; all clones are the same documents.
#[derive(Clone)]
pub(crate) struct Documents {
    inner: Arc<Inner>,
}

struct Inner {
    encoding: OnceLock<Encoding>,
    open: Mutex<HashMap<PathBuf, Entry>>,
    /// Locked while a change is applied here and in whatever follows the documents.
    changing: Mutex<()>,
    /// Counts the events of all documents.
    events: watch::Sender<u64>,
}

struct Entry {
    document: Document,
    /// Whether it was changed since it was opened or saved, or differed from the disk when it was opened, as a text
    /// does that an editor has kept unsaved over a restart.
    is_changed: bool,
}

/// An open document at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// As the client writes it; one file has many spellings as a URI.
    pub(crate) uri: Url,
    /// The client's version of this text.
    pub(crate) version: i32,
    /// The server's own number, unique among all texts of all documents.
    pub(crate) revision: u64,
    /// The text.
    pub(crate) text: Arc<Text>,
}

/// A change of a document.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The file, by the client's path.
    pub(crate) path: PathBuf,
    /// Its kind.
    pub(crate) kind: ChangeKind,
}

/// The kind of a change.
#[derive(Debug, Clone)]
pub(crate) enum ChangeKind {
    /// It was opened: its text counts instead of the disk's.
    Opened,
    /// Its text was changed.
    Edited {
        /// In their order, each based on the text that the one before left.
        edits: Vec<LineEdit>,
    },
    /// It was written to the disk.
    Saved,
    /// It was closed, with this last state: the disk's text counts again.
    Closed(Document),
}

impl Default for Documents {
    fn default() -> Self {
        let (events, _) = watch::channel(0);
        Self {
            inner: Arc::new(Inner {
                encoding: OnceLock::new(),
                open: Mutex::default(),
                changing: Mutex::default(),
                events,
            }),
        }
    }
}

impl Documents {
    /// Sets the negotiated position encoding.
    pub(crate) fn set_encoding(&self, encoding: Encoding) {
        // Set once, at `initialize`.
        self.inner.encoding.get_or_init(|| encoding);
    }

    /// The negotiated position encoding.
    pub(crate) fn encoding(&self) -> Encoding {
        self.inner.encoding.get().copied().unwrap_or_default()
    }

    /// The text of a file that is open, by the path the client has for it; `None` when it is not open. Line endings are
    /// the editor's.
    pub(crate) fn text(&self, path: &Path) -> Option<Arc<Text>> {
        self.open().get(path).map(|entry| entry.document.text.clone())
    }

    /// A file that is open, by the path the client has for it.
    pub(crate) fn get(&self, path: &Path) -> Option<Document> {
        self.open().get(path).map(|entry| entry.document.clone())
    }

    /// The URI of a file by the path the client has for it: as the client writes it, where it is open there.
    pub(crate) fn uri(&self, path: &Path) -> Option<Url> {
        self.get(path).map(|document| document.uri).or_else(|| Url::from_file_path(path).ok())
    }

    /// Whether a file has changes that only the editor knows: changed since it was opened or saved, and its text differs
    /// from the disk's. `on_disk` is what the disk has, in any line endings; `None` where there is no such file.
    pub(crate) fn is_unsaved(&self, path: &Path, on_disk: Option<&str>) -> bool {
        let open = self.open();
        let Some(entry) = open.get(path).filter(|entry| entry.is_changed) else { return false };
        on_disk.is_none_or(|on_disk| !is_same(entry.document.text.as_str(), on_disk))
    }

    /// Counts up whenever a document is opened, changed, saved or closed.
    pub(crate) fn events(&self) -> watch::Receiver<u64> {
        self.inner.events.subscribe()
    }

    /// Locks out changes: held while one is applied here and in whatever follows the documents, and by readers that need
    /// both in step.
    pub(crate) fn lock_changes(&self) -> MutexGuard<'_, ()> {
        self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `textDocument/didOpen`. `None` for what is no file, such as an untitled document.
    pub(crate) fn did_open(&self, params: DidOpenTextDocumentParams) -> Option<Change> {
        let opened = params.text_document;
        let path = from_proto::path(&opened.uri)?;
        let is_changed = read_as_editor(&path).is_none_or(|on_disk| !matches_disk(&opened.text, &on_disk));
        let mut open = self.open();
        let document = Document {
            uri: opened.uri,
            version: opened.version,
            revision: self.count(),
            text: Arc::new(Text::new(opened.text)),
        };
        open.insert(path.clone(), Entry { document, is_changed });
        Some(Change { path, kind: ChangeKind::Opened })
    }

    /// `textDocument/didChange`. `None` for what is not open.
    pub(crate) fn did_change(&self, params: DidChangeTextDocumentParams) -> Option<Change> {
        let path = from_proto::path(&params.text_document.uri)?;
        let encoding = self.encoding();
        let mut open = self.open();
        let Some(entry) = open.get_mut(&path) else {
            tracing::warn!(path = %path.display(), "a change of a document that is not open");
            return None;
        };
        // Copied only while the text before is still being read.
        let text = Arc::make_mut(&mut entry.document.text);
        let edit = |change: &tower_lsp::lsp_types::TextDocumentContentChangeEvent| match change.range {
            Some(range) => text.replace(range, &change.text, encoding),
            None => text.replace_all(&change.text),
        };
        let edits = params.content_changes.iter().map(edit).collect();
        entry.document.revision = self.count();
        entry.document.version = params.text_document.version;
        entry.is_changed = true;
        Some(Change { path, kind: ChangeKind::Edited { edits } })
    }

    /// `textDocument/didSave`.
    pub(crate) fn did_save(&self, params: DidSaveTextDocumentParams) -> Option<Change> {
        let path = from_proto::path(&params.text_document.uri)?;
        let mut open = self.open();
        open.get_mut(&path)?.is_changed = false;
        self.count();
        Some(Change { path, kind: ChangeKind::Saved })
    }

    /// `textDocument/didClose`.
    pub(crate) fn did_close(&self, params: DidCloseTextDocumentParams) -> Option<Change> {
        let path = from_proto::path(&params.text_document.uri)?;
        let mut open = self.open();
        let Entry { document, .. } = open.remove(&path)?;
        self.count();
        Some(Change { path, kind: ChangeKind::Closed(document) })
    }

    fn count(&self) -> u64 {
        let mut count = 0;
        self.inner.events.send_modify(|events| {
            *events += 1;
            count = *events;
        });
        count
    }

    /// A poisoned lock only means that a thread panicked; each document is whole.
    fn open(&self) -> MutexGuard<'_, HashMap<PathBuf, Entry>> {
        self.inner.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two texts are the same but for their line endings.
fn is_same(a: &str, b: &str) -> bool {
    let unify = |text: &str| text.replace("\r\n", "\n");
    a == b || (a.contains('\r') || b.contains('\r')) && unify(a) == unify(b)
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    struct Fixture {
        folder: tempfile::TempDir,
        documents: Documents,
    }

    fn params<T: DeserializeOwned>(params: Value) -> T {
        serde_json::from_value(params).unwrap()
    }

    impl Fixture {
        fn new(on_disk: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("a.txt"), on_disk).unwrap();
            Self { folder, documents: Documents::default() }
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("a.txt")
        }

        fn uri(&self) -> Url {
            Url::from_file_path(self.path()).unwrap()
        }

        fn open(&self, text: &str) {
            let document = json!({ "uri": self.uri(), "languageId": "plaintext", "version": 1, "text": text });
            self.documents.did_open(params(json!({ "textDocument": document }))).unwrap();
        }

        fn change(&self, changes: Value) -> Option<Change> {
            let document = json!({ "uri": self.uri(), "version": 2 });
            self.documents.did_change(params(json!({ "textDocument": document, "contentChanges": changes })))
        }

        fn text(&self) -> String {
            self.documents.text(&self.path()).unwrap().as_str().to_owned()
        }
    }

    fn insert(line: u32, character: u32, text: &str) -> Value {
        let at = json!({ "line": line, "character": character });
        json!({ "range": { "start": at, "end": at }, "text": text })
    }

    #[test]
    fn edits_are_applied_in_their_order_in_the_agreed_encoding() {
        for (encoding, column) in [(Encoding::Utf8, 4), (Encoding::Utf16, 2), (Encoding::Utf32, 1)] {
            let fixture = Fixture::new("");
            fixture.documents.set_encoding(encoding);
            fixture.open("🦀b\n");
            let change =
                fixture.change(json!([insert(0, column, "\n"), insert(1, 0, "x"), insert(1, 1, "y")])).unwrap();
            assert_eq!(fixture.text(), "🦀\nxyb\n", "{encoding:?}");
            let ChangeKind::Edited { edits } = change.kind else { panic!("{change:?}") };
            assert_eq!(edits.iter().map(|edit| edit.first).collect::<Vec<_>>(), [0, 1, 1]);
            fixture.change(json!([{ "text": "all new" }]));
            assert_eq!(
                (fixture.text().as_str(), fixture.documents.get(&fixture.path()).unwrap().version),
                ("all new", 2)
            );
        }
    }

    #[test]
    fn unsaved_is_what_was_changed_and_differs_from_the_disk() {
        let fixture = Fixture::new("a\nb\n");
        let unsaved = |on_disk: Option<&str>| fixture.documents.is_unsaved(&fixture.path(), on_disk);
        assert!(!unsaved(Some("other")), "not open");
        fixture.open("a\r\nb\r\n");
        // Something else wrote the file; the editor has nothing to lose.
        assert!(!unsaved(Some("other")));
        fixture.change(json!([insert(0, 0, "x")]));
        assert!(unsaved(Some("a\nb\n")) && unsaved(None) && !unsaved(Some("xa\nb\n")));
        let saved = params(json!({ "textDocument": { "uri": fixture.uri() } }));
        fixture.documents.did_save(saved);
        assert!(!unsaved(Some("a\nb\n")));
        let closed = params(json!({ "textDocument": { "uri": fixture.uri() } }));
        fixture.documents.did_close(closed);
        assert!(fixture.documents.text(&fixture.path()).is_none());
        assert!(fixture.change(json!([])).is_none(), "not open any more");
        // An editor that kept the text over a restart opens it as it was left.
        fixture.open("kept\n");
        assert!(unsaved(Some("a\nb\n")));
    }

    #[test]
    fn every_change_is_notified() {
        let fixture = Fixture::new("");
        let mut events = fixture.documents.events();
        assert!(!events.has_changed().unwrap());
        fixture.open("");
        assert!(events.has_changed().unwrap());
        events.borrow_and_update();
        fixture.change(json!([insert(0, 0, "x")]));
        assert!(events.has_changed().unwrap());
        let untitled = json!({ "uri": "untitled:a", "languageId": "plaintext", "version": 1, "text": "" });
        assert!(fixture.documents.did_open(params(json!({ "textDocument": untitled }))).is_none());
    }
}
