//! The user's own checks: run once all tasks of a round are published, and tried on a task's edits before that.
//!
//! Invariants: a check that nobody trusts never runs; a result counts only where this user's server saw it; what a check
//! changes reaches the working tree by a publish alone. Where there is no view, nothing is tried.
//!
//! Deliberately absent: what follows from a failing check (`decide`), and what agents are told of it (`phases`).

mod as_tried;
mod base;
pub(crate) mod changed_since;
pub(crate) mod round;
mod running;
pub(crate) mod sandbox;
mod taken_over;
pub(crate) mod tried_words;
pub(crate) mod tries;
pub(crate) mod words;
