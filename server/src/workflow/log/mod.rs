//! The log of a run: its conversations with models, as a person reads them.
//!
//! It is made of the run's transcript and of its events, one line of the transcript at a time, so that only what is shown is
//! held. Lines that are not sealed by this user for this folder are left out, and the log says how many. A run at work has the
//! log of what is there so far.
//!
//! Invariants: nothing is written; a text of a model, a file or a tool becomes part of a log only as a text of a [`LogBlock`],
//! which is made safe where it is shown. Deliberately absent: what is sent to models, beyond its beginning and its size.

mod blocks;
mod calls;
mod clock;
mod conversation;
mod events;
mod handed_on;
mod opening;
mod results;
mod run_events;
mod run_log;
mod which;

pub use blocks::LogBlock;
pub use run_events::{RunEvents, waits_for};
pub use run_log::{RunLog, run_log};
