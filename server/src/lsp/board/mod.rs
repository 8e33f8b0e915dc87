//! The diagnostics of a folder: the review's issues at their lines, the status of phases and tasks, and the faults of the
//! files in the memory; kept up to date whatever process changes these.
//!
//! Two methods change them. [`Board::refresh`] reads the files on the blocking pool and replaces all. [`Board::apply`] moves
//! the issues along with an edit in the editor; it reads nothing and sends nothing, so that a keystroke costs little:
//! moved issues are published a moment later, for many keystrokes together. Only what differs from what the client has
//! is sent.
//!
//! Locks are taken in this order: what is published, [`Documents::lock_changes`], the state.

mod anchor;
mod issues;
mod notes;
mod proof;
mod reading;
mod state;
mod status;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::notification::PublishDiagnostics;
use tower_lsp::lsp_types::{Range, Url};

use self::anchor::Anchor;
use self::reading::{ReadContext, ReadIssue, Reading};
use self::state::{IssueFile, Published, Snapshot, State};
use crate::config::WORKSPACE_FILE;
use crate::contracts::{Issue, PhaseName};
use crate::lsp::files::refused::Refused;
use crate::lsp::files::{Files, blocking};
use crate::lsp::text::documents::{Change, Documents};
use crate::lsp::text::position::Text;
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::from_proto;
use crate::workflow::Table;
use crate::workspace::{Watch, Workspace, masked, masks};

/// How long moved issues wait for more keystrokes before they are published.
const EDIT_DEBOUNCE: Duration = Duration::from_millis(40);

/// How long files must stay unchanged before they are read, and how often that is waited for at most: a change of one file
/// is soon followed by the next.
const CHANGE_DEBOUNCE: Duration = Duration::from_millis(30);
const MAX_DEBOUNCES: u32 = 5;

/// After a reading, the next one waits this many times as long as that took, so that reading never fills a processor.
const PAUSE_FACTOR: u32 = 5;

/// How often it is checked whether a run of another process still holds the lock: one that is killed changes no file.
const LOCK_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// An issue as it is shown now.
#[derive(Debug, Clone)]
pub(crate) struct ShownIssue {
    /// The phase that found it.
    pub(crate) phase: PhaseName,
    /// The commit that its review compares with, where it is of no workflow.
    pub(crate) base: Option<String>,
    /// The issue.
    pub(crate) issue: Issue,
    /// Its range as published.
    pub(crate) range: Range,
}

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
    /// What the client has. Locked from before the state is read until it is sent, so that the newest is sent last.
    published: Mutex<HashMap<PathBuf, Published>>,
    /// Locked while the files are read; the number of the last request that a reading has covered.
    reading: tokio::sync::Mutex<u64>,
    /// The number of the last request to read.
    requested: AtomicU64,
    watch: Mutex<Watch>,
    /// Notified when a watched file has changed.
    changed: tokio::sync::Mutex<mpsc::Receiver<()>>,
    /// Notified when a document was edited that matters here.
    edited: Notify,
    closed: CancellationToken,
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
        let (watch, changed) = Watch::new();
        let inner = Inner {
            path,
            client,
            capabilities,
            documents,
            table,
            state: Mutex::default(),
            published: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            requested: AtomicU64::new(0),
            watch: Mutex::new(watch),
            changed: tokio::sync::Mutex::new(changed),
            edited: Notify::new(),
            closed: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Read the files and replace all diagnostics. They are sent when this returns.
    pub(crate) async fn refresh(&self, files: &Files) {
        let files = files.clone();
        self.read(move |context| {
            Reading::take(&files, context).map(Some).or_else(|error| {
                tracing::warn!(%error, "the memory cannot be read for its diagnostics");
                Ok(None)
            })
        })
        .await;
    }

    /// Replace the diagnostics of the workspace's settings alone: nothing else is read under settings that are wrong.
    pub(crate) async fn refresh_settings(&self) {
        let inner = self.inner.clone();
        let refreshed = blocking(move || {
            let Ok(workspace) = Workspace::open(&inner.path) else { return Ok(()) };
            let mut found = Reading::of_settings(&workspace, inner.context());
            let path = inner.path.join(WORKSPACE_FILE);
            match found.others.remove(&path) {
                Some(faults) => inner.state().others.insert(path, faults),
                None => inner.state().others.remove(&path),
            };
            inner.publish(None);
            inner.watch().set_files(found.sources);
            Ok(())
        });
        if let Err(error) = refreshed.await {
            tracing::error!(%error, "the faults of the settings cannot be shown");
        }
    }

    async fn read(&self, take: impl FnOnce(ReadContext<'_>) -> Result<Option<Reading>, Refused> + Send + 'static) {
        let inner = self.inner.clone();
        let request = inner.requested.fetch_add(1, Ordering::SeqCst) + 1;
        let mut covered = self.inner.reading.lock().await;
        if *covered >= request || inner.closed.is_cancelled() {
            // Another reading began after this request.
            return;
        }
        *covered = inner.requested.load(Ordering::SeqCst);
        let read = blocking(move || {
            let begun = Instant::now();
            inner.state().is_stale = false;
            let Some(mut reading) = take(inner.context())? else { return Ok(()) };
            let sources = std::mem::take(&mut reading.sources);
            inner.replace(reading);
            inner.publish(None);
            inner.state().cost = begun.elapsed();
            inner.watch().set_files(sources);
            Ok(())
        });
        if let Err(error) = read.await {
            tracing::error!(%error, "the diagnostics cannot be refreshed");
        }
    }

    /// Apply a change of a document. Called under [`Documents::lock_changes`].
    pub(crate) fn apply(&self, change: &Change) {
        if self.inner.state().apply(change, &self.inner.path, &self.inner.documents) {
            self.inner.edited.notify_one();
        }
    }

    /// Wait until the files are to be read again; `false` when the board is closed. Meanwhile, issues that edits move are
    /// published. One caller at a time.
    pub(crate) async fn wait_until_stale(&self) -> bool {
        let inner = &self.inner;
        let mut changed = inner.changed.lock().await;
        loop {
            let is_due = tokio::select! {
                () = inner.closed.cancelled() => return false,
                notified = changed.recv() => match notified {
                    Some(()) => true,
                    None => return false,
                },
                () = inner.edited.notified() => self.publish_moved().await,
                () = self.run_ended_elsewhere() => true,
            };
            if is_due {
                let cost = inner.state().cost;
                tokio::time::sleep(cost * PAUSE_FACTOR).await;
                for _ in 0..MAX_DEBOUNCES {
                    if tokio::time::timeout(CHANGE_DEBOUNCE, changed.recv()).await.is_err() {
                        break;
                    }
                }
                return !inner.closed.is_cancelled();
            }
        }
    }

    /// Publish the issues that edits have moved; whether a document was edited that is to be read.
    async fn publish_moved(&self) -> bool {
        tokio::time::sleep(EDIT_DEBOUNCE).await;
        let inner = self.inner.clone();
        let published = blocking(move || {
            let (moved, is_stale) = {
                let mut state = inner.state();
                (std::mem::take(&mut state.moved), state.is_stale)
            };
            inner.publish(Some(moved));
            Ok(is_stale)
        });
        published.await.unwrap_or_else(|error| {
            tracing::error!(%error, "moved issues cannot be published");
            false
        })
    }

    /// Returns when the active run has released the lock; never where none was active.
    async fn run_ended_elsewhere(&self) {
        loop {
            tokio::time::sleep(LOCK_POLL_INTERVAL).await;
            let inner = self.inner.clone();
            let ended = blocking(move || {
                let state = inner.state();
                let (Some(run), Some((_, store))) = (state.active_run.clone(), &state.memory) else { return Ok(false) };
                let store = store.clone();
                drop(state);
                Ok(store.holder().is_none_or(|holder| holder.run != run))
            });
            if ended.await.unwrap_or_default() {
                return;
            }
        }
    }

    /// The issues of a document on the lines of a range.
    pub(crate) fn issues_at(&self, uri: &Url, range: Range) -> Vec<ShownIssue> {
        let mut shown = self.issues_in(uri);
        shown.retain(|shown| shown.range.start.line <= range.end.line && range.start.line <= shown.range.end.line);
        shown
    }

    /// The issues of a document.
    pub(crate) fn issues_in(&self, uri: &Url) -> Vec<ShownIssue> {
        let inner = &self.inner;
        let _held = inner.documents.lock_changes();
        let state = inner.state();
        let path = from_proto::path(uri);
        let placed = path.and_then(|path| state.files.get(&path)?.snapshot(&path, &inner.documents));
        let Some(placed) = placed else { return Vec::new() };
        drop(state);
        let ranges = placed.ranges(inner.documents.encoding());
        let shown = |(read, range): (&ReadIssue, Range)| ShownIssue {
            phase: read.phase,
            base: read.base.clone(),
            issue: read.issue.clone(),
            range,
        };
        placed.issues.iter().zip(ranges).map(shown).collect()
    }

    /// Clear all diagnostics; none is published afterwards.
    pub(crate) async fn close(&self) {
        self.inner.closed.cancel();
        let _no_reading = self.inner.reading.lock().await;
        let mut state = self.inner.state();
        state.files.clear();
        state.others.clear();
        drop(state);
        self.inner.publish(None);
        self.inner.watch().set_files(BTreeSet::new());
    }
}

impl Inner {
    fn context(&self) -> ReadContext<'_> {
        ReadContext {
            client: &self.client,
            folder: &self.path,
            documents: &self.documents,
            with_task: self.capabilities.related_information,
            with_status: !self.capabilities.own_status,
            table: self.table,
        }
    }

    /// Replace the state by what was read. Issues that were known stay on the lines they have moved to.
    fn replace(&self, reading: Reading) {
        // Outside of the locks, in the texts on the disk.
        let mut found: BTreeMap<PathBuf, (Vec<ReadIssue>, Vec<Anchor>)> = BTreeMap::new();
        for read in reading.issues {
            let (issues, anchors) = found.entry(read.path.clone()).or_default();
            issues.push(read);
            anchors.clear();
        }
        for (path, (issues, anchors)) in &mut found {
            let text = reading.texts.get(path).cloned().or_else(|| self.documents.text(path));
            let text = text.unwrap_or_else(|| Arc::new(Text::new("")));
            let lines: Vec<&str> = text.lines().collect();
            let quotes_mask = |read: &ReadIssue| read.issue.quote.as_deref().is_some_and(|quote| masks(quote) > 0);
            let masked = issues.iter().any(quotes_mask).then(|| Text::new(masked(text.as_str()).into_owned()));
            let shown = masked.as_ref().map(|masked| masked.lines().collect::<Vec<&str>>());
            let shown = shown.as_ref().unwrap_or(&lines);
            let anchor = |read: &ReadIssue| match read.listed_at {
                Some(line) => Anchor::at(line, &lines),
                None => Anchor::find(&read.issue, &lines, shown),
            };
            *anchors = issues.iter().map(anchor).collect();
        }
        let _held = self.documents.lock_changes();
        let mut state = self.state();
        let mut known = std::mem::take(&mut state.files);
        for (path, (issues, mut anchors)) in found {
            let (on_disk, open) = (reading.texts.get(&path), self.documents.text(&path));
            let Some(text) = open.as_ref().or(on_disk).cloned() else { continue };
            if let (Some(on_disk), Some(open)) = (on_disk, &open) {
                anchor::follow_text(&mut anchors, on_disk, open);
            }
            if let Some(mut known) = known.remove(&path) {
                if let Some(before) = &known.text {
                    anchor::follow_text(&mut known.anchors, before, &text);
                }
                // The workflow's review and the one beside it may have found the same.
                let key = |read: &ReadIssue| (read.issue.id.clone(), read.base.is_some());
                let mut moved: HashMap<(String, bool), (&ReadIssue, Anchor)> = HashMap::new();
                for (read, anchor) in known.issues.iter().zip(known.anchors) {
                    moved.insert(key(read), (read, anchor));
                }
                for (read, anchor) in issues.iter().zip(&mut anchors) {
                    if let Some((before, moved)) = moved.remove(&key(read))
                        && (&before.issue, before.reviewed_at) == (&read.issue, read.reviewed_at)
                    {
                        *anchor = moved;
                    }
                }
            }
            let text = if open.is_some() { None } else { Some(text) };
            let issues = issues.into();
            state.files.insert(path, IssueFile { issues, anchors, text });
        }
        state.others = reading.others;
        state.memory = reading.memory;
        state.active_run = reading.active_run;
    }

    /// Send what differs from what the client has: of these files, or of all.
    fn publish(&self, files: Option<BTreeSet<PathBuf>>) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshots: Vec<Snapshot> = {
            let _held = self.documents.lock_changes();
            let mut state = self.state();
            let files = files.unwrap_or_else(|| {
                let all = published.keys().chain(state.files.keys()).chain(state.others.keys());
                all.cloned().collect()
            });
            files.into_iter().filter_map(|path| state.snapshot(path, &self.documents)).collect()
        };
        let encoding = self.documents.encoding();
        for params in snapshots.into_iter().flat_map(|snapshot| snapshot.publish(&mut published, encoding)) {
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
}
