//! The run at work in a folder: started, shown to the client, asked about at the gate, and followed to its outcome.
//!
//! Invariants: one run a folder; whatever happens, its progress ends and its outcome is told once; a run is resumed only
//! when a person asks for it.

pub(crate) mod changes;
mod gate;
mod interrupted;
mod outcome;
mod phase_feed;
mod progress;
pub(crate) mod runs;
