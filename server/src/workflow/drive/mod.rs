//! The loop of a run, from its first step to its outcome.

pub(crate) mod against_base;
pub(crate) mod ending;
pub(crate) mod steps;
