//! What systems do in their own ways: what they tell of a file, private files, synced folders, names of other bytes than UTF-8,
//! groups of processes.
//!
//! Invariants: every function has the same signature everywhere, so that no other file asks which system it is for these things. What
//! a system cannot tell is `None`, and whoever asks takes the careful way then; what it has not got (owners, permission bits) is not
//! kept there, which README says.

#[cfg(not(unix))]
mod elsewhere;
mod inode;
mod rename;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use elsewhere as system;
#[cfg(unix)]
use unix as system;

pub(in crate::workspace) use inode::Inode;
#[cfg(test)]
pub(in crate::workspace) use rename::rename_if_free;
pub(in crate::workspace) use system::{
    bytes_of_path, check_writable, end_group, in_own_group, inode, make_private, make_private_folder, path_of_bytes,
    rename_new, set_mode, set_owner, signal_of, sync_folder,
};
