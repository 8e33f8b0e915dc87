use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::error::ToolError;
use super::table::TOOLS;
use super::tool::{CallResult, Row, Shows};
use super::toolbox::Toolbox;
use crate::contracts::RepoPath;
use crate::models::ToolSpec;
use crate::text::cut;
use crate::workspace::{Interrupt, masked};

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// The answer for the model.
    pub text: String,
    /// Whether it is an error.
    pub is_error: bool,
    /// What was done, for people: "reading src/a.rs". One short line, safe to show.
    pub activity: String,
    /// A write that was refused for what it wanted to touch: it is reported to a person as a blocker.
    pub refused: Option<String>,
}

pub(super) const FAILED: &str = "The tool failed on this input, and nothing was changed; try another way.";

/// What a tool's answer depends on; a tool that does not exist shows nothing of others.
pub(super) fn shows(name: &str) -> Shows {
    TOOLS.iter().find(|tool| tool.name == name).map_or(Shows::OwnWork, |tool| tool.shows)
}

impl Toolbox {
    /// The tools as they are sent to a model: always the same bytes for the same kind of agent.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools().map(|tool| (tool.spec)()).collect()
    }

    /// Whether a tool of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether a call only reads what others may change meanwhile. A task must see its own files as they are now.
    pub fn reads_others(&self, tool: &str, input: &Value) -> bool {
        let Some(staging) = self.staging() else { return false };
        match shows(tool) {
            Shows::Workspace => true,
            Shows::File => {
                let path = input["path"].as_str().and_then(|path| RepoPath::parse(path).ok());
                path.is_some_and(|path| !staging.is_own(&path))
            }
            Shows::OwnWork => false,
        }
    }

    /// Call a tool on the blocking pool, within its time limit. `None` when it was cancelled; what the call still does
    /// then touches nothing but the task's staging.
    pub async fn call_aside(&self, name: &str, input: &Value, cancel: &CancellationToken) -> Option<ToolOutput> {
        let interrupt = Interrupt::after(self.find(name).map_or(Duration::ZERO, |tool| tool.time_limit));
        let toolbox = self.clone().until(interrupt.clone());
        let (tool, arguments) = (name.to_owned(), input.clone());
        let called = tokio::task::spawn_blocking(move || toolbox.call(&tool, &arguments));
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                interrupt.stop();
                None
            }
            output = called => Some(output.unwrap_or_else(|_| ToolOutput {
                text: FAILED.to_owned(),
                is_error: true,
                activity: String::new(),
                refused: None,
            })),
        }
    }

    /// What to do in place of a call that failed again and again, on the blocking pool. `None` where there is nothing to say
    /// that the answer of the call did not say.
    pub async fn instead_of(&self, name: &str, input: &Value) -> Option<String> {
        let tool = self.find(name)?;
        let toolbox = self.clone().until(Interrupt::after(tool.time_limit));
        let input = input.clone();
        let advice = tokio::task::spawn_blocking(move || (tool.instead)(&toolbox, &input));
        advice.await.ok().flatten().map(without_secrets)
    }

    /// Call a tool. Blocks on the disk; never panics, whatever the input.
    pub fn call(&self, name: &str, input: &Value) -> ToolOutput {
        let Some(tool) = self.find(name) else {
            let known: Vec<_> = self.tools().map(|tool| tool.name).collect();
            let text = format!("There is no tool {:?}. Call one of: {}.", cut(name, 100), known.join(", "));
            return ToolOutput { text, is_error: true, activity: "calling an unknown tool".to_owned(), refused: None };
        };
        self.carry_out(tool, input)
    }

    pub(super) fn carry_out(&self, tool: &Row, input: &Value) -> ToolOutput {
        // A fault of a library is the end of the call, not of the run.
        let called = catch_unwind(AssertUnwindSafe(|| (tool.call)(self, input)));
        let CallResult { activity, outcome } =
            called.unwrap_or_else(|_| CallResult { activity: tool.calling(), outcome: Err(FAILED.to_owned().into()) });
        match outcome {
            Ok(text) => ToolOutput { text: without_secrets(text), is_error: false, activity, refused: None },
            Err(ToolError { text, refused }) => {
                ToolOutput { text: without_secrets(text), is_error: true, activity, refused }
            }
        }
    }

    fn find(&self, name: &str) -> Option<&'static Row> {
        self.tools().find(|tool| tool.name == name)
    }

    fn tools(&self) -> impl Iterator<Item = &'static Row> {
        TOOLS.iter().filter(|tool| self.is_for(tool.users))
    }
}

/// No tool's answer holds a secret of known form, whatever it was made from.
fn without_secrets(text: String) -> String {
    match masked(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    }
}
