//! Inside the room: what a second process of this program does to become a place in which a command can run.
//!
//! `first` is started by [`launch`](super::launch) and makes the room: namespaces, mounts, the edits. `second` is the first
//! process inside, gives up what is left of its rights, and runs the command. Both have a single thread, which the kernel
//! asks of who makes a user namespace, and safe Rust of who changes a process between its start and its program.
//!
//! Invariants: the first step that fails is named, and nothing runs. When the other end of the control socket is gone, so is
//! the room.

#[cfg(all(target_endian = "little", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
mod changes;
mod confined;
mod copied;
mod covered;
mod devices;
mod edits;
mod filter;
mod first;
mod mounts;
mod namespaces;
mod overlay;
mod rights;
mod second;
mod wire;

pub(super) use covered::{Kept, trace};
pub(super) use first::{FirstInside, Written, begin, close_inherited, collect, follow, lay_edits, make_room, serve};
pub(super) use mounts::{Mount, is_any_beneath, mounts};
pub(super) use overlay::like;
pub(super) use second::{READ_ONLY, run_command, run_inside};
pub(super) use wire::{
    Answer, Changes, Edit, Fault, Inside, Report, Setup, Tree, machine_step, mount_step, read_frame, receive,
    receive_contents, send, send_bytes, step,
};
