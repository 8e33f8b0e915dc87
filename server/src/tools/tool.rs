//! What a tool is: its input's type, with all there is to know of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ToolError;
use super::input;
use super::toolbox::{Toolbox, Users};
use crate::models::ToolSpec;
use crate::text::short_line;

/// One tool: the type of its input. The type's fields and their docs become the schema that is sent to a model.
///
/// It is registered by a row in `table`.
pub(super) trait Tool: DeserializeOwned + JsonSchema {
    /// The name a model calls it by.
    const NAME: &'static str;
    /// What it does, as it is sent to a model.
    const DESCRIPTION: &'static str;
    /// Which agents have it. Only [`Users::Implementers`] have something to write to.
    const USERS: Users = Users::Everyone;
    /// What its answer depends on.
    const SHOWS: Shows;
    /// Optional fields that the schema asks for all the same, so that a model whose calls are held to it says them.
    const ASKED_FOR: &'static [&'static str] = &[];
    /// How long one call may take. What takes longer is answered with an error.
    const TIME_LIMIT: Duration = Duration::from_secs(30);

    /// What the call does, for people: "reading src/a.rs".
    fn activity(&self) -> String;

    /// Carry the call out. The answer is bounded by the tool, and says what it left out; secrets in it are masked later.
    ///
    /// # Errors
    /// What is wrong, in words that the model can act on.
    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError>;

    /// What to do in place of this call, which failed again and again, in words that the model was not told by then.
    fn instead(&self, _toolbox: &Toolbox) -> Option<String> {
        None
    }
}

/// What the answer of a tool depends on, beside the agent's own work: whether others may change it meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    /// The whole workspace.
    Workspace,
    /// The file that its input names as `path`.
    File,
    /// The agent's own work alone.
    OwnWork,
}

/// A tool in the table.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) users: Users,
    pub(super) shows: Shows,
    pub(super) time_limit: Duration,
    pub(super) spec: fn() -> ToolSpec,
    pub(super) call: fn(&Toolbox, &Value) -> CallResult,
    pub(super) instead: fn(&Toolbox, &Value) -> Option<String>,
}

/// The result of a call, before it is made safe.
pub(super) struct CallResult {
    /// One short line, safe to show.
    pub(super) activity: String,
    pub(super) outcome: Result<String, ToolError>,
}

impl Row {
    pub(super) const fn of<T: Tool>() -> Self {
        Self {
            name: T::NAME,
            users: T::USERS,
            shows: T::SHOWS,
            time_limit: T::TIME_LIMIT,
            spec: spec::<T>,
            call: call::<T>,
            instead: instead::<T>,
        }
    }

    /// The activity of a call whose input could not be read, or that panicked.
    pub(super) fn calling(&self) -> String {
        format!("calling {}", self.name)
    }
}

/// Not strict: the tools forgive more than the schema allows, and a provider bounds how many strict ones there are.
fn spec<T: Tool>() -> ToolSpec {
    ToolSpec {
        name: T::NAME.to_owned(),
        description: T::DESCRIPTION.to_owned(),
        input_schema: input::schema::<T>(T::ASKED_FOR),
        strict: false,
    }
}

/// What to do in place of a call that failed: the tool's own word, or for an input that could not be read the form of one.
fn instead<T: Tool>(toolbox: &Toolbox, input: &Value) -> Option<String> {
    match input::parse::<T>(T::NAME, input) {
        Ok(input) => input.instead(toolbox),
        Err(_) => Some(format!("The input of {} has this form: {}\n", T::NAME, input::form::<T>(T::ASKED_FOR))),
    }
}

fn call<T: Tool>(toolbox: &Toolbox, input: &Value) -> CallResult {
    const LONGEST_ACTIVITY: usize = 120;
    match input::parse::<T>(T::NAME, input) {
        Ok(input) => {
            CallResult { activity: short_line(&input.activity(), LONGEST_ACTIVITY), outcome: input.run(toolbox) }
        }
        Err(faults) => CallResult { activity: Row::of::<T>().calling(), outcome: Err(faults.into()) },
    }
}
