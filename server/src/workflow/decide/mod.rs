//! What a phase is, what it costs, and which comes next.

pub(crate) mod costs;
pub(crate) mod next;
pub(crate) mod phase;
