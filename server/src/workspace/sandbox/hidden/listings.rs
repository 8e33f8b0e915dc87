//! What the folders of a workspace hold, kept from one check to the next: a folder that has not changed need not be read again.
//!
//! A folder's time of change is set by the file system at every entry that is made, removed or renamed in it, and by nothing
//! else a program could do. It is trusted where the file system is one that keeps it, and once it is old enough that a later
//! change cannot bear the same one. What is in files is not kept.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::files::is_device;
use super::names::{is_secret_name, join};
use super::table::{MARKS, REPOSITORIES};

/// What a folder holds, as far as the search asks.
#[derive(Debug)]
pub(super) struct Listing {
    /// All entries, those that are not listed too.
    pub(super) count: usize,
    /// Whether it says that others have published what is in it.
    pub(super) has_mark: bool,
    pub(super) entries: Vec<Entry>,
}

/// A folder in it, a file that may be a secret, a socket or a FIFO.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: OsString,
    pub(super) kind: Kind,
    /// Whether its path is that of a secret, if it is a file or a link.
    pub(super) is_secret_name: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Link,
    /// A socket or a FIFO.
    Special,
}

impl Listing {
    /// Of entries of a folder whose contents are judged by this path.
    pub(super) fn of(entries: &[fs::DirEntry], judged: &str) -> Self {
        let has_mark = entries.iter().any(|entry| MARKS.iter().any(|mark| entry.file_name() == *mark));
        let listed = entries.iter().filter_map(|entry| Entry::of(entry, judged)).collect();
        Self { count: entries.len(), has_mark, entries: listed }
    }
}

impl Entry {
    /// `None` for what the search never asks for.
    fn of(entry: &fs::DirEntry, judged: &str) -> Option<Self> {
        let kind = entry.file_type().ok()?;
        let name = entry.file_name();
        let (kind, is_secret_name) = if kind.is_dir() {
            (Kind::Folder, false)
        } else if kind.is_file() || kind.is_symlink() {
            (if kind.is_file() { Kind::File } else { Kind::Link }, is_secret_name(&join(judged, &name)))
        } else {
            (Kind::Special, false)
        };
        // Where git's configuration is, be it a folder or a file that says where, is asked for too.
        let is_asked_for = name == ".git"
            || match kind {
                Kind::Folder => !REPOSITORIES.iter().any(|repository| name == *repository),
                Kind::File => is_secret_name || is_json(&name),
                Kind::Link => is_secret_name,
                Kind::Special => !is_device(entry.file_type().ok()?),
            };
        is_asked_for.then_some(Self { name, kind, is_secret_name })
    }
}

/// Whether a name is that of a file whose content tells whether it is a secret.
pub(super) fn is_json(name: &OsStr) -> bool {
    Path::new(name).extension() == Some(OsStr::new("json"))
}

/// The listings of a workspace.
#[derive(Debug)]
pub(in crate::workspace::sandbox) struct Listings {
    folders: HashMap<PathBuf, Known>,
    /// Those of the walk under way; the others are forgotten at its end.
    seen: HashMap<PathBuf, Known>,
    /// Whether the file system of a device keeps the time of change.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "elsewhere none is asked"))]
    trusted: HashMap<u64, bool>,
    /// A folder that was changed less than this before it was read is read again: a kernel's clock moves in steps.
    settled: Duration,
}

impl Default for Listings {
    fn default() -> Self {
        let [folders, seen] = [HashMap::new(), HashMap::new()];
        Self { folders, seen, trusted: HashMap::new(), settled: Duration::from_secs(2) }
    }
}

#[derive(Debug)]
struct Known {
    state: State,
    judged: String,
    listing: Arc<Listing>,
}

/// Which folder it was, and when it was last changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    device: u64,
    inode: u64,
    /// Since the epoch.
    changed: Duration,
}

impl Listings {
    /// The state of a folder before it is read; `None` where it cannot be told whether it changes.
    #[cfg(target_os = "linux")]
    pub(super) fn state(&mut self, folder: &Path) -> Option<State> {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::symlink_metadata(folder).ok().filter(fs::Metadata::is_dir)?;
        let device = metadata.dev();
        let keeps_time =
            || rustix::fs::statfs(folder).is_ok_and(|stat| crate::workspace::sandbox::scratch::is_of_disk(&stat));
        let is_trusted = *self.trusted.entry(device).or_insert_with(keeps_time);
        let seconds = u64::try_from(metadata.ctime()).ok()?;
        let changed = Duration::new(seconds, u32::try_from(metadata.ctime_nsec()).ok()?);
        is_trusted.then_some(State { device, inode: metadata.ino(), changed })
    }

    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "as where there are states")]
    pub(super) fn state(&mut self, _: &Path) -> Option<State> {
        None
    }

    /// What a folder holds, if it has not changed since it was read.
    pub(super) fn known(&mut self, folder: &Path, state: Option<State>, judged: &str) -> Option<Arc<Listing>> {
        if let Some((path, known)) = self.folders.remove_entry(folder) {
            self.seen.insert(path, known);
        }
        let known = self.seen.get(folder)?;
        (Some(known.state) == state && known.judged == judged).then(|| known.listing.clone())
    }

    /// Keeps what was read of a folder that had this state before.
    pub(super) fn keep(&mut self, folder: &Path, state: Option<State>, judged: &str, listing: &Arc<Listing>) {
        self.seen.remove(folder);
        let is_settled = |state: &State| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            now.checked_sub(self.settled).is_some_and(|settled| state.changed < settled)
        };
        if let Some(state) = state.filter(is_settled) {
            let known = Known { state, judged: judged.to_owned(), listing: listing.clone() };
            self.seen.insert(folder.to_owned(), known);
        }
    }

    /// Forgets the folders that this walk did not come to.
    pub(super) fn end_walk(&mut self) {
        self.folders = std::mem::take(&mut self.seen);
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::super::{Found, Places, find};
    use super::*;

    struct Case {
        folder: tempfile::TempDir,
        listings: Listings,
    }

    impl Case {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("deep")).unwrap();
            Self { folder, listings: Listings { settled: Duration::ZERO, ..Listings::default() } }
        }

        fn find(&mut self) -> Vec<String> {
            let root = self.folder.path().canonicalize().unwrap();
            let places = Places { workspace: root.clone(), ..Places::default() };
            find(&places, &Found::default(), &mut self.listings).in_workspace(&root)
        }

        /// Whether the folder would not be read again.
        fn is_known(&mut self, folder: &str) -> bool {
            let path = self.folder.path().canonicalize().unwrap().join(folder);
            let state = self.listings.state(&path);
            self.listings.folders.get(&path).is_some_and(|known| Some(known.state) == state)
        }

        /// Does it until the folder's time says so: two changes may have one where the clock is coarse.
        fn change(&mut self, folder: &str, change: impl Fn(&Path), undo: impl Fn(&Path)) {
            let path = self.folder.path().join(folder);
            let before = self.listings.state(&path);
            change(&path);
            while self.listings.state(&path) == before {
                undo(&path);
                change(&path);
            }
        }
    }

    #[test]
    fn a_folder_that_has_not_changed_is_not_read_again_and_one_that_has_is() {
        let mut case = Case::new();
        assert_eq!(case.find(), Vec::<String>::new());
        if case.listings.trusted.values().any(|is_trusted| !is_trusted) {
            // The times of this file system are not trusted.
            return;
        }
        assert!(case.is_known("deep"));
        let key = |folder: &Path| folder.join("server.key");
        case.change("deep", |deep| fs::write(key(deep), "x").unwrap(), |deep| fs::remove_file(key(deep)).unwrap());
        assert!(!case.is_known("deep") && case.is_known(""));
        assert_eq!(case.find(), ["deep/server.key"]);
        assert_eq!(case.find(), ["deep/server.key"], "from what is known of it");
        assert!(case.is_known("deep"));
        let away = |deep: &Path| fs::rename(key(deep), deep.join("plain.txt")).unwrap();
        case.change("deep", away, |deep| fs::rename(deep.join("plain.txt"), key(deep)).unwrap());
        assert_eq!(case.find(), Vec::<String>::new());
    }

    #[test]
    fn what_is_in_a_file_is_looked_at_each_time() {
        let mut case = Case::new();
        let file = case.folder.path().join("deep/account.json");
        fs::write(&file, "{}").unwrap();
        assert_eq!(case.find(), Vec::<String>::new());
        fs::write(&file, "{ \"type\": \"service_account\", \"private_key\": \"-----BEGIN PRIVATE KEY-----\\nMII\" }")
            .unwrap();
        assert_eq!(case.find(), ["deep/account.json"]);
    }

    #[test]
    fn what_changed_just_now_is_read_again() {
        let mut case = Case::new();
        case.listings.settled = Duration::from_secs(60);
        case.find();
        assert!(!case.is_known("deep"));
    }

    #[test]
    fn folders_that_are_gone_are_forgotten() {
        let mut case = Case::new();
        case.find();
        fs::remove_dir(case.folder.path().join("deep")).unwrap();
        case.find();
        assert!(case.listings.folders.keys().all(|folder| !folder.ends_with("deep")));
    }
}
