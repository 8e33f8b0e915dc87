//! Files with several names: a hard link to a secret is that secret.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use cap_std::fs::Metadata;
use ignore::WalkBuilder;

use super::by_name::is_secret;
use crate::contracts::RepoPath;
use crate::workspace::platform::inode;

/// How many entries are scanned for other names of a file; beyond that the result is unknown.
const MAX_VISITED: usize = 2_000_000;

/// The resolution of file times that is assumed.
const TIME_RESOLUTION: Duration = Duration::from_secs(3);

/// The files with several names of which one is a secret's. Scanned only when a file with several names is read.
#[derive(Debug, Default)]
pub(in crate::workspace) struct SecretInodes(Mutex<Option<Scan>>);

#[derive(Debug)]
struct Scan {
    /// When the scan began: it is valid for files whose names have not changed since.
    began: SystemTime,
    /// By the numbers that tell a file from every other.
    secrets: HashSet<(u64, u64)>,
    /// Whether every file was scanned.
    is_complete: bool,
}

impl SecretInodes {
    /// Whether a file with this metadata is a secret under another name. In a workspace that is too large to scan,
    /// every file with several names counts as one.
    pub(in crate::workspace) fn contain(&self, root: &Path, metadata: &Metadata) -> bool {
        // Nothing is known of other names on systems without such numbers.
        let Some(inode) = inode(metadata).filter(|inode| inode.names > 1 && metadata.is_file()) else { return false };
        // Adding or removing a name changes the inode's change time.
        let changed = inode.changed_at().unwrap_or(SystemTime::UNIX_EPOCH);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) if changed + TIME_RESOLUTION < known.began => {
                return !known.is_complete || known.secrets.contains(&inode.id());
            }
            _ => {}
        }
        let found = scan(root);
        let is_secret_inode = !found.is_complete || found.secrets.contains(&inode.id());
        *known = Some(found);
        is_secret_inode
    }
}

/// Finds every file with a secret's name, ignored ones included.
fn scan(root: &Path) -> Scan {
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
            && let Some(inode) = inode(&Metadata::from_just_metadata(metadata)).filter(|inode| inode.names > 1)
        {
            known.secrets.insert(inode.id());
        }
    }
    known
}
