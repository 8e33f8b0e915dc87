//! What the editor shows of a folder: the review's issues at their lines, where phases and tasks stand, and what is wrong
//! in the files of the memory; kept up to date whoever changes what.
//!
//! Two things change it. [`Board::refresh`] reads the files, away from everything else, and puts what it found in place of
//! what was there. [`Board::follow`] moves the issues along with an edit in the editor; it reads nothing and sends nothing,
//! so that a keystroke costs next to nothing, and what has moved is sent a moment later, many keystrokes together.
//!
//! Locks are taken in this order: what is published, [`Documents::hold`], the state.

mod anchor;
mod issues;
mod reading;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::notification::PublishDiagnostics;
use tower_lsp::lsp_types::{Diagnostic, PublishDiagnosticsParams, Range, Url};

use self::anchor::Anchor;
use self::reading::{ReadContext, ReadIssue, Reading};
use crate::config::WORKSPACE_FILE;
use crate::contracts::{Issue, PhaseName};
use crate::lsp::files::refused::Refused;
use crate::lsp::files::{Files, blocking};
use crate::lsp::text::documents::{Change, ChangeKind, Documents};
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::from_proto;
use crate::memory::Store;
use crate::workflow::Table;
use crate::workspace::{Watch, Workspace};

/// How long a moved issue may wait for more keystrokes.
const TYPING: Duration = Duration::from_millis(40);

/// How long files must be left alone before they are read, and how often they are put off at most: whoever writes one
/// file soon writes the next.
const QUIET: Duration = Duration::from_millis(30);
const PATIENT_FOR: u32 = 5;

/// Reading the files again and again may take this part of a processor's time: one in so many.
const SHARE: u32 = 5;

/// How often it is asked whether a run of another process is still at work: one that is killed says nothing.
const ASKING: Duration = Duration::from_secs(2);

/// The diagnostics of one folder. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Board {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    client: Client,
    capabilities: Capabilities,
    documents: Documents,
    table: &'static Table,
    state: Mutex<State>,
    /// What the client shows. Held from the look at the state until what it says is sent, so that the newest comes last.
    published: Mutex<HashMap<PathBuf, Published>>,
    /// Held while the files are read; says which of those who asked were heard.
    reading: tokio::sync::Mutex<u64>,
    asked: AtomicU64,
    watch: Mutex<Watch>,
    touched: tokio::sync::Mutex<mpsc::Receiver<()>>,
    /// Something was typed that matters.
    typed: Notify,
    closed: CancellationToken,
}

#[derive(Default)]
struct State {
    /// The files with issues.
    files: BTreeMap<PathBuf, IssueFile>,
    /// Diagnostics whose place was found when they were read.
    others: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// Files whose issues have moved.
    moved: BTreeSet<PathBuf>,
    /// Files of which the client may have forgotten what it was told.
    doubtful: BTreeSet<PathBuf>,
    /// Whether a document was changed that has to be read.
    is_stale: bool,
    memory: Option<(PathBuf, Store)>,
    running: Option<String>,
    /// How long the last reading took.
    cost: Duration,
}

/// The issues of one file.
struct IssueFile {
    reviewed_at: Option<Timestamp>,
    issues: Arc<[ReadIssue]>,
    /// One for each issue.
    anchors: Vec<Anchor>,
    /// The text that the anchors are about; `None` while that is the document open in the editor.
    text: Option<Arc<Text>>,
}

struct Published {
    uri: Url,
    diagnostics: Vec<Diagnostic>,
}

/// What is to be said of a file, as it was at one moment: enough to say it without holding up a keystroke.
struct Snapshot {
    path: PathBuf,
    uri: Url,
    version: Option<i32>,
    others: Vec<Diagnostic>,
    issues: Option<PlacedIssues>,
    is_doubtful: bool,
}

/// The issues of a file and where they stand in its text.
struct PlacedIssues {
    issues: Arc<[ReadIssue]>,
    /// One for each issue.
    places: Vec<Place>,
    text: Arc<Text>,
}

/// Where an issue stands: its first and its last line, and whether they are not any more what was reviewed.
struct Place {
    first: usize,
    last: usize,
    is_edited: bool,
}

impl Board {
    /// An empty board for a folder by the path the client has for it.
    pub(crate) fn new(
        path: PathBuf,
        client: Client,
        capabilities: Capabilities,
        documents: Documents,
        table: &'static Table,
    ) -> Self {
        let (watch, touched) = Watch::new();
        let inner = Inner {
            path,
            client,
            capabilities,
            documents,
            table,
            state: Mutex::default(),
            published: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            asked: AtomicU64::new(0),
            watch: Mutex::new(watch),
            touched: tokio::sync::Mutex::new(touched),
            typed: Notify::new(),
            closed: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Show what the files say now, and nothing else. When this returns, it is sent.
    pub(crate) async fn refresh(&self, files: &Files) {
        let files = files.clone();
        self.read(move |sight| {
            Reading::take(&files, sight).map(Some).or_else(|error| {
                tracing::warn!(%error, "what the memory says cannot be shown");
                Ok(None)
            })
        })
        .await;
    }

    /// Show what is wrong with the workspace's settings, and leave the rest as it is: nothing is read under settings that
    /// are wrong.
    pub(crate) async fn refuse_settings(&self) {
        let inner = self.inner.clone();
        let asked = blocking(move || {
            let Ok(workspace) = Workspace::open(&inner.path) else { return Ok(()) };
            let mut found = Reading::of_settings(&workspace, inner.sight());
            let path = inner.path.join(WORKSPACE_FILE);
            match found.others.remove(&path) {
                Some(faults) => inner.state().others.insert(path, faults),
                None => inner.state().others.remove(&path),
            };
            inner.publish(None);
            inner.watch().set_files(found.sources);
            Ok(())
        });
        if let Err(error) = asked.await {
            tracing::error!(%error, "faulty settings cannot be shown");
        }
    }

    async fn read(&self, take: impl FnOnce(ReadContext<'_>) -> Result<Option<Reading>, Refused> + Send + 'static) {
        let inner = self.inner.clone();
        let turn = inner.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut heard = self.inner.reading.lock().await;
        if *heard >= turn || inner.closed.is_cancelled() {
            // Somebody else began to read after this was asked for.
            return;
        }
        *heard = inner.asked.load(Ordering::SeqCst);
        let shown = blocking(move || {
            let begun = Instant::now();
            inner.state().is_stale = false;
            let Some(mut reading) = take(inner.sight())? else { return Ok(()) };
            let sources = std::mem::take(&mut reading.sources);
            inner.apply(reading);
            inner.publish(None);
            inner.state().cost = begun.elapsed();
            inner.watch().set_files(sources);
            Ok(())
        });
        if let Err(error) = shown.await {
            tracing::error!(%error, "the diagnostics cannot be brought up to date");
        }
    }

    /// Follow what happens to a document. Called under [`Documents::hold`].
    pub(crate) fn follow(&self, change: &Change) {
        if self.inner.state().follow(change, &self.inner) {
            self.inner.typed.notify_one();
        }
    }

    /// Returns when the files are to be read again, or never any more: then with `false`. Meanwhile what moves in the
    /// editor is shown. To be called by one at a time.
    pub(crate) async fn wait_until_stale(&self) -> bool {
        let inner = &self.inner;
        let mut touched = inner.touched.lock().await;
        loop {
            let is_due = tokio::select! {
                () = inner.closed.cancelled() => return false,
                told = touched.recv() => match told {
                    Some(()) => true,
                    None => return false,
                },
                () = inner.typed.notified() => self.show_moved().await,
                () = self.is_let_go() => true,
            };
            if is_due {
                let cost = inner.state().cost;
                tokio::time::sleep(cost * SHARE).await;
                for _ in 0..PATIENT_FOR {
                    if tokio::time::timeout(QUIET, touched.recv()).await.is_err() {
                        break;
                    }
                }
                return !inner.closed.is_cancelled();
            }
        }
    }

    /// Show where the issues are after some typing; whether something was typed that has to be read.
    async fn show_moved(&self) -> bool {
        tokio::time::sleep(TYPING).await;
        let inner = self.inner.clone();
        let shown = blocking(move || {
            let (moved, is_stale) = {
                let mut state = inner.state();
                (std::mem::take(&mut state.moved), state.is_stale)
            };
            inner.publish(Some(moved));
            Ok(is_stale)
        });
        shown.await.unwrap_or_else(|error| {
            tracing::error!(%error, "moved issues cannot be shown");
            false
        })
    }

    /// Returns when the run that was at work is not any more; never where none was.
    async fn is_let_go(&self) {
        loop {
            tokio::time::sleep(ASKING).await;
            let inner = self.inner.clone();
            let let_go = blocking(move || {
                let state = inner.state();
                let (Some(run), Some((_, store))) = (state.running.clone(), &state.memory) else { return Ok(false) };
                let store = store.clone();
                drop(state);
                Ok(store.holder().is_none_or(|holder| holder.run != run))
            });
            if let_go.await.unwrap_or_default() {
                return;
            }
        }
    }

    /// The issues of a document that stand on lines of a range, each with its place as shown now.
    pub(crate) fn issues_at(&self, uri: &Url, range: Range) -> Vec<(Issue, Range)> {
        let shown = self.issues_in(uri).into_iter();
        let touches = |at: &Range| at.start.line <= range.end.line && range.start.line <= at.end.line;
        shown.filter(|(_, _, at)| touches(at)).map(|(_, issue, at)| (issue, at)).collect()
    }

    /// The issues of a document, each with the phase that found it and its place as shown now.
    pub(crate) fn issues_in(&self, uri: &Url) -> Vec<(PhaseName, Issue, Range)> {
        let inner = &self.inner;
        let _held = inner.documents.hold();
        let state = inner.state();
        let path = from_proto::path(uri);
        let shown = path.and_then(|path| state.files.get(&path)?.snapshot(&path, &inner.documents));
        let Some(placed) = shown else { return Vec::new() };
        drop(state);
        let ranges = placed.ranges(inner.documents.encoding());
        placed.issues.iter().zip(ranges).map(|(shown, range)| (shown.phase, shown.issue.clone(), range)).collect()
    }

    /// Show nothing any more, and follow nothing.
    pub(crate) async fn clear(&self) {
        self.inner.closed.cancel();
        let _nobody_reads = self.inner.reading.lock().await;
        let mut state = self.inner.state();
        state.files.clear();
        state.others.clear();
        drop(state);
        self.inner.publish(None);
        self.inner.watch().set_files(BTreeSet::new());
    }
}

impl Inner {
    fn sight(&self) -> ReadContext<'_> {
        ReadContext {
            folder: &self.path,
            documents: &self.documents,
            with_task: self.capabilities.related_information,
            table: self.table,
        }
    }

    /// Put what was read in place of what was there. Issues that are known already stay on the lines they have moved to.
    fn apply(&self, reading: Reading) {
        // Found outside of the locks, in the texts on the disk.
        let mut found: BTreeMap<PathBuf, (Vec<ReadIssue>, Vec<Anchor>)> = BTreeMap::new();
        for shown in reading.issues {
            let (issues, anchors) = found.entry(shown.path.clone()).or_default();
            issues.push(shown);
            anchors.clear();
        }
        for (path, (issues, anchors)) in &mut found {
            let text = reading.texts.get(path).cloned().or_else(|| self.documents.text(path));
            let text = text.unwrap_or_else(|| Arc::new(Text::new("")));
            let lines: Vec<&str> = text.lines().collect();
            *anchors = issues.iter().map(|shown| Anchor::find(&shown.issue, &lines)).collect();
        }
        let _held = self.documents.hold();
        let mut state = self.state();
        let mut known = std::mem::take(&mut state.files);
        for (path, (issues, mut anchors)) in found {
            let (on_disk, open) = (reading.texts.get(&path), self.documents.text(&path));
            let Some(text) = open.as_ref().or(on_disk).cloned() else { continue };
            if let (Some(on_disk), Some(open)) = (on_disk, &open) {
                anchor::follow_text(&mut anchors, on_disk, open);
            }
            let known = known.remove(&path).filter(|known| known.reviewed_at == reading.reviewed_at);
            if let Some(mut known) = known {
                if let Some(before) = &known.text {
                    anchor::follow_text(&mut known.anchors, before, &text);
                }
                let mut moved: HashMap<&str, (&Issue, Anchor)> = HashMap::new();
                for (shown, anchor) in known.issues.iter().zip(known.anchors) {
                    moved.insert(&shown.issue.id, (&shown.issue, anchor));
                }
                for (shown, anchor) in issues.iter().zip(&mut anchors) {
                    if let Some((issue, moved)) = moved.remove(shown.issue.id.as_str())
                        && *issue == shown.issue
                    {
                        *anchor = moved;
                    }
                }
            }
            let text = if open.is_some() { None } else { Some(text) };
            let issues = issues.into();
            state.files.insert(path, IssueFile { reviewed_at: reading.reviewed_at, issues, anchors, text });
        }
        state.others = reading.others;
        state.memory = reading.memory;
        state.running = reading.running;
    }

    /// Send what differs from what the client shows: of these files, or of all.
    fn publish(&self, files: Option<BTreeSet<PathBuf>>) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots: Vec<Snapshot> = {
            let _held = self.documents.hold();
            let mut state = self.state();
            let files = files.unwrap_or_else(|| {
                let shown = published.keys().chain(state.files.keys()).chain(state.others.keys());
                shown.cloned().collect()
            });
            files.into_iter().filter_map(|path| state.snapshot(path, &self.documents)).collect()
        };
        let encoding = self.documents.encoding();
        for params in snapshots.into_iter().flat_map(|snapshot| snapshot.news(&mut published, encoding)) {
            self.client.notify::<PublishDiagnostics>(params);
        }
    }

    /// A poisoned lock only means that a thread panicked; at worst an issue is on an old line.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file is one that is read as it is in the editor.
    fn is_source(&self, path: &Path, memory: Option<&Path>) -> bool {
        path == self.path.join(WORKSPACE_FILE) || memory.is_some_and(|memory| path.parent() == Some(memory))
    }
}

impl State {
    /// Whether it changes what is shown.
    fn follow(&mut self, change: &Change, inner: &Inner) -> bool {
        let Change { path, kind } = change;
        if !path.starts_with(&inner.path) {
            return false;
        }
        let mut matters = false;
        if inner.is_source(path, self.memory.as_ref().map(|(folder, _)| folder.as_path())) {
            self.is_stale = true;
            matters = true;
        }
        if let Some(file) = self.files.get_mut(path) {
            let is_moved = file.follow(kind, || inner.documents.text(path));
            if is_moved {
                self.moved.insert(path.clone());
            }
            // The disk has another text than the document that was closed, or not.
            self.is_stale |= matches!(kind, ChangeKind::Closed(_));
            matters |= is_moved || self.is_stale;
        }
        if matches!(kind, ChangeKind::Opened) && (self.files.contains_key(path) || self.others.contains_key(path)) {
            // Some editors forget what they were told of a file when its buffer goes.
            self.doubtful.insert(path.clone());
            self.moved.insert(path.clone());
            matters = true;
        }
        matters
    }

    fn snapshot(&mut self, path: PathBuf, documents: &Documents) -> Option<Snapshot> {
        let uri = documents.uri(&path)?;
        Some(Snapshot {
            uri,
            version: documents.get(&path).map(|document| document.version),
            others: self.others.get(&path).cloned().unwrap_or_default(),
            issues: self.files.get(&path).and_then(|file| file.snapshot(&path, documents)),
            is_doubtful: self.doubtful.remove(&path),
            path,
        })
    }
}

impl Snapshot {
    /// What to send of the file; none of what the client shows already.
    fn news(self, published: &mut HashMap<PathBuf, Published>, encoding: Encoding) -> Vec<PublishDiagnosticsParams> {
        let Self { path, uri, version, mut others, issues, is_doubtful } = self;
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
        // The same file under another name.
        if let Some(before) = before.as_ref().filter(|before| before.uri != uri) {
            to_send.push(send(&before.uri, &[], None));
        }
        let is_shown = match before.filter(|before| before.uri == uri) {
            Some(before) => before.diagnostics == diagnostics && !is_doubtful,
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
    /// Whether issues have moved, or are said otherwise.
    fn follow(&mut self, kind: &ChangeKind, text: impl FnOnce() -> Option<Arc<Text>>) -> bool {
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

    fn snapshot(&self, path: &Path, documents: &Documents) -> Option<PlacedIssues> {
        let text = self.text.clone().or_else(|| documents.text(path))?;
        let place = |anchor: &Anchor| Place { first: anchor.first, last: anchor.last, is_edited: anchor.is_edited };
        Some(PlacedIssues { issues: self.issues.clone(), places: self.anchors.iter().map(place).collect(), text })
    }
}

impl PlacedIssues {
    fn ranges(&self, encoding: Encoding) -> impl Iterator<Item = Range> {
        self.places.iter().map(move |place| self.text.span_of(place.first, place.last, encoding))
    }

    fn diagnostics(&self, encoding: Encoding) -> impl Iterator<Item = Diagnostic> {
        self.issues.iter().zip(&self.places).zip(self.ranges(encoding)).map(|((shown, place), range)| {
            let mut diagnostic = Diagnostic { range, ..shown.diagnostic.clone() };
            if place.is_edited {
                diagnostic.message = issues::edited_message(&shown.issue);
            }
            diagnostic
        })
    }
}
