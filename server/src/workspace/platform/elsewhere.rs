//! Windows, and what else is no Unix.

use std::borrow::Cow;
use std::fs::DirBuilder;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use cap_std::fs::{Dir, File, Metadata, OpenOptions};

use super::inode::Inode;
use super::rename::rename_if_free;

/// What the system tells of a file: nothing without opening it.
pub(in crate::workspace) fn inode(_: &Metadata) -> Option<Inode> {
    None
}

/// Sets the group of a file and the user: there are none.
///
/// # Errors
/// Never.
#[expect(clippy::unnecessary_wraps, reason = "on Unix it may fail")]
pub(in crate::workspace) fn set_owner(_: &File, _: Option<u32>, _: u32) -> io::Result<()> {
    Ok(())
}

/// Sets the permission bits of a file: there are none. A new file inherits the access control list of its folder.
///
/// # Errors
/// Never.
#[expect(clippy::unnecessary_wraps, reason = "on Unix it may fail")]
pub(in crate::workspace) fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// A file that is created by these options is as private as its folder, whose access control list it inherits.
pub(in crate::workspace) fn make_private(_: &mut OpenOptions) {}

/// Makes a folder, and those above it, as private as what it lies in.
///
/// # Errors
/// What the system said.
pub(in crate::workspace) fn make_private_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Syncs a folder's entries: does nothing, as folders cannot be synced here.
///
/// # Errors
/// Never.
#[expect(clippy::unnecessary_wraps, reason = "on Unix it may fail")]
pub(in crate::workspace) fn sync_folder(_: &Dir) -> io::Result<()> {
    Ok(())
}

/// Moves a file to a name that nothing has.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something has it; else what the system said.
pub(in crate::workspace) fn rename_new(from: (&Dir, &str), to: (&Dir, &str)) -> io::Result<()> {
    rename_if_free(from, to)
}

/// Looks whether a folder is marked read-only; what its access control list says is found out by writing.
///
/// # Errors
/// The reason against it.
pub(in crate::workspace) fn check_writable(dir: &Dir, folder: &str) -> io::Result<()> {
    match dir.metadata(folder)?.permissions().readonly() {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    }
}

/// A name in git as a path: UTF-8, `/` between folders.
///
/// # Errors
/// Where no path has such a name.
pub(in crate::workspace) fn path_of_bytes(name: &[u8]) -> io::Result<PathBuf> {
    std::str::from_utf8(name).map(PathBuf::from).map_err(io::Error::other)
}

/// A path as git names it; `None` if it has no such name.
pub(in crate::workspace) fn bytes_of_path(path: &Path) -> Option<Cow<'_, [u8]>> {
    Some(Cow::Owned(path.to_str()?.replace('\\', "/").into_bytes()))
}

/// Starts a command in a process group of its own: there are none.
pub(in crate::workspace) fn in_own_group(_: &mut tokio::process::Command) {}

/// Kills the process group of a process: there is none, and what the process started goes on.
pub(in crate::workspace) fn end_group(_: u32) {}

/// The signal that ended a process: there are none.
pub(in crate::workspace) fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}
