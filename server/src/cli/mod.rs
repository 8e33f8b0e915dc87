//! The command line: what a person types, sees and is asked.
//!
//! Invariant: nothing of the crate imports this module. What a run does reaches it as events; what a person answers
//! leaves it by [`Approver`](crate::workflow::Approver).

pub mod args;
//pub mod gate;
pub mod progress;
pub mod render;
