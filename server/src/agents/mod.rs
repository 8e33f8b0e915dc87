//! One conversation with a model: turns, tool calls, budget, loops.
//!
//! An agent is a [`Brief`] (prompt, first message, tools, submit tool) driven by [`converse`] until it hands on
//! something that keeps its contract. Agents touch files only through `tools`, and know no phase.

mod budget;
mod conversation;
mod error;
mod handoff;

pub use budget::{Budget, Limits};
pub use conversation::{
    Accept, Activity, Brief, MAX_TURNS, ReadsOthers, Report, RunContext, SubmitTry, ask_once, converse,
};
pub use error::AgentError;
pub(crate) use handoff::{fault_text, json_text, section, submit_tool};
