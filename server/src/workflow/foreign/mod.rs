//! Work that a report tells of and that was not done by our agents.

pub(crate) mod discount;
pub(crate) mod find;
pub(crate) mod work;
