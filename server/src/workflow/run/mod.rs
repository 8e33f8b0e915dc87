//! What a run is made of and what it says: its goal, its parts, its events, its end, and the question at the gate.

pub(crate) mod activity;
pub(crate) mod checkpoint_state;
pub(crate) mod costs;
pub(crate) mod editor;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod goal;
pub(crate) mod outcome;
pub(crate) mod phase;
pub(crate) mod phase_kinds;
pub(crate) mod phase_names;
pub(crate) mod prompts;
pub(crate) mod question;
