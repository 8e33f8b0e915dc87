//! The sandbox: a place in which a command of the user runs, with edits laid over the working tree.
//!
//! [`Sandbox::find`] says which level there is, by doing the whole set-up; [`Sandbox::run`] runs one [`Job`]. At level
//! `view` the working tree stands at its own path, copy on write, and what the command does reaches nothing else.
//!
//! Invariants: every process of a job ends with it, however it ends. A level is never claimed that was not tried. What a
//! command prints is data: bounded, and clean of control characters.
//!
//! Deliberately absent: which commands there are, who trusts them, and what becomes of the files that came back.

mod environment;
mod handle;
mod hidden;
mod job;
mod output;
mod process;

pub use handle::Sandbox;
pub use job::{Ended, Job, Place, Ran, SandboxWish, ViewEdit};
