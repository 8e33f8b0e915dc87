//! What comes next, and the rounds and issues that a decision is about.
//!
//! Invariants: [`next::next_phase`] is a pure function of the memory, the policy and the time. A round is written before
//! anything that follows from it is moved, so that a kill between the two is repaired by entering the round.

pub(crate) mod accept;
pub(crate) mod dismiss;
pub(crate) mod fix_task;
pub(crate) mod issue_task;
pub(crate) mod issues;
pub(crate) mod next;
pub(crate) mod rounds;
