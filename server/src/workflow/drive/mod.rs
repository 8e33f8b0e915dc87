//! The loop of a run: what comes next is decided, done, and decided again, until there is an outcome.
//!
//! Invariants: the loop keeps no state but whether the context was gathered by the step before; the last event of every
//! run is its outcome.

pub(crate) mod against_base;
pub(crate) mod ending;
pub(crate) mod steps;
pub(crate) mod summary;
