//! Files with several names: a hard link to a secret is that secret.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use ignore::WalkBuilder;

use super::by_name::is_secret;
use crate::contracts::RepoPath;

/// How many entries are scanned for other names of a file; beyond that the result is unknown.
const MAX_VISITED: usize = 2_000_000;

/// The resolution of file times that is assumed.
const TIME_RESOLUTION: Duration = Duration::from_secs(3);

/// A file's identity in its file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::workspace) struct FileId {
    device: u64,
    inode: u64,
}

/// The files with several names of which one is a secret's. Scanned only when a file with several names is read.
#[derive(Debug, Default)]
pub(in crate::workspace) struct SecretInodes(Mutex<Option<Scan>>);

#[derive(Debug)]
struct Scan {
    /// When the scan began: it is valid for files whose names have not changed since.
    began: SystemTime,
    secrets: HashSet<FileId>,
    /// Whether every file was scanned.
    is_complete: bool,
}

impl SecretInodes {
    /// Whether a file with this metadata is a secret under another name. In a workspace that is too large to scan,
    /// every file with several names counts as one.
    #[cfg(unix)]
    pub(in crate::workspace) fn contain(&self, root: &Path, metadata: &cap_std::fs::Metadata) -> bool {
        use cap_std::fs::MetadataExt;
        if metadata.nlink() < 2 || !metadata.is_file() {
            return false;
        }
        let id = FileId { device: metadata.dev(), inode: metadata.ino() };
        // Adding or removing a name changes the inode's change time.
        let seconds = u64::try_from(metadata.ctime()).unwrap_or_default();
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) if changed + TIME_RESOLUTION < known.began => {
                return !known.is_complete || known.secrets.contains(&id);
            }
            _ => {}
        }
        let found = scan(root);
        let is_secret_inode = !found.is_complete || found.secrets.contains(&id);
        *known = Some(found);
        is_secret_inode
    }

    /// There is no file identity on this system.
    #[cfg(not(unix))]
    pub(in crate::workspace) fn contain(&self, _: &Path, _: &cap_std::fs::Metadata) -> bool {
        false
    }
}

/// Finds every file with a secret's name, ignored ones included.
#[cfg(unix)]
fn scan(root: &Path) -> Scan {
    use std::os::unix::fs::MetadataExt;
    let mut known = Scan { began: SystemTime::now(), secrets: HashSet::new(), is_complete: true };
    let mut builder = WalkBuilder::new(root);
    builder.standard_filters(false).follow_links(false);
    for (visited, entry) in builder.build().flatten().enumerate() {
        if visited >= MAX_VISITED {
            known.is_complete = false;
            break;
        }
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let relative = entry.path().strip_prefix(root).ok().map(|path| path.to_string_lossy());
        let is_named = relative.and_then(|path| RepoPath::parse(&path).ok()).is_some_and(|path| is_secret(&path));
        if let (true, Ok(metadata)) = (is_named, entry.metadata())
            && metadata.nlink() > 1
        {
            known.secrets.insert(FileId { device: metadata.dev(), inode: metadata.ino() });
        }
    }
    known
}
