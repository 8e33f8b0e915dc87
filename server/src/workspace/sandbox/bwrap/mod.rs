//! A view that bwrap makes, where this machine refuses to let Baton make one and lets bwrap.
//!
//! That is so where a rule of the system names programs: AppArmor on Ubuntu, whose profile of bwrap allows it namespaces and
//! mounts, and takes all rights from what it starts. So everything is mounted by bwrap's own arguments, and what runs inside
//! needs no rights. `outside` is the process that starts bwrap, follows the room and collects what was changed; `inside` is
//! the first process in it, which writes the edits through the mounted view and runs the command. `layout` is what is
//! mounted where, `arguments` the same in bwrap's words, and `program` which bwrap there is.
//!
//! Invariants: the same job sees the same here as in a room of our own. Nothing runs as long as the first process inside has
//! a right, could gain one, or could make a user namespace. Everything in the room ends with its first process, which ends
//! with bwrap, with the process outside, and with Baton.
//!
//! What differs: the upper layers are on disk, as bwrap's own in memory cannot be read afterwards; a file system in memory
//! has a share of the size that all have together, and no limit on its number of files; root has no rights over the files of others; and nothing lowers the largest process
//! id, so that root's processes are only counted.

mod arguments;
mod inside;
mod layout;
mod outside;
mod program;

pub(super) use inside::run_inside;
pub(super) use outside::make_room;
pub(super) use program::Bwrap;
