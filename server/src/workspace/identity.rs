use std::path::Path;

use serde::{Deserialize, Serialize};

/// Which folder it is, whatever it is called: two names with the same identity are one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Number of the file system's device.
    pub device: u64,
    /// Number of the inode on it.
    pub inode: u64,
}

/// Which folder a path leads to now; `None` where there is none, or the system has no such numbers.
#[cfg(unix)]
pub fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some(Identity { device: metadata.dev(), inode: metadata.ino() })
}

/// Which folder a path leads to now: never known here.
#[cfg(not(unix))]
pub fn identity(_: &Path) -> Option<Identity> {
    None
}
