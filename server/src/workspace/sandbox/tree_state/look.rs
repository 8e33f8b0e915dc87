//! One look at all files of a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::contracts::RepoPath;
use crate::workspace::MAX_FILE_BYTES;
use crate::workspace::sandbox::scratch::is_of_disk;

/// Of more entries, or in more time, no state is told: to run the command once more is cheaper then.
const MOST_ENTRIES: usize = 250_000;
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes of files that are compared by their content.
const MOST_BYTES: u64 = 32 << 20;
/// A file that was changed less than this before is compared by its content: a kernel's clock moves in steps.
const SETTLED: Duration = Duration::from_secs(2);

/// A look under way.
pub(super) struct Look<'a> {
    root: &'a Path,
    device: u64,
    memory: PathBuf,
    /// Files that are left out, and the folders above them, which are there as they have to be.
    without: BTreeMap<PathBuf, Kind>,
    /// Which files are compared by their content; `None`: those that changed just now.
    wanted: Option<&'a BTreeSet<PathBuf>>,
    began: (Instant, Duration),
    digest: Sha256,
    by_content: BTreeSet<PathBuf>,
    bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    LeftOut,
    Above,
}

impl<'a> Look<'a> {
    /// A look at what is beneath a root; nothing where times of changes are not kept.
    pub(super) fn new(
        root: &'a Path,
        memory_dir: &RepoPath,
        without: &BTreeSet<RepoPath>,
        wanted: Option<&'a BTreeSet<PathBuf>>,
    ) -> Option<Self> {
        // Others may not keep the time of a change.
        let keeps_times = rustix::fs::statfs(root).is_ok_and(|stat| is_of_disk(&stat));
        let device = fs::metadata(root).ok().filter(|_| keeps_times)?.dev();
        let mut left_out = BTreeMap::new();
        for path in without {
            let path = root.join(path.as_str());
            for above in path.ancestors().skip(1).take_while(|folder| *folder != root) {
                left_out.entry(above.to_owned()).or_insert(Kind::Above);
            }
            left_out.insert(path, Kind::LeftOut);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            root,
            device,
            memory: root.join(memory_dir.as_str()),
            without: left_out,
            wanted,
            began: (Instant::now(), now),
            digest: Sha256::new(),
            by_content: BTreeSet::new(),
            bytes: 0,
        })
    }

    /// The digest of all that is there, and which files were compared by their content.
    pub(super) fn look(mut self) -> Option<([u8; 32], BTreeSet<PathBuf>)> {
        let mut folders = vec![self.root.to_owned()];
        let mut seen = 0;
        while let Some(folder) = folders.pop() {
            let mut paths = Vec::new();
            for entry in fs::read_dir(&folder).ok()? {
                paths.push(entry.ok()?.path());
            }
            seen += paths.len();
            if seen > MOST_ENTRIES || self.began.0.elapsed() > LONGEST {
                return None;
            }
            paths.sort_unstable();
            for path in paths {
                if path == self.memory {
                    continue;
                }
                let metadata = fs::symlink_metadata(&path).ok()?;
                if metadata.dev() != self.device {
                    return None;
                }
                match self.without.get(&path) {
                    Some(Kind::LeftOut) if !metadata.is_dir() => continue,
                    Some(Kind::Above) if metadata.is_dir() => {}
                    _ => self.add(&path, &metadata)?,
                }
                if metadata.is_dir() {
                    folders.push(path);
                }
            }
        }
        Some((self.digest.finalize().into(), self.by_content))
    }

    fn add(&mut self, path: &Path, metadata: &Metadata) -> Option<()> {
        self.digest.update(path.as_os_str().as_bytes());
        self.digest.update([0]);
        let [mode, user, group] = [metadata.mode(), metadata.uid(), metadata.gid()];
        [mode, user, group].iter().for_each(|number| self.digest.update(number.to_le_bytes()));
        if metadata.is_dir() {
            // What is made or removed in it is seen by the names.
            return Some(());
        }
        let size = metadata.size();
        for number in [metadata.ino(), size, metadata.nlink()] {
            self.digest.update(number.to_le_bytes());
        }
        let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        times.iter().for_each(|time| self.digest.update(time.to_le_bytes()));
        let is_wanted = match self.wanted {
            Some(wanted) => wanted.contains(path),
            None => !self.is_settled(metadata),
        };
        if is_wanted {
            self.add_content(path, metadata)?;
        }
        Some(())
    }

    fn is_settled(&self, metadata: &Metadata) -> bool {
        let changed = u64::try_from(metadata.ctime()).ok().zip(u32::try_from(metadata.ctime_nsec()).ok());
        let before = self.began.1.saturating_sub(SETTLED);
        changed.is_some_and(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds) < before)
    }

    /// What is no regular file is told by its times alone, and so not at all where they are too young.
    fn add_content(&mut self, path: &Path, metadata: &Metadata) -> Option<()> {
        if metadata.is_symlink() {
            self.digest.update(fs::read_link(path).ok()?.as_os_str().as_bytes());
        } else {
            self.bytes += metadata.size();
            if !metadata.is_file() || metadata.size() > MAX_FILE_BYTES || self.bytes > MOST_BYTES {
                return None;
            }
            self.digest.update(Sha256::digest(fs::read(path).ok()?));
        }
        self.by_content.insert(path.to_owned());
        Some(())
    }
}
