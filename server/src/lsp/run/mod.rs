//! The active run of a folder: started, shown to the client, asked about at the gate, and watched to its outcome.
//!
//! Invariants: one run per folder; whatever happens, its progress ends and its outcome is reported once; a run is resumed
//! only when a person chooses that; only [`runs`] starts one.

pub(crate) mod changes;
pub(crate) mod gate;
mod interrupted;
mod outcome;
mod phase_feed;
mod progress;
pub(crate) mod runs;
mod save_notices;
pub(crate) mod start;
pub(crate) mod ways_on;
mod workers;
