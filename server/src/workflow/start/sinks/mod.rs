//! Sends the events of runs to the user's sinks: while a run is at work, and afterwards what was left.
//!
//! It has a thread of its own, so that nothing of the run waits for a sink; without sinks there is neither a thread nor a file.
//! Invariants: only the holder of the run lock sends; what a sink has not taken stays in the journals of the runs, and goes there in
//! order.

mod context;
mod delivery;
mod during_run;
mod flush;

pub(crate) use context::sink_context;
pub(super) use during_run::send_during;
pub use flush::{Flushed, flush_events};
