//! The issues and other diagnostics of a folder as they are now, and what of it the client has.
//!
//! Invariant: what is to be published is copied out as a [`Snapshot`] under the locks, and made into diagnostics without
//! them, so that a keystroke never waits for that.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tower_lsp::lsp_types::{Diagnostic, PublishDiagnosticsParams, Range, Url};

use super::anchor::{self, Anchor};
use super::issues;
use super::reading::ReadIssue;
use crate::config::WORKSPACE_FILE;
use crate::lsp::text::documents::{Change, ChangeKind, Documents};
use crate::lsp::text::position::{Encoding, Text};
use crate::memory::Store;

/// What is known of a folder.
#[derive(Default)]
pub(super) struct State {
    /// The files with issues.
    pub(super) files: BTreeMap<PathBuf, IssueFile>,
    /// Diagnostics whose place was found when they were read.
    pub(super) others: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// Files whose issues have moved since they were published.
    pub(super) moved: BTreeSet<PathBuf>,
    /// Files whose diagnostics the client may have dropped.
    maybe_dropped: BTreeSet<PathBuf>,
    /// Whether a document was changed that diagnostics are read from.
    pub(super) is_stale: bool,
    /// The memory folder, by the client's path.
    pub(super) memory: Option<(PathBuf, Store)>,
    /// The active run, of this or another process.
    pub(super) active_run: Option<String>,
    /// How long the last reading took.
    pub(super) cost: Duration,
}

/// The issues of one file.
pub(super) struct IssueFile {
    pub(super) issues: Arc<[ReadIssue]>,
    /// One for each issue.
    pub(super) anchors: Vec<Anchor>,
    /// The text that the anchors are about; `None` while that is the document open in the editor.
    pub(super) text: Option<Arc<Text>>,
}

/// What the client has of a file.
pub(super) struct Published {
    uri: Url,
    diagnostics: Vec<Diagnostic>,
}

/// A file's diagnostics at one moment, from before they are made.
pub(super) struct Snapshot {
    path: PathBuf,
    uri: Url,
    version: Option<i32>,
    others: Vec<Diagnostic>,
    issues: Option<PlacedIssues>,
    maybe_dropped: bool,
}

/// The issues of a file and their lines in its text.
pub(super) struct PlacedIssues {
    pub(super) issues: Arc<[ReadIssue]>,
    /// One for each issue.
    lines: Vec<IssueLines>,
    text: Arc<Text>,
}

/// The first and the last line of an issue, and whether they were edited since the review.
struct IssueLines {
    first: usize,
    last: usize,
    is_edited: bool,
}

impl State {
    /// Apply a change of a document; whether diagnostics are to be published or read again. `folder` is the client's path.
    pub(super) fn apply(&mut self, change: &Change, folder: &Path, documents: &Documents) -> bool {
        let Change { path, kind } = change;
        if !path.starts_with(folder) {
            return false;
        }
        let mut matters = false;
        if self.is_source(path, folder) {
            self.is_stale = true;
            matters = true;
        }
        if let Some(file) = self.files.get_mut(path) {
            let is_moved = file.apply(kind, || documents.text(path));
            if is_moved {
                self.moved.insert(path.clone());
            }
            // The disk may have another text than the document that was closed.
            self.is_stale |= matches!(kind, ChangeKind::Closed(_));
            matters |= is_moved || self.is_stale;
        }
        if matches!(kind, ChangeKind::Opened) && (self.files.contains_key(path) || self.others.contains_key(path)) {
            // Some editors drop the diagnostics of a file with its buffer.
            self.maybe_dropped.insert(path.clone());
            self.moved.insert(path.clone());
            matters = true;
        }
        matters
    }

    /// Whether diagnostics are read from a file's open document: the workspace's settings and the memory.
    fn is_source(&self, path: &Path, folder: &Path) -> bool {
        let in_memory = self.memory.as_ref().is_some_and(|(memory, _)| path.parent() == Some(memory.as_path()));
        path == folder.join(WORKSPACE_FILE) || in_memory
    }

    /// What to publish of a file.
    pub(super) fn snapshot(&mut self, path: PathBuf, documents: &Documents) -> Option<Snapshot> {
        let uri = documents.uri(&path)?;
        Some(Snapshot {
            uri,
            version: documents.get(&path).map(|document| document.version),
            others: self.others.get(&path).cloned().unwrap_or_default(),
            issues: self.files.get(&path).and_then(|file| file.snapshot(&path, documents)),
            maybe_dropped: self.maybe_dropped.remove(&path),
            path,
        })
    }
}

impl Snapshot {
    /// The notifications that bring the client up to date; none when it has these diagnostics.
    pub(super) fn publish(
        self,
        published: &mut HashMap<PathBuf, Published>,
        encoding: Encoding,
    ) -> Vec<PublishDiagnosticsParams> {
        let Self { path, uri, version, mut others, issues, maybe_dropped } = self;
        if let Some(placed) = issues {
            others.extend(placed.diagnostics(encoding));
        }
        let diagnostics = others;
        let before = published.remove(&path);
        let mut to_send = Vec::new();
        let send = |uri: &Url, diagnostics: &[Diagnostic], version| PublishDiagnosticsParams {
            uri: uri.clone(),
            diagnostics: diagnostics.to_owned(),
            version,
        };
        // The client had the file under another URI.
        if let Some(before) = before.as_ref().filter(|before| before.uri != uri) {
            to_send.push(send(&before.uri, &[], None));
        }
        let is_shown = match before.filter(|before| before.uri == uri) {
            Some(before) => before.diagnostics == diagnostics && !maybe_dropped,
            None => diagnostics.is_empty(),
        };
        if !is_shown {
            to_send.push(send(&uri, &diagnostics, version));
        }
        if !diagnostics.is_empty() {
            published.insert(path, Published { uri, diagnostics });
        }
        to_send
    }
}

impl IssueFile {
    /// Apply a change of the file's document; whether issues have moved or were edited.
    fn apply(&mut self, kind: &ChangeKind, text: impl FnOnce() -> Option<Arc<Text>>) -> bool {
        match kind {
            ChangeKind::Opened => {
                let (Some(before), Some(text)) = (self.text.take(), text()) else { return false };
                let was = self.anchors.clone();
                anchor::follow_text(&mut self.anchors, &before, &text);
                was != self.anchors
            }
            ChangeKind::Edited { edits } => match text() {
                Some(text) => anchor::follow_edits(&mut self.anchors, edits, &text),
                None => false,
            },
            ChangeKind::Saved => false,
            ChangeKind::Closed(document) => {
                self.text = Some(document.text.clone());
                false
            }
        }
    }

    /// The issues and their lines; `None` where the file has no text.
    pub(super) fn snapshot(&self, path: &Path, documents: &Documents) -> Option<PlacedIssues> {
        let text = self.text.clone().or_else(|| documents.text(path))?;
        let lines =
            |anchor: &Anchor| IssueLines { first: anchor.first, last: anchor.last, is_edited: anchor.is_edited };
        Some(PlacedIssues { issues: self.issues.clone(), lines: self.anchors.iter().map(lines).collect(), text })
    }
}

impl PlacedIssues {
    /// The range of each issue.
    pub(super) fn ranges(&self, encoding: Encoding) -> impl Iterator<Item = Range> {
        self.lines.iter().map(move |lines| self.text.span_of(lines.first, lines.last, encoding))
    }

    fn diagnostics(&self, encoding: Encoding) -> impl Iterator<Item = Diagnostic> {
        self.issues.iter().zip(&self.lines).zip(self.ranges(encoding)).map(|((issue, lines), range)| {
            let mut diagnostic = Diagnostic { range, ..issue.diagnostic.clone() };
            if lines.is_edited {
                diagnostic.message = issues::edited_message(&issue.issue);
            }
            diagnostic
        })
    }
}
