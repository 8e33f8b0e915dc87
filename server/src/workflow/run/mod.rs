//! What a run is made of: its goal, its phases as values, its prompts, its events, its end, and the question at the gate.
//!
//! Invariants: nothing here decides or moves anything; this sub-room imports no other one of the workflow. A phase and the
//! run it is given name each other, and so stand in one file. Deliberately absent: any one phase.

pub(crate) mod activity;
pub(crate) mod check_state;
pub(crate) mod checkpoint_state;
pub(crate) mod checks;
pub(crate) mod costs;
pub(crate) mod dispatch;
pub(crate) mod editor;
pub(crate) mod end;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod goal;
pub(crate) mod outcome;
pub(crate) mod phase;
pub(crate) mod phase_kinds;
pub(crate) mod phase_names;
pub(crate) mod prompts;
pub(crate) mod question;
