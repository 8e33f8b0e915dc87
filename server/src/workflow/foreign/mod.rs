//! Work that a report tells of and that was not done by our agents.

pub(crate) mod work;
