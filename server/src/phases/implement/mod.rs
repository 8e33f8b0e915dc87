//! The implement phase: the approved tasks, in parallel, under a locked plan.
//!
//! Invariants: a task's edits are published all together or not at all, to files that the approved plan gives it; a task
//! that was published is never done again for want of its result.

mod brief;
mod phase;
mod schedule;
mod task;
mod workers;

pub(super) use phase::Implement;
