//! Folders by device and inode.

use std::path::Path;

use cap_std::fs::Metadata;
use serde::{Deserialize, Serialize};

use super::platform::inode;

/// Identifies a folder whatever its name: two paths with the same identity are one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The device number of the file system.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
}

/// The identity of the folder at a path; `None` if there is none, or the system has no such numbers.
pub fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir)?;
    let (device, inode) = inode(&Metadata::from_just_metadata(metadata))?.id();
    Some(Identity { device, inode })
}
