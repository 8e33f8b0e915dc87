//! The implement phase: the approved tasks, in parallel, under a locked plan.
//!
//! Invariants: a task's edits are published all together or not at all, to files that the approved plan gives it, and only
//! of a task that is completed or partly done; no change is reported that was not made; a task that was published is
//! never done again for want of its result. The user's checks run once every task has one, and again after a kill, without
//! doing any task again.

mod assignment;
mod brief;
mod claims;
mod escalation;
mod own_files;
mod phase;
mod schedule;
mod task;
mod tries;
mod unpublished;
mod waiting;
mod workers;

pub(super) use phase::Implement;
