//! The gate: what it shows of a plan, how a run asks for an answer, and how one is given from outside.
//!
//! Invariants: an approval is bound to the hash of the plan that was shown; protected files are approved by a person only;
//! what is shown of a plan is made in `content` alone.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod checks;
pub(crate) mod content;
pub(crate) mod notes;
pub(crate) mod skipped;
pub(crate) mod watch;
