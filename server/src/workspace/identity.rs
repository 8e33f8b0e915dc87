//! Folders by device and inode.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// Identifies a folder whatever its name: two paths with the same identity are one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The device number of the file system.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// The identity of the folder at a path; `None` if there is none, or the system has no such numbers.
#[cfg(unix)]
pub fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    Some(Identity { device: metadata.dev(), inode: metadata.ino() })
}

/// The identity of the folder at a path: unknown on this system.
#[cfg(not(unix))]
pub fn identity(_: &Path) -> Option<Identity> {
    None
}
