//! What a command that goes on showing waits for: a change of the memory folder, Ctrl-C, or that nobody reads it any more.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::mpsc;

use super::failure::Failure;
use super::output::reader_left;
use super::session::Session;
use super::signals::Stops;
use crate::memory::{PLAN_MARKDOWN, Store, TASK};
use crate::workspace::Watch;

/// Changes that come so close together are one.
const PAUSE: Duration = Duration::from_millis(50);
/// The lock of a process that was killed is free without a change of any file. This only asks for the lock.
const LOCK_POLL: Duration = Duration::from_secs(1);

/// Why a command goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// A file has changed.
    Changed,
    /// Time has passed.
    Tick,
    /// The terminal has another size.
    #[cfg_attr(not(unix), expect(dead_code, reason = "a signal tells of it"))]
    Resized,
    /// The user wants it to stop for a while, as by Ctrl-Z: [`stop_self`] does.
    #[cfg_attr(not(unix), expect(dead_code, reason = "a signal tells of it"))]
    Suspended,
    /// The user wants it to end.
    Stopped,
    /// Nobody reads standard output any more.
    ReaderLeft,
}

/// Waits for all of these. Made on a runtime.
pub(super) struct Watching {
    watch: Watch,
    changed: mpsc::Receiver<()>,
    stops: Stops,
    reader_left: Pin<Box<dyn Future<Output = ()>>>,
    terminal: TerminalSignals,
}

impl Watching {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// When the system does not allow to wait for signals.
    pub(super) fn new() -> Result<Self, Failure> {
        let (watch, changed) = Watch::new();
        let terminal = TerminalSignals::new()?;
        Ok(Self { watch, changed, stops: Stops::new()?, reader_left: Box::pin(reader_left()), terminal })
    }

    /// Watch the files of the memory folder that change with a run, and the events of this run.
    pub(super) fn memory(&mut self, session: &Session, store: Option<&Store>, run: Option<&str>) {
        self.watch.set_files(files(session, store, run));
    }

    /// Wait for the next thing; `ticks` says whether time is one.
    pub(super) async fn next(&mut self, ticks: bool) -> Wake {
        tokio::select! {
            _ = self.stops.next() => Wake::Stopped,
            () = &mut self.reader_left => Wake::ReaderLeft,
            wake = self.terminal.next() => wake,
            Some(()) = self.changed.recv() => {
                tokio::time::sleep(PAUSE).await;
                let _more = self.changed.try_recv();
                Wake::Changed
            }
            () = tokio::time::sleep(LOCK_POLL), if ticks => Wake::Tick,
        }
    }
}

fn files(session: &Session, store: Option<&Store>, run: Option<&str>) -> BTreeSet<PathBuf> {
    let folder = session.workspace.root().join(&session.settings.memory_dir);
    let handoffs: Vec<&str> = store.iter().flat_map(|store| store.handoffs().json().map(|(file, _)| file)).collect();
    let names = handoffs.into_iter().chain([TASK, PLAN_MARKDOWN, "lock", "runs", "history"]);
    let mut files: BTreeSet<PathBuf> = names.map(|file| folder.join(file)).collect();
    files.extend(run.map(|run| folder.join("runs").join(run).join("events.jsonl")));
    files.insert(folder);
    files
}

/// What the system says of the terminal: another size, and Ctrl-Z.
struct TerminalSignals {
    #[cfg(unix)]
    resized: tokio::signal::unix::Signal,
    #[cfg(unix)]
    suspended: tokio::signal::unix::Signal,
}

impl TerminalSignals {
    #[cfg(unix)]
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let suspend = SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw());
        Ok(Self { resized: signal(SignalKind::window_change())?, suspended: signal(suspend)? })
    }

    #[cfg(unix)]
    async fn next(&mut self) -> Wake {
        tokio::select! {
            Some(()) = self.resized.recv() => Wake::Resized,
            Some(()) = self.suspended.recv() => Wake::Suspended,
            else => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) -> Wake {
        std::future::pending().await
    }
}

/// Stop this process until the shell lets it go on. A handler of Ctrl-Z is in the place of what the system would do.
pub(super) fn stop_self() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP) {
        tracing::warn!(%error, "this process cannot be stopped for a while");
    }
}
