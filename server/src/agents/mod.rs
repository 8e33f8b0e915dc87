//! One conversation with a model: turns, tool calls, budget, loops.
//!
//! An agent is a [`Brief`] (prompt, first message, tools, submit tool) driven by [`converse`] until it hands on
//! something that keeps its contract. Agents touch files only through `tools`, and know no phase.

mod answer;
mod brief;
mod budget;
mod calls;
mod continued;
mod conversation;
mod converse;
mod error;
mod handoff;
mod opening;
mod portable;
mod repeated_calls;
mod results;
mod shortage;
mod size;
mod slice;
mod window;
mod written_call;

pub use brief::{Accept, Activity, Brief, Judge, Report, RunContext, SubmitTry, TurnRelay};
pub use budget::{Budget, Limits};
pub use continued::told_text;
pub use conversation::MAX_TURNS;
pub use converse::{ask_once, converse, shared_part};
pub use error::AgentError;
pub(crate) use handoff::{fault_text, json_text, left_out, section, submit_tool};
pub use opening::{Need, Opening};
pub use portable::{PortableBrief, PortableError};
pub use slice::Slice;
