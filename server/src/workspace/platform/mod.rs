//! What systems do in their own ways: what they tell of a file, private files, synced folders, names of other bytes than UTF-8,
//! groups of processes.
//!
//! Invariants: every function has the same signature everywhere, so that no other file asks which system it is for these things. What
//! a system cannot tell is `None`, and whoever asks takes the careful way then; what it has not got (owners, permission bits) is not
//! kept there, which README says.

#[cfg(not(unix))]
mod elsewhere;
mod inode;
#[cfg(unix)]
mod unix;

use std::io;

use cap_std::fs::Dir;

#[cfg(not(unix))]
use elsewhere as system;
#[cfg(unix)]
use unix as system;

pub(in crate::workspace) use inode::Inode;
pub(in crate::workspace) use system::{
    bytes_of_path, check_writable, end_group, in_own_group, inode, make_private, make_private_folder, path_of_bytes,
    rename_new, set_mode, set_owner, signal_of, sync_folder,
};

/// [`rename_new`] where the system has no such move. As good as a look beforehand can be: what appears between it and the move is lost.
pub(in crate::workspace) fn rename_if_free(from: (&Dir, &str), to: (&Dir, &str)) -> io::Result<()> {
    match to.0.symlink_metadata(to.1) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => from.0.rename(from.1, to.0, to.1),
        Err(error) => Err(error),
    }
}
