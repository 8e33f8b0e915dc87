//! Where a workflow stands, and whether a run has what it needs.

pub(crate) mod doctor;
pub(crate) mod report;
pub(crate) mod states;
