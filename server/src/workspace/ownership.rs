//! What a file has besides its bytes, and keeps when they are replaced: its owner and group, and what the system calls
//! extended attributes, access control lists among them.

use std::io;

use cap_std::fs::{Dir, File, Metadata};
use serde::{Deserialize, Serialize};

use super::durable::set_mode;

/// Who a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

impl Owner {
    /// The owner of a file; `None` where the system has none.
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        use cap_std::fs::MetadataExt;
        Some(Self { uid: metadata.uid(), gid: metadata.gid() })
    }

    /// The owner of a file; `None` where the system has none.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// Make a new file what the one was that it takes the place of, `name` in `folder`, if there is one: its extended
/// attributes, its owner and group as far as this user may give them, and its permission bits.
///
/// Where the group cannot be given, this user's own one gets no more than all others have.
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
    // After the owner, whose change takes some of them away.
    attributes::copy(folder, name, file);
    let group = if is_group_kept { 0o070 } else { (mode & 0o007) << 3 };
    set_mode(file, mode & (0o707 | group))
}

/// Give a file to its owner and group; whether it then has the group.
#[cfg(unix)]
fn set_owner(file: &File, owner: Owner) -> bool {
    use std::os::unix::fs::fchown;
    let has = || file.metadata().ok().and_then(|metadata| Owner::of(&metadata));
    if has() == Some(owner) || fchown(file, Some(owner.uid), Some(owner.gid)).is_ok() {
        return true;
    }
    if let Err(error) = fchown(file, None, Some(owner.gid)) {
        tracing::warn!(%error, owner.uid, owner.gid, "a changed file could not be given back its group");
    }
    has().is_some_and(|has| has.gid == owner.gid)
}

#[cfg(not(unix))]
fn set_owner(_: &File, _: Owner) -> bool {
    true
}

#[cfg(target_os = "linux")]
mod attributes {
    use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
    use cap_std::fs::{Dir, File, OpenOptions};
    use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
    use rustix::io::Errno;

    /// What must not outlive a change of content: a signature of it, and privileges, which the system takes from a file
    /// that is written to (capabilities(7)).
    const DROPPED: [&str; 3] = ["security.capability", "security.evm", "security.ima"];
    /// The most that the system holds of names, and of one value (xattr(7)).
    const MAX_BYTES: usize = 64 * 1024;

    /// Copy what can be copied: many file systems have none, and some a user may not set.
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
