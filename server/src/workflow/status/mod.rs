//! Where a workflow stands, and whether everything is there that a run needs.
//!
//! Invariants: nothing is written here, no model is asked for a turn, and no lock is taken. What is said of a workflow and
//! what can be done about it follow from one value, its `Situation`; a face draws them and decides nothing of it.

pub(crate) mod doctor;
pub(crate) mod history;
pub(crate) mod proof;
pub(crate) mod report;
pub(crate) mod reviewed;
pub(crate) mod rows;
pub(crate) mod situation;
pub(crate) mod standing;
pub(crate) mod states;
pub(crate) mod ways_on;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod tests;
