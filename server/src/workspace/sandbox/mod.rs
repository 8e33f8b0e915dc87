//! The sandbox: a place in which a command of the user runs, with edits laid over the working tree.
//!
//! [`Sandbox::find`] says which level there is, by doing the whole set-up; [`Sandbox::run`] runs one [`Job`]. At level
//! `view` the working tree stands at its own path, copy on write, and what the command does reaches nothing else.
//!
//! Invariants: every process of a job ends with it, however it ends. A level is never claimed that was not tried. What a
//! command prints is data: bounded, and clean of control characters.
//!
//! Deliberately absent: which commands there are, who trusts them, and what becomes of the files that came back.

#[cfg(target_os = "linux")]
mod bound;
#[cfg(target_os = "linux")]
mod bwrap;
#[cfg(target_os = "linux")]
mod changed;
#[cfg(target_os = "linux")]
mod confined;
#[cfg(target_os = "linux")]
mod copy;
#[cfg(target_os = "linux")]
mod entry;
mod environment;
mod exposed;
#[cfg(target_os = "linux")]
mod few_mounts;
#[cfg(target_os = "linux")]
mod group;
mod handle;
mod hidden;
#[cfg(target_os = "linux")]
mod hints;
mod job;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod limits;
mod output;
mod process;
#[cfg(target_os = "linux")]
mod refused;
#[cfg(target_os = "linux")]
mod room;
#[cfg(target_os = "linux")]
mod said;
#[cfg(target_os = "linux")]
mod scratch;
#[cfg(target_os = "linux")]
mod sockets;
#[cfg(target_os = "linux")]
mod stage;
#[cfg(target_os = "linux")]
mod through;
mod tree_state;
#[cfg(target_os = "linux")]
mod user;
#[cfg(target_os = "linux")]
mod view;
mod why;

#[cfg(target_os = "linux")]
pub use entry::sandbox_stage;
pub use handle::Sandbox;
pub use job::{Ended, Job, Place, Ran, SandboxWish, Traces, ViewEdit};
pub use tree_state::TreeState;
