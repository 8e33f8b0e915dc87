//! The tools agents call, and what each agent may call.
//!
//! A call never panics and never fails the run, whatever the model sends: what is wrong is answered to the model in
//! words it can act on. Every answer is bounded and says what it left out. Private keys and tokens of known form in it are
//! masked.
//!
//! Invariant: tools reach the disk only through the workspace module.

mod delete_file;
mod edit_file;
mod edit_match;
mod input;
mod list_files;
mod nearest;
mod read_diff;
mod read_file;
mod search;
mod show;
mod view;
mod write_file;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::contracts::RepoPath;
use crate::models::ToolSpec;
use crate::text;
use crate::workspace::{Interrupt, Interrupted, Refused, Staging, StagingError, Workspace, masked};
use input::Input;

/// The tools of one agent.
#[derive(Debug, Clone)]
pub struct Toolbox {
    workspace: Workspace,
    memory_dir: RepoPath,
    role: Role,
    interrupt: Interrupt,
}

/// How long one call may take. What takes longer is answered with an error that says so.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// Most characters of what people see of one call.
const LONGEST_ACTIVITY: usize = 120;

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// The answer for the model.
    pub text: String,
    /// Whether it is an error.
    pub is_error: bool,
    /// What was done, for people: "reading src/a.rs". One short line, without control characters.
    pub activity: String,
    /// A write that was refused for what it wanted to touch: a person is told of it as a blocker.
    pub refused: Option<String>,
}

#[derive(Debug, Clone)]
enum Role {
    Reader,
    Implementer(Arc<Mutex<Staging>>),
    Reviewer(Arc<Vec<(RepoPath, String)>>),
}

/// Why a tool has no answer.
#[derive(Debug)]
struct ToolError {
    text: String,
    refused: Option<String>,
}

/// The tools, in the order in which a model is told of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    ListFiles,
    Search,
    ReadFile,
    EditFile,
    WriteFile,
    DeleteFile,
    ReadDiff,
}

const FAILED: &str = "The tool failed on this input, and nothing was changed; try another way.";

const READING: [Tool; 3] = [Tool::ListFiles, Tool::Search, Tool::ReadFile];
const WRITING: [Tool; 3] = [Tool::EditFile, Tool::WriteFile, Tool::DeleteFile];

impl Toolbox {
    /// The tools of an agent that only reads the workspace.
    pub fn reader(workspace: Workspace, memory_dir: RepoPath) -> Self {
        Self { workspace, memory_dir, role: Role::Reader, interrupt: Interrupt::never() }
    }

    /// The tools of an agent that works on one task: it sees the workspace with its own changes.
    pub fn implementer(workspace: Workspace, memory_dir: RepoPath, staging: Arc<Mutex<Staging>>) -> Self {
        Self { workspace, memory_dir, role: Role::Implementer(staging), interrupt: Interrupt::never() }
    }

    /// The tools of an agent that reviews these diffs, by file.
    pub fn reviewer(workspace: Workspace, memory_dir: RepoPath, diffs: Vec<(RepoPath, String)>) -> Self {
        Self { workspace, memory_dir, role: Role::Reviewer(Arc::new(diffs)), interrupt: Interrupt::never() }
    }

    /// The tools as a model is told of them: always the same bytes for the same kind of agent.
    pub fn specs(&self) -> Vec<ToolSpec> {
        self.tools().into_iter().map(Tool::spec).collect()
    }

    /// Whether a tool of this name is among them.
    pub fn has(&self, name: &str) -> bool {
        self.tools().into_iter().any(|tool| tool.name() == name)
    }

    /// The same tools, whose calls stop when this says so.
    #[must_use]
    pub fn until(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Call a tool, aside from what else this thread has to do, and only for so long. `None` when it was cancelled; what
    /// the call still does then touches nothing but the task's staging.
    pub async fn call_aside(&self, name: &str, input: &Value, cancel: &CancellationToken) -> Option<ToolOutput> {
        let interrupt = Interrupt::after(LONGEST_CALL);
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

    /// Call a tool. Blocks on the disk; never panics, whatever the input.
    pub fn call(&self, name: &str, input: &Value) -> ToolOutput {
        let Some(tool) = self.tools().into_iter().find(|tool| tool.name() == name) else {
            let known: Vec<_> = self.tools().into_iter().map(Tool::name).collect();
            let text = format!("There is no tool {:?}. Call one of: {}.", text::cut(name, 100), known.join(", "));
            return ToolOutput { text, is_error: true, activity: "calling an unknown tool".to_owned(), refused: None };
        };
        match tool {
            Tool::ListFiles => self.run(tool, input, list_files::run),
            Tool::Search => self.run(tool, input, search::run),
            Tool::ReadFile => self.run(tool, input, read_file::run),
            Tool::EditFile => self.run(tool, input, edit_file::run),
            Tool::WriteFile => self.run(tool, input, write_file::run),
            Tool::DeleteFile => self.run(tool, input, delete_file::run),
            Tool::ReadDiff => self.run(tool, input, read_diff::run),
        }
    }

    fn run<I: Input>(&self, tool: Tool, input: &Value, run: fn(&Self, I) -> Result<String, ToolError>) -> ToolOutput {
        let calling = format!("calling {}", tool.name());
        let call = || match input::parse::<I>(tool.name(), input) {
            Ok(input) => (text::short_line(&input.activity(), LONGEST_ACTIVITY), run(self, input)),
            Err(faults) => (calling.clone(), Err(faults.into())),
        };
        // A fault of a library is the end of the call, not of the run.
        let (activity, outcome) =
            catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| (calling.clone(), Err(FAILED.to_owned().into())));
        match outcome {
            Ok(text) => ToolOutput { text: shown(text), is_error: false, activity, refused: None },
            Err(ToolError { text, refused }) => ToolOutput { text: shown(text), is_error: true, activity, refused },
        }
    }

    fn tools(&self) -> Vec<Tool> {
        let more: &[Tool] = match self.role {
            Role::Reader => &[],
            Role::Implementer(_) => &WRITING,
            Role::Reviewer(_) => &[Tool::ReadDiff],
        };
        READING.iter().chain(more).copied().collect()
    }

    /// The task's staging. Another call that panicked with it in hand cannot have left it half changed.
    fn staging(&self) -> Option<MutexGuard<'_, Staging>> {
        match &self.role {
            Role::Implementer(staging) => Some(staging.lock().unwrap_or_else(PoisonError::into_inner)),
            Role::Reader | Role::Reviewer(_) => None,
        }
    }

    /// The staging of an agent that may write.
    fn writing(&self) -> Result<MutexGuard<'_, Staging>, ToolError> {
        self.staging().ok_or_else(|| ToolError::from("This agent does not write files.".to_owned()))
    }

    fn diffs(&self) -> &[(RepoPath, String)] {
        match &self.role {
            Role::Reviewer(diffs) => diffs,
            Role::Reader | Role::Implementer(_) => &[],
        }
    }
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::ListFiles => "list_files",
            Self::Search => "search",
            Self::ReadFile => "read_file",
            Self::EditFile => "edit_file",
            Self::WriteFile => "write_file",
            Self::DeleteFile => "delete_file",
            Self::ReadDiff => "read_diff",
        }
    }

    fn spec(self) -> ToolSpec {
        let (description, input_schema) = match self {
            Self::ListFiles => (list_files::DESCRIPTION, input::schema::<list_files::ListFiles>()),
            Self::Search => (search::DESCRIPTION, input::schema::<search::Search>()),
            Self::ReadFile => (read_file::DESCRIPTION, input::schema::<read_file::ReadFile>()),
            Self::EditFile => (edit_file::DESCRIPTION, input::schema::<edit_file::EditFile>()),
            Self::WriteFile => (write_file::DESCRIPTION, input::schema::<write_file::WriteFile>()),
            Self::DeleteFile => (delete_file::DESCRIPTION, input::schema::<delete_file::DeleteFile>()),
            Self::ReadDiff => (read_diff::DESCRIPTION, input::schema::<read_diff::ReadDiff>()),
        };
        // Not strict: the tools forgive more than the schema allows, and a provider bounds how many strict ones there are.
        ToolSpec { name: self.name().to_owned(), description: description.to_owned(), input_schema, strict: false }
    }
}

/// No tool's answer holds a secret of known form, whatever it was made from.
fn shown(text: String) -> String {
    match masked(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

impl From<String> for ToolError {
    fn from(text: String) -> Self {
        Self { text, refused: None }
    }
}

impl From<Interrupted> for ToolError {
    fn from(interrupted: Interrupted) -> Self {
        Self { text: sentence(&interrupted), refused: None }
    }
}

impl From<StagingError> for ToolError {
    fn from(error: StagingError) -> Self {
        let refused = match &error {
            StagingError::Refused(refused) if refused.is_blocker() => Some(refused.to_string()),
            _ => None,
        };
        Self { text: sentence(&error), refused }
    }
}

/// An error as a sentence. (A refused read is no blocker; see [`Refused::is_blocker`] for writes.)
fn sentence(error: &dyn fmt::Display) -> String {
    format!("{error}.")
}

impl From<Refused> for ToolError {
    fn from(refused: Refused) -> Self {
        Self { text: sentence(&refused), refused: None }
    }
}

#[cfg(test)]
mod tests;
