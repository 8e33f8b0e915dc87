//! The metadata of a file that is kept when its content is replaced: owner, group and extended attributes, access
//! control lists included.

use std::io;

use cap_std::fs::{Dir, File, Metadata};
use serde::{Deserialize, Serialize};

use super::platform::{self, Inode, inode, set_mode};

/// The owner of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

impl Owner {
    /// The owner of a file; `None` if the system has none.
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        inode(metadata).map(|Inode { owner: (uid, gid), .. }| Self { uid, gid })
    }
}

/// Gives a new file the metadata of the file that it replaces, `name` in `folder`, if there is one: extended
/// attributes, owner and group as far as permitted, and permission bits.
///
/// If the group cannot be set, the current group gets no more than others have.
///
/// # Errors
/// When the permission bits cannot be set.
pub(super) fn apply_metadata(
    file: &File,
    (folder, name): (&Dir, &str),
    owner: Option<Owner>,
    mode: u32,
) -> io::Result<()> {
    let is_group_kept = owner.is_none_or(|owner| set_owner(file, owner));
    // After the owner: changing it clears some attributes.
    attributes::copy(folder, name, file);
    let group = if is_group_kept { 0o070 } else { (mode & 0o007) << 3 };
    set_mode(file, mode & (0o707 | group))
}

/// Sets owner and group; returns whether the file then has the group.
fn set_owner(file: &File, owner: Owner) -> bool {
    let has = || file.metadata().ok().and_then(|metadata| Owner::of(&metadata));
    if has() == Some(owner) || platform::set_owner(file, Some(owner.uid), owner.gid).is_ok() {
        return true;
    }
    if let Err(error) = platform::set_owner(file, None, owner.gid) {
        tracing::warn!(%error, owner.uid, owner.gid, "a changed file could not be given back its group");
    }
    has().is_some_and(|has| has.gid == owner.gid)
}

#[cfg(target_os = "linux")]
mod attributes {
    use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
    use cap_std::fs::{Dir, File, OpenOptions};
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    use rustix::io::Errno;

    /// Attributes that must not survive a change of content: signatures, and privileges that the system removes from a
    /// written file (capabilities(7)).
    const DROPPED: [&str; 3] = ["security.capability", "security.evm", "security.ima"];
    /// The limit of the system for the list of names and for a value (xattr(7)).
    const MAX_BYTES: usize = 64 * 1024;

    /// Copies what is permitted: many file systems have no attributes, and some cannot be set by a user.
    pub(super) fn copy(folder: &Dir, name: &str, to: &File) {
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let Ok(from) = folder.open_with(name, &options) else { return };
        if let Err(error) = copy_all(&from, to) {
            tracing::debug!(%error, name, "extended attributes were not kept");
        }
    }

    fn copy_all(from: &File, to: &File) -> Result<(), Errno> {
        let mut names = vec![0; MAX_BYTES];
        let length = flistxattr(from, names.as_mut_slice())?;
        for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            if DROPPED.iter().any(|dropped| dropped.as_bytes() == name) {
                continue;
            }
            let mut value = vec![0; MAX_BYTES];
            let copied = fgetxattr(from, name, value.as_mut_slice())
                .and_then(|length| fsetxattr(to, name, &value[..length], XattrFlags::empty()));
            if let Err(error) = copied {
                tracing::debug!(%error, name = %String::from_utf8_lossy(name), "an extended attribute was not kept");
            }
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod attributes {
    pub(super) fn copy(_: &cap_std::fs::Dir, _: &str, _: &cap_std::fs::File) {}
}
