//! Linux, macOS and the BSDs.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt};
use rustix::fs::{Access, AtFlags, accessat};
use rustix::process::{Pid, Signal, kill_process_group};

use super::inode::Inode;
use super::rename::rename_if_free;

/// What the system tells of a file.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
pub(in crate::workspace) fn inode(metadata: &Metadata) -> Option<Inode> {
    Some(Inode {
        device: metadata.dev(),
        number: metadata.ino(),
        names: metadata.nlink(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        mode: metadata.mode(),
        owner: (metadata.uid(), metadata.gid()),
    })
}

/// Sets the group of a file and, where it is given, the user.
///
/// # Errors
/// What the system said.
pub(in crate::workspace) fn set_owner(file: &File, user: Option<u32>, group: u32) -> io::Result<()> {
    std::os::unix::fs::fchown(file, user, Some(group))
}

/// Sets the permission bits of a file.
///
/// # Errors
/// What the system said.
pub(in crate::workspace) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// A file that is created by these options is for its owner alone.
pub(in crate::workspace) fn make_private(options: &mut OpenOptions) {
    options.mode(0o600);
}

/// Makes a folder, and those above it, for its owner alone. One of one's own that is there already is closed to others.
///
/// # Errors
/// What the system said.
pub(in crate::workspace) fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    Dir::open_ambient_dir(folder, ambient_authority())?.set_permissions(".", Permissions::from_mode(0o700))
}

/// Syncs a folder's entries.
///
/// # Errors
/// What the system said.
pub(in crate::workspace) fn sync_folder(dir: &Dir) -> io::Result<()> {
    // The handle may be one that only names the folder, which cannot be synced.
    dir.open(".")?.sync_all()
}

/// Moves a file to a name that nothing has.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something has it; else what the system said.
pub(in crate::workspace) fn rename_new(from: (&Dir, &str), to: (&Dir, &str)) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match rustix::fs::renameat_with(from.0, from.1, to.0, to.1, rustix::fs::RenameFlags::NOREPLACE) {
        // Not every file system, and no old kernel, can do that.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
        renamed => return Ok(renamed?),
    }
    rename_if_free(from, to)
}

/// Asks the system whether files may be created in a folder.
///
/// # Errors
/// Its reason against it.
pub(in crate::workspace) fn check_writable(dir: &Dir, folder: &str) -> io::Result<()> {
    Ok(accessat(dir, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::empty())?)
}

/// A name in git as a path: any bytes, `/` between folders.
///
/// # Errors
/// Where no path has such a name.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere a path is not made of bytes")]
pub(in crate::workspace) fn path_of_bytes(name: &[u8]) -> io::Result<PathBuf> {
    Ok(OsStr::from_bytes(name).into())
}

/// A path as git names it; `None` if it has no such name.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere a path is not made of bytes")]
pub(in crate::workspace) fn bytes_of_path(path: &Path) -> Option<Cow<'_, [u8]>> {
    Some(Cow::Borrowed(path.as_os_str().as_bytes()))
}

/// Starts a command in a process group of its own, so that [`end_group`] ends all that it starts.
pub(in crate::workspace) fn in_own_group(command: &mut tokio::process::Command) {
    command.process_group(0);
}

/// Kills the process group of a process, also where that one has ended.
pub(in crate::workspace) fn end_group(process: u32) {
    if let Some(leader) = Pid::from_raw(process.cast_signed()) {
        // There is nobody left to kill in most cases.
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// The signal that ended a process, if one did.
pub(in crate::workspace) fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}
