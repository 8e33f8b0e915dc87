//! Where a workflow stands, and whether everything is there that a run needs.
//!
//! Invariant: nothing is written here, no model is asked for a turn, and no lock is taken.

pub(crate) mod doctor;
pub(crate) mod report;
pub(crate) mod states;
