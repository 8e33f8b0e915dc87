//! Told when files change, whoever changes them.
//!
//! Folders are watched, not files: a file that is written whole is another file each time. Where the system cannot
//! watch a folder, the files are looked at once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How often files are looked at that cannot be watched.
const LOOKING: Duration = Duration::from_secs(1);

/// Some files under watch, and the folders that they are or will be in. Dropped, it ends.
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
    shared: Arc<Shared>,
    looking: Option<JoinHandle<()>>,
}

struct Shared {
    /// What is of interest: the files, and the folders above them that are missing. Where files are looked at, what was
    /// seen of each.
    wanted: Mutex<BTreeMap<PathBuf, Look>>,
    changed: mpsc::Sender<()>,
}

/// What tells a folder from another one made later in its place.
type Identity = (u64, u64, Option<SystemTime>);

/// What tells a file from what it was before.
type Look = Option<(u64, Option<SystemTime>, Identity)>;

impl Watch {
    /// A watch on nothing yet, and where it tells that something has changed. Changes that nobody has taken note of yet
    /// are told once.
    pub(crate) fn new() -> (Self, mpsc::Receiver<()>) {
        let (shared, receiver) = Shared::new();
        let heard = shared.clone();
        let watcher = notify::recommended_watcher(move |event| heard.hear(&event));
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "files are looked at once a second")).ok();
        (Self { watcher, watched: BTreeMap::new(), shared, looking: None }, receiver)
    }

    /// The same where the system watches nothing.
    #[cfg(test)]
    fn by_looking() -> (Self, mpsc::Receiver<()>) {
        let (shared, receiver) = Shared::new();
        (Self { watcher: None, watched: BTreeMap::new(), shared, looking: None }, receiver)
    }

    /// Watch these files from now on, whether they exist or not, and no others. Where that takes folders that were not
    /// watched until now, a change is told: nobody knows what happened there before.
    pub(crate) fn look_at(&mut self, files: BTreeSet<PathBuf>) {
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
        self.shared.want(wanted, self.looking.is_some());
        if is_new {
            self.shared.tell();
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
                // A folder that is gone is not watched any more by itself.
                drop(watcher.unwatch(&folder));
            }
        }
        let mut is_new = false;
        for folder in folders {
            let Some(identity) = identity(folder).filter(|_| !self.watched.contains_key(folder)) else { continue };
            let watched = self.watcher.as_mut().map(|watcher| watcher.watch(folder, RecursiveMode::NonRecursive));
            if !matches!(watched, Some(Ok(()))) {
                if let Some(Err(error)) = watched {
                    tracing::warn!(%error, folder = %folder.display(), "files are looked at once a second");
                }
                self.look();
            }
            self.watched.insert(folder.clone(), identity);
            is_new = true;
        }
        is_new
    }

    /// Look at the files every now and then.
    fn look(&mut self) {
        let shared = &self.shared;
        self.looking.get_or_insert_with(|| tokio::spawn(look(shared.clone())));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(looking) = &self.looking {
            looking.abort();
        }
    }
}

impl Shared {
    fn new() -> (Arc<Self>, mpsc::Receiver<()>) {
        let (changed, receiver) = mpsc::channel(1);
        (Arc::new(Self { wanted: Mutex::default(), changed }), receiver)
    }

    fn hear(&self, event: &notify::Result<Event>) {
        let matters = match event {
            // To be read changes nothing, and this process reads all the time.
            Ok(Event { kind: EventKind::Access(_), .. }) => false,
            // The system lost count.
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
            self.tell();
        }
    }

    fn want(&self, paths: BTreeSet<PathBuf>, are_looked_at: bool) {
        let mut wanted = self.wanted();
        wanted.retain(|path, _| paths.contains(path));
        for path in paths {
            wanted.entry(path).or_insert_with_key(|path| if are_looked_at { look_of(path) } else { None });
        }
    }

    fn tell(&self) {
        // One that is not taken note of yet tells this one too.
        let _told_already = self.changed.try_send(());
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is whole.
    fn wanted(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Look>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(LOOKING).await;
        let shared = shared.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let paths: Vec<PathBuf> = shared.wanted().keys().cloned().collect();
            let looks: Vec<Look> = paths.iter().map(|path| look_of(path)).collect();
            let mut wanted = shared.wanted();
            let mut is_changed = false;
            for (path, look) in paths.iter().zip(looks) {
                if let Some(seen) = wanted.get_mut(path).filter(|seen| **seen != look) {
                    *seen = look;
                    is_changed = true;
                }
            }
            drop(wanted);
            if is_changed {
                shared.tell();
            }
        });
        if let Err(error) = looked.await {
            tracing::error!(%error, "files could not be looked at");
        }
    }
}

fn look_of(path: &Path) -> Look {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok(), identity(path)?))
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = path.metadata().ok()?;
    // A number is soon given again to another file.
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<Identity> {
    Some((0, 0, path.metadata().ok()?.created().ok()))
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

        fn look_at(&mut self, paths: &[&str]) {
            let paths = paths.iter().map(|path| self.path(path)).collect();
            self.watch.look_at(paths);
        }

        async fn is_told(&mut self) -> bool {
            tokio::time::timeout(Duration::from_secs(10), self.changed.recv()).await == Ok(Some(()))
        }

        /// Nothing but this is told: what follows is, and comes once.
        async fn is_told_of(&mut self, path: &str) {
            fs::write(self.path(path), path).unwrap();
            assert!(self.is_told().await, "{path}");
            // One change is several events.
            while tokio::time::timeout(Duration::from_millis(200), self.changed.recv()).await.is_ok() {}
        }
    }

    #[tokio::test]
    async fn a_change_of_a_file_is_told_and_of_its_neighbours_it_is_not() {
        let mut fixture = Fixture::new(Watch::new());
        fixture.look_at(&["a.json"]);
        assert!(fixture.is_told().await, "nobody knows what happened before");
        fixture.is_told_of("a.json").await;
        fs::write(fixture.path("b.json"), "x").unwrap();
        fs::read(fixture.path("a.json")).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(300), fixture.changed.recv()).await.is_err());
        fs::rename(fixture.path("b.json"), fixture.path("a.json")).unwrap();
        assert!(fixture.is_told().await, "replaced");
    }

    #[tokio::test]
    async fn a_folder_that_is_made_later_or_made_anew_is_watched_all_the_same() {
        let mut fixture = Fixture::new(Watch::new());
        fixture.look_at(&["m/runs/a.json"]);
        assert!(fixture.is_told().await);
        for _ in 0..2 {
            fs::create_dir_all(fixture.path("m/runs")).unwrap();
            assert!(fixture.is_told().await, "the folder appears");
            fixture.look_at(&["m/runs/a.json", "m"]);
            assert!(fixture.is_told().await, "what is in it may be older than the watch");
            fixture.is_told_of("m/runs/a.json").await;
            fs::remove_dir_all(fixture.path("m")).unwrap();
            assert!(fixture.is_told().await, "it is gone");
            fixture.look_at(&["m/runs/a.json", "m"]);
            while tokio::time::timeout(Duration::from_millis(200), fixture.changed.recv()).await.is_ok() {}
        }
    }

    #[tokio::test]
    async fn where_nothing_can_be_watched_the_files_are_looked_at() {
        let mut fixture = Fixture::new(Watch::by_looking());
        fs::write(fixture.path("a.json"), "").unwrap();
        fixture.look_at(&["a.json", "m/b.json"]);
        assert!(fixture.is_told().await, "nobody knows what happened before");
        fixture.is_told_of("a.json").await;
        fs::create_dir(fixture.path("m")).unwrap();
        assert!(fixture.is_told().await, "a folder appears");
    }
}
