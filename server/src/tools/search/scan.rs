//! Which files hold a match, and how many: every file is read once, on two threads.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pattern::Pattern;
use crate::contracts::RepoPath;
use crate::tools::error::{ToolError, sentence};
use crate::tools::toolbox::Toolbox;
use crate::workspace::{
    Globs, Interrupt, Interrupted, Walk, WalkError, by_folder, is_secret_text, secret_spans, text_of, visit_files,
};

/// Bytes searched before a search gives up.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Where to search.
pub(super) enum Place {
    /// In one file.
    File(RepoPath),
    /// Beneath a folder, or in the whole workspace.
    Folder(Option<RepoPath>),
}

/// The files that are searched, as the agent sees them.
pub(super) struct Sources<'a> {
    pub(super) toolbox: &'a Toolbox,
    pub(super) place: Place,
    /// The task's own changes.
    pub(super) overlay: HashMap<RepoPath, Option<Vec<u8>>>,
}

/// A file with matches.
pub(super) struct Hit {
    pub(super) path: RepoPath,
    /// Matching lines, or matches where they span lines; 1 if only the first was looked for.
    pub(super) count: usize,
}

/// What a scan found.
#[derive(Default)]
pub(super) struct Found {
    /// In the order of a listing.
    pub(super) hits: Vec<Hit>,
    /// Files looked into.
    pub(super) searched: usize,
    /// Whether there are files that were not looked into, for they are too many.
    pub(super) more: bool,
    /// The time limit, if it was exceeded.
    pub(super) timed_out: Option<Duration>,
}

impl Sources<'_> {
    /// A file's bytes; `None` for what cannot be read now, which has nothing to show.
    pub(super) fn load<'b>(&'b self, path: &RepoPath, buffer: &'b mut Vec<u8>) -> Option<&'b [u8]> {
        let workspace = &self.toolbox.workspace;
        match (self.overlay.get(path), &self.place) {
            (Some(staged), _) => staged.as_deref(),
            (None, Place::Folder(_)) => workspace.read_found(path, buffer),
            // It was asked for by this name, which may be a link.
            (None, Place::File(_)) => {
                *buffer = workspace.read_open(path).ok()??.bytes;
                Some(buffer)
            }
        }
    }

    /// Looks through all files; with `first_only` each until its first match.
    ///
    /// # Errors
    /// When there is no such folder, or when interrupted before anything was found.
    pub(super) fn scan(&self, pattern: &Pattern, globs: Option<&Globs>, first_only: bool) -> Result<Found, ToolError> {
        let interrupt = &self.toolbox.interrupt;
        let scan = Scan {
            sources: self,
            pattern,
            interrupt,
            first_only,
            hits: Mutex::default(),
            searched: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            too_many: AtomicBool::new(false),
        };
        let outcome = match &self.place {
            Place::File(path) => scan.look_into(path, &mut Vec::new()).map(|()| false).map_err(WalkError::from),
            Place::Folder(folder) => scan.look_through(folder.as_ref(), globs),
        };
        let mut hits = scan.hits.into_inner().unwrap_or_else(PoisonError::into_inner);
        hits.sort_unstable_by(|a, b| by_folder(&a.path, &b.path));
        let mut found =
            Found { hits, searched: scan.searched.into_inner(), more: scan.too_many.into_inner(), timed_out: None };
        match outcome {
            Ok(more) => found.more |= more,
            Err(WalkError::Interrupted(Interrupted::TimedOut(time))) if !found.hits.is_empty() => {
                found.timed_out = Some(time);
            }
            Err(WalkError::Interrupted(interrupted)) => return Err(interrupted.into()),
            Err(error) => return Err(sentence(&error).into()),
        }
        Ok(found)
    }
}

struct Scan<'a> {
    sources: &'a Sources<'a>,
    pattern: &'a Pattern,
    interrupt: &'a Interrupt,
    first_only: bool,
    hits: Mutex<Vec<Hit>>,
    searched: AtomicUsize,
    bytes: AtomicUsize,
    too_many: AtomicBool,
}

impl Scan<'_> {
    /// Looks into the files on disk, and then into those that the task changed or made.
    fn look_through(&self, folder: Option<&RepoPath>, globs: Option<&Globs>) -> Result<bool, WalkError> {
        let toolbox = self.sources.toolbox;
        let overlay = &self.sources.overlay;
        let walk = Walk { memory_dir: &toolbox.memory_dir, folder, globs, limit: usize::MAX };
        let interrupted = Mutex::new(None);
        let visitor = || {
            let mut buffer = Vec::new();
            let interrupted = &interrupted;
            move |path: RepoPath| {
                if overlay.contains_key(&path) {
                    return ControlFlow::Continue(());
                }
                match self.look_into(&path, &mut buffer) {
                    Ok(()) if self.too_many.load(Ordering::Relaxed) => ControlFlow::Break(()),
                    Ok(()) => ControlFlow::Continue(()),
                    Err(why) => {
                        lock(interrupted).get_or_insert(why);
                        ControlFlow::Break(())
                    }
                }
            }
        };
        let all = Walk { globs: None, ..walk };
        let own: Vec<&RepoPath> = overlay.keys().filter(|path| walk.wants(path)).collect();
        let more = match visit_files(&toolbox.workspace, &walk, self.interrupt, visitor) {
            Ok(more) => more,
            // A folder that so far only the task has.
            Err(WalkError::NoFolder(_) | WalkError::File(_) | WalkError::Other(_))
                if overlay.keys().any(|path| all.wants(path)) =>
            {
                false
            }
            Err(error) => return Err(error),
        };
        if let Some(why) = interrupted.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(why.into());
        }
        for path in own {
            self.look_into(path, &mut Vec::new())?;
        }
        Ok(more)
    }

    fn look_into(&self, path: &RepoPath, buffer: &mut Vec<u8>) -> Result<(), Interrupted> {
        let Some(bytes) = self.sources.load(path, buffer) else { return Ok(()) };
        self.searched.fetch_add(1, Ordering::Relaxed);
        if self.bytes.fetch_add(bytes.len(), Ordering::Relaxed) > MOST_BYTES {
            self.too_many.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let count = self.count(bytes)?;
        if count > 0 {
            lock(&self.hits).push(Hit { path: path.clone(), count });
        }
        Ok(())
    }

    fn count(&self, bytes: &[u8]) -> Result<usize, Interrupted> {
        let Some(text) = text_of(bytes) else { return Ok(0) };
        let count = |hidden: &[_]| {
            let mut count = 0;
            self.pattern.each_match(&text, hidden, self.interrupt, |_| {
                count += 1;
                if self.first_only { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(count)
        };
        // Most files hold no match, and what is hidden adds none.
        let all = count(&[])?;
        if all == 0 || is_secret_text(bytes) {
            return Ok(0);
        }
        let hidden = secret_spans(&text);
        if hidden.is_empty() { Ok(all) } else { count(&hidden) }
    }
}

/// A poisoned lock is ignored: each change of what it guards is atomic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
