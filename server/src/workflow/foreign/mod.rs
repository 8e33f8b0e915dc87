//! Foreign work: results that no journal of ours confirms. They are known by the diff against HEAD.
//!
//! Invariants: foreign work is never shown as work of our agents, and is not undone by a rollback; a result without a
//! difference from HEAD counts as none. Git is asked only where there is such a result. What a file of another tool was taken for
//! otherwise than it stands is said.

pub(crate) mod assumed;
pub(crate) mod discount;
pub(crate) mod find;
pub(crate) mod work;
