//! What a phase is, what it costs, and which comes next.

pub(crate) mod fix_task;
pub(crate) mod issues;
pub(crate) mod next;
pub(crate) mod rounds;
