//! Notifies when files change, whatever process changes them.
//!
//! Folders are watched, not files: a file that is replaced is another file each time. Where the system cannot watch a
//! folder, the files are polled once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use cap_std::fs::Metadata;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::platform::inode;

/// How often files that cannot be watched are polled.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A watch on some files, and on the folders that they are or will be in. It ends when it is dropped.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    shared: Arc<Shared>,
    polling: Option<JoinHandle<()>>,
}

struct Shared {
    /// The files, and the missing folders above them; where files are polled, the last state of each.
    wanted: Mutex<BTreeMap<PathBuf, State>>,
    changed: mpsc::Sender<()>,
}

/// Distinguishes a folder from another one that was made later at the same path.
type Identity = (u64, u64, Option<SystemTime>);

/// Distinguishes a file from an earlier state of it.
type State = Option<(u64, Option<SystemTime>, Identity)>;

impl Watch {
    /// A watch on nothing yet, and the channel it notifies. Changes before the receiver reads are one notification.
    pub fn new() -> (Self, mpsc::Receiver<()>) {
        let (shared, receiver) = Shared::new();
        let for_events = shared.clone();
        let watcher = notify::recommended_watcher(move |event| for_events.on_event(&event));
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "files are polled once a second")).ok();
        (Self { watcher, watched: BTreeMap::new(), shared, polling: None }, receiver)
    }

    /// The same where the system cannot watch.
    #[cfg(test)]
    fn by_polling() -> (Self, mpsc::Receiver<()>) {
        let (shared, receiver) = Shared::new();
        (Self { watcher: None, watched: BTreeMap::new(), shared, polling: None }, receiver)
    }

    /// Watch these files, whether they exist or not, and no others. For a folder that was not watched before it notifies
    /// at once: changes before are not known.
    pub fn set_files(&mut self, files: BTreeSet<PathBuf>) {
        let mut wanted = files;
        let mut folders = BTreeSet::new();
        for file in wanted.clone() {
            let mut above = file.parent();
            while let Some(folder) = above.filter(|folder| !folder.is_dir()) {
                wanted.insert(folder.to_owned());
                above = folder.parent();
            }
            folders.extend(above.map(Path::to_owned));
        }
        let is_new = self.watch(&folders);
        self.shared.want(wanted, self.polling.is_some());
        if is_new {
            self.shared.notify();
        }
    }

    /// Watch these folders and no others; whether there is a new one among them.
    fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        let stale = |(folder, identity): &(&PathBuf, &Identity)| {
            !folders.contains(*folder) || self::identity(folder).as_ref() != Some(identity)
        };
        let stale: Vec<PathBuf> = self.watched.iter().filter(stale).map(|(folder, _)| folder.clone()).collect();
        for folder in stale {
            self.watched.remove(&folder);
            if let Some(watcher) = &mut self.watcher {
                // The system has already ended the watch on a folder that is gone.
                drop(watcher.unwatch(&folder));
            }
        }
        let mut is_new = false;
        for folder in folders {
            let Some(identity) = identity(folder).filter(|_| !self.watched.contains_key(folder)) else { continue };
            let watched = self.watcher.as_mut().map(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive));
            if !matches!(watched, Some(Ok(()))) {
                if let Some(Err(error)) = watched {
                    tracing::warn!(%error, folder = %folder.display(), "files are polled once a second");
                }
                self.poll();
            }
            self.watched.insert(folder.clone(), identity);
            is_new = true;
        }
        is_new
    }

    /// Poll the files, beside what can be watched.
    fn poll(&mut self) {
        let shared = &self.shared;
        self.polling.get_or_insert_with(|| tokio::spawn(poll(shared.clone())));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(polling) = &self.polling {
            polling.abort();
        }
    }
}

impl Shared {
    fn new() -> (Arc<Self>, mpsc::Receiver<()>) {
        let (changed, receiver) = mpsc::channel(1);
        (Arc::new(Self { wanted: Mutex::default(), changed }), receiver)
    }

    fn on_event(&self, event: &notify::Result<Event>) {
        let matters = match event {
            // Reading changes nothing, and this process reads all the time.
            Ok(Event { kind: EventKind::Access(_), .. }) => false,
            // The system lost events.
            Ok(event) if event.need_rescan() => true,
            Ok(event) => {
                let wanted = self.wanted();
                event.paths.iter().any(|path| wanted.contains_key(path))
            }
            Err(error) => {
                tracing::warn!(%error, "a change of files may have been missed");
                true
            }
        };
        if matters {
            self.notify();
        }
    }

    fn want(&self, paths: BTreeSet<PathBuf>, are_polled: bool) {
        let mut wanted = self.wanted();
        wanted.retain(|path, _| paths.contains(path));
        for path in paths {
            wanted.entry(path).or_insert_with_key(|path| if are_polled { state_of(path) } else { None });
        }
    }

    fn notify(&self) {
        // A notification that was not read yet covers this one.
        let _pending = self.changed.try_send(());
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is whole.
    fn wanted(&self) -> MutexGuard<'_, BTreeMap<PathBuf, State>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn poll(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let shared = shared.clone();
        let polled = tokio::task::spawn_blocking(move || {
            let paths: Vec<PathBuf> = shared.wanted().keys().cloned().collect();
            let states: Vec<State> = paths.iter().map(|path| state_of(path)).collect();
            let mut wanted = shared.wanted();
            let mut is_changed = false;
            for (path, state) in paths.iter().zip(states) {
                if let Some(seen) = wanted.get_mut(path).filter(|seen| **seen != state) {
                    *seen = state;
                    is_changed = true;
                }
            }
            drop(wanted);
            if is_changed {
                shared.notify();
            }
        });
        if let Err(error) = polled.await {
            tracing::error!(%error, "files could not be polled");
        }
    }
}

fn state_of(path: &Path) -> State {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok(), identity(path)?))
}

#[expect(clippy::disallowed_methods, reason = "it only asks whether a watched file changed")]
fn identity(path: &Path) -> Option<Identity> {
    let metadata = path.metadata().ok()?;
    // The system soon reuses an inode number.
    let made = metadata.created().ok();
    let (device, number) = inode(&Metadata::from_just_metadata(metadata)).map_or((0, 0), |inode| inode.id());
    Some((device, number, made))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    struct Fixture {
        folder: TempDir,
        watch: Watch,
        changed: mpsc::Receiver<()>,
    }

    impl Fixture {
        fn new((watch, changed): (Watch, mpsc::Receiver<()>)) -> Self {
            Self { folder: tempfile::tempdir().unwrap(), watch, changed }
        }

        fn path(&self, path: &str) -> PathBuf {
            self.folder.path().canonicalize().unwrap().join(path)
        }

        fn set_files(&mut self, paths: &[&str]) {
            let paths = paths.iter().map(|path| self.path(path)).collect();
            self.watch.set_files(paths);
        }

        async fn is_notified(&mut self) -> bool {
            tokio::time::timeout(Duration::from_secs(10), self.changed.recv()).await == Ok(Some(()))
        }

        /// A change of this file notifies, once.
        async fn is_notified_of(&mut self, path: &str) {
            fs::write(self.path(path), path).unwrap();
            assert!(self.is_notified().await, "{path}");
            // One change is several events.
            while tokio::time::timeout(Duration::from_millis(200), self.changed.recv()).await.is_ok() {}
        }
    }

    #[tokio::test]
    async fn a_change_of_a_file_is_notified_and_of_its_neighbours_it_is_not() {
        let mut fixture = Fixture::new(Watch::new());
        fixture.set_files(&["a.json"]);
        assert!(fixture.is_notified().await, "nobody knows what happened before");
        fixture.is_notified_of("a.json").await;
        fs::write(fixture.path("b.json"), "x").unwrap();
        fs::read(fixture.path("a.json")).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(300), fixture.changed.recv()).await.is_err());
        fs::rename(fixture.path("b.json"), fixture.path("a.json")).unwrap();
        assert!(fixture.is_notified().await, "replaced");
    }

    #[tokio::test]
    async fn a_folder_that_is_made_later_or_made_again_is_watched_too() {
        let mut fixture = Fixture::new(Watch::new());
        fixture.set_files(&["m/runs/a.json"]);
        assert!(fixture.is_notified().await);
        for _ in 0..2 {
            fs::create_dir_all(fixture.path("m/runs")).unwrap();
            assert!(fixture.is_notified().await, "the folder appears");
            fixture.set_files(&["m/runs/a.json", "m"]);
            assert!(fixture.is_notified().await, "what is in it may be older than the watch");
            fixture.is_notified_of("m/runs/a.json").await;
            fs::remove_dir_all(fixture.path("m")).unwrap();
            assert!(fixture.is_notified().await, "it is gone");
            fixture.set_files(&["m/runs/a.json", "m"]);
            while tokio::time::timeout(Duration::from_millis(200), fixture.changed.recv()).await.is_ok() {}
        }
    }

    #[tokio::test]
    async fn where_nothing_can_be_watched_the_files_are_polled() {
        let mut fixture = Fixture::new(Watch::by_polling());
        fs::write(fixture.path("a.json"), "").unwrap();
        fixture.set_files(&["a.json", "m/b.json"]);
        assert!(fixture.is_notified().await, "nobody knows what happened before");
        fixture.is_notified_of("a.json").await;
        fs::create_dir(fixture.path("m")).unwrap();
        assert!(fixture.is_notified().await, "a folder appears");
    }
}
