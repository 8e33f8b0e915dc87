//! The commands an editor can run, in one table: what is advertised is what is parsed.
//!
//! A command has at most one argument, an object. A bare string is the object's first field, and none at all is an
//! empty object, so that an editor without a plugin can run every command. `folder` names a workspace folder by
//! its URI where there are several.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tower_lsp::lsp_types::Url;

use crate::config::ApprovalMode;
use crate::contracts::PhaseName;
use crate::text::from_encoded;
use crate::workflow::Phases;

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// Take a task through all phases, or continue with the current one.
    Workflow(WorkflowArguments),
    /// Run the context phase, also again.
    Context(TaskArguments),
    /// Run the plan phase, also again; where the gate waits, `feedback` is the answer to it.
    Plan(PlanArguments),
    /// Run the implement phase, also again.
    Implement(ImplementArguments),
    /// Run the review phase, or review the difference to a commit.
    Review(ReviewArguments),
    /// Approve the plan.
    Approve(ApproveArguments),
    /// Plan again with the notes in plan.md.
    SendNotes(NotesArguments),
    /// Take notes out of plan.md.
    DiscardNotes(DiscardArguments),
    /// Reject the plan.
    Reject,
    /// The status of the workflow.
    Status,
    /// Stop the run.
    Cancel,
    /// Move the workflow to the history; its changes of files stay.
    Reset,
    /// Undo what agents did to files, or undo that.
    Rollback(RollbackArguments),
    /// Keep changes of a file, or all it has.
    Keep(KeepArguments),
    /// Show what the workflow changed.
    Diff(DiffArguments),
    /// List the workflows that ran here.
    History,
    /// Show the conversations of a run.
    Log(LogArguments),
    /// Let the checks run, outside of a gate: asks, and offers to run those that were skipped.
    Trust,
    /// Take the work as it is, whatever its review asks for.
    Accept(AcceptArguments),
    /// Tell the agents at work something.
    Tell(TellArguments),
    /// Fix issues of the review.
    FixIssue(FixArguments),
    /// Dismiss issues.
    DismissIssue(DismissArguments),
    /// Restore dismissed issues.
    RestoreIssue(RestoreArguments),
    /// Open task.md, or a task of the plan.
    OpenTask(OpenTaskArguments),
    /// Open plan.md.
    OpenPlan,
    /// Check whether everything that a run needs is there.
    Doctor,
    /// Make the sample of the demo.
    Demo(DemoArguments),
    /// Run a phase that has no arguments of its own, also again.
    Phase(PhaseName),
}

/// Arguments of `baton.workflow`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WorkflowArguments {
    /// The task in the user's words; without one the current workflow continues.
    pub(crate) task: Option<String>,
    /// Reset the current workflow first.
    pub(crate) reset: Option<bool>,
    /// Begin a quick workflow: context and plan are made in one conversation.
    pub(crate) quick: Option<bool>,
    /// Who answers the gate of this run; the settings say it otherwise.
    pub(crate) approval: Option<ApprovalMode>,
    /// Allow the workflow as much again as its budget.
    #[serde(rename = "allowMore")]
    pub(crate) allow_more: Option<bool>,
}

/// Arguments of `baton.context`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TaskArguments {
    /// The task in the user's words; without one that of the current workflow.
    pub(crate) task: Option<String>,
}

/// Arguments of `baton.plan`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlanArguments {
    /// What should be different about the plan.
    pub(crate) feedback: Option<String>,
}

/// Arguments of `baton.implement`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ImplementArguments {
    /// Only these tasks, by id.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) only: Option<Vec<String>>,
}

/// Arguments of `baton.review`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ReviewArguments {
    /// Review the working tree against this commit instead, with no plan.
    pub(crate) base: Option<String>,
}

/// Arguments of `baton.approve`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ApproveArguments {
    /// Only these tasks, by id.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) tasks: Option<Vec<String>>,
    /// SHA-256 of the plan that was shown, in hex; without it the plan at this moment is meant.
    #[serde(rename = "planSha256")]
    pub(crate) plan_sha256: Option<String>,
    /// Untrusted checks that may run, by the id that the gate shows.
    #[serde(rename = "trustChecks", deserialize_with = "ids_or_one")]
    pub(crate) trust_checks: Option<Vec<String>>,
    /// Of the commands that the gate offers as checks, those to remember, by id; the others are not offered again.
    #[serde(rename = "rememberChecks", deserialize_with = "ids_or_one")]
    pub(crate) remember_checks: Option<Vec<String>>,
}

/// Arguments of `baton.sendNotes`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NotesArguments {
    /// Notes beside those in plan.md: what a client's own interface took. A string is one note on the whole plan.
    #[serde(deserialize_with = "notes_or_one")]
    pub(crate) notes: Option<Vec<NoteArgument>>,
}

/// A note on the plan.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteArgument {
    /// The id of the task that it is about; without one the whole plan.
    #[serde(default)]
    pub(crate) task: Option<String>,
    /// What it says.
    pub(crate) text: String,
}

/// Arguments of `baton.discardNotes`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DiscardArguments {
    /// The lines of plan.md, from 1, at which they begin; without any all are discarded. As a string: "3,7".
    #[serde(deserialize_with = "lines_or_text")]
    pub(crate) lines: Option<Vec<u32>>,
}

/// Arguments of `baton.rollback`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RollbackArguments {
    /// Only what this task did.
    pub(crate) task: Option<String>,
    /// Only this file: below the folder, by its whole path, or by its URI.
    pub(crate) file: Option<String>,
    /// Only these changes, by their ids: one, or several of one file.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) hunk: Option<Vec<String>>,
    /// Only report what would happen.
    #[serde(rename = "dryRun")]
    pub(crate) dry_run: Option<bool>,
    /// Undo the last rollback instead.
    pub(crate) undo: Option<bool>,
    /// An earlier workflow, by its id.
    pub(crate) workflow: Option<String>,
}

/// Arguments of `baton.keep`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct KeepArguments {
    /// The file: below the folder, by its whole path, or by its URI.
    pub(crate) file: Option<String>,
    /// Only these changes of it, by their ids.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) hunk: Option<Vec<String>>,
}

/// Arguments of `baton.diff`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DiffArguments {
    /// Only what this task did.
    pub(crate) task: Option<String>,
}

/// Arguments of `baton.log`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogArguments {
    /// The beginning of the run's id; without one the run at work, else the last one.
    pub(crate) run: Option<String>,
}

/// Arguments of `baton.accept`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AcceptArguments {
    /// Why the work is taken as it is.
    pub(crate) because: Option<String>,
}

/// Arguments of `baton.tell`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TellArguments {
    /// What the agents should know.
    pub(crate) text: String,
    /// Only the agent of this task; without one the phase's agent, or every task at work.
    pub(crate) task: Option<String>,
}

/// Arguments of `baton.fixIssue`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FixArguments {
    /// Several issues' ids.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) ids: Option<Vec<String>>,
    /// The issue's id.
    pub(crate) id: Option<String>,
}

/// Arguments of `baton.dismissIssue`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DismissArguments {
    /// Several issues' ids.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) ids: Option<Vec<String>>,
    /// The issue's id.
    pub(crate) id: Option<String>,
    /// Why they are dismissed.
    pub(crate) because: Option<String>,
}

/// Arguments of `baton.restoreIssue`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RestoreArguments {
    /// Several issues' ids.
    #[serde(deserialize_with = "ids_or_one")]
    pub(crate) ids: Option<Vec<String>>,
    /// The issue's id.
    pub(crate) id: Option<String>,
}

/// Arguments of `baton.openTask`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OpenTaskArguments {
    /// A task of the plan, by id, at its place in plan.json; without one task.md.
    pub(crate) task: Option<String>,
}

/// Arguments of `baton.demo`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DemoArguments {
    /// The folder to make it in, which is new or empty, by its whole path; without one a new temporary folder.
    pub(crate) dir: Option<String>,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The command.
    pub(crate) command: Command,
    /// The workspace folder it is for.
    pub(crate) folder: Option<Url>,
}

/// Why a call is invalid; the message says how to call the command.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum CallError {
    /// No such command.
    #[error("{id:?} is no command of Baton's; there are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        id: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// Arguments that the command does not take.
    #[error("{id}: {fault}; {usage}")]
    Arguments {
        /// The command.
        id: String,
        /// What is wrong with them.
        fault: String,
        /// What it takes.
        usage: &'static str,
    },
}

struct Row {
    id: &'static str,
    /// The field that a bare string is.
    first_field: Option<&'static str>,
    usage: &'static str,
    read: fn(Map<String, Value>) -> Result<Command, String>,
}

const ROWS: [Row; 27] = [
    Row {
        id: "baton.workflow",
        first_field: Some("task"),
        usage: "it takes {task?, reset?, quick?, approval?: \"ask\" | \"auto\", allowMore?, folder?}, or the task as a string",
        read: |fields| with_arguments(fields, Command::Workflow),
    },
    Row {
        id: "baton.context",
        first_field: Some("task"),
        usage: "it takes {task?, folder?}, or the task as a string",
        read: |fields| with_arguments(fields, Command::Context),
    },
    Row {
        id: "baton.plan",
        first_field: Some("feedback"),
        usage: "it takes {feedback?, folder?}, or the feedback as a string",
        read: |fields| with_arguments(fields, Command::Plan),
    },
    Row {
        id: "baton.implement",
        first_field: Some("only"),
        usage: "it takes {only?: [ids], folder?}, or the ids of tasks as a string, as in \"T1,T3\"",
        read: |fields| with_arguments(fields, Command::Implement),
    },
    Row {
        id: "baton.review",
        first_field: Some("base"),
        usage: "it takes {base?, folder?}, or a commit to compare with as a string",
        read: |fields| with_arguments(fields, Command::Review),
    },
    Row {
        id: "baton.approve",
        first_field: Some("tasks"),
        usage: "it takes {tasks?: [ids], planSha256?, trustChecks?: [ids], rememberChecks?: [ids], folder?}, or the ids of tasks as a string, as in \"T1,T3\"",
        read: |fields| with_arguments(fields, Command::Approve),
    },
    Row {
        id: "baton.sendNotes",
        first_field: Some("notes"),
        usage: "it takes {notes?: [{task?, text}], folder?}, or one note on the plan as a string",
        read: |fields| with_arguments(fields, Command::SendNotes),
    },
    Row {
        id: "baton.discardNotes",
        first_field: Some("lines"),
        usage: "it takes {lines?: [numbers], folder?}, or lines as a string, as in \"3,7\"",
        read: |fields| with_arguments(fields, Command::DiscardNotes),
    },
    Row {
        id: "baton.reject",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::Reject),
    },
    Row {
        id: "baton.status",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::Status),
    },
    Row {
        id: "baton.cancel",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::Cancel),
    },
    Row {
        id: "baton.reset",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::Reset),
    },
    Row {
        id: "baton.rollback",
        first_field: Some("task"),
        usage: "it takes {task?, file?, hunk?, dryRun?, undo?, workflow?, folder?}, or the id of a task as a string",
        read: |fields| with_arguments(fields, Command::Rollback),
    },
    Row {
        id: "baton.keep",
        first_field: Some("file"),
        usage: "it takes {file, hunk?, folder?}, or the file as a string",
        read: |fields| with_arguments(fields, Command::Keep),
    },
    Row {
        id: "baton.diff",
        first_field: Some("task"),
        usage: "it takes {task?, folder?}, or the id of a task as a string",
        read: |fields| with_arguments(fields, Command::Diff),
    },
    Row {
        id: "baton.history",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::History),
    },
    Row {
        id: "baton.log",
        first_field: Some("run"),
        usage: "it takes {run?, folder?}, or the beginning of a run's id as a string",
        read: |fields| with_arguments(fields, Command::Log),
    },
    Row {
        id: "baton.accept",
        first_field: Some("because"),
        usage: "it takes {because?, folder?}, or why as a string",
        read: |fields| with_arguments(fields, Command::Accept),
    },
    Row {
        id: "baton.trust",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::Trust),
    },
    Row {
        id: "baton.tell",
        first_field: Some("text"),
        usage: "it takes {text, task?, folder?}, or the text as a string",
        read: |fields| with_arguments(fields, Command::Tell),
    },
    Row {
        id: "baton.fixIssue",
        first_field: Some("ids"),
        usage: ISSUES,
        read: |fields| with_arguments(fields, Command::FixIssue),
    },
    Row {
        id: "baton.dismissIssue",
        first_field: Some("ids"),
        usage: "it takes {ids: [ids], because?, folder?}, or the ids of issues as a string with commas between them",
        read: |fields| with_arguments(fields, Command::DismissIssue),
    },
    Row {
        id: "baton.restoreIssue",
        first_field: Some("ids"),
        usage: ISSUES,
        read: |fields| with_arguments(fields, Command::RestoreIssue),
    },
    Row {
        id: "baton.openTask",
        first_field: Some("task"),
        usage: "it takes {task?, folder?}, or the id of a task of the plan as a string",
        read: |fields| with_arguments(fields, Command::OpenTask),
    },
    Row {
        id: "baton.openPlan",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::OpenPlan),
    },
    Row {
        id: "baton.doctor",
        first_field: None,
        usage: NOTHING,
        read: |fields| without_arguments(&fields, Command::Doctor),
    },
    Row {
        id: "baton.demo",
        first_field: Some("dir"),
        usage: "it takes {dir?}, or as a string the path of a folder that is new or empty",
        read: |fields| with_arguments(fields, Command::Demo),
    },
];

const NOTHING: &str = "it takes nothing but {folder?}";
const ISSUES: &str = "it takes {ids: [ids], folder?}, or the ids of issues as a string with commas between them";

/// The ids of all commands, for `executeCommandProvider`: one a row, and one for each phase that has none.
pub(crate) fn ids(phases: &Phases) -> Vec<String> {
    let rows = ROWS.iter().map(|row| row.id.to_owned());
    rows.chain(further(phases).map(|(id, _)| id)).collect()
}

/// The phases that have no row of their own, each with the id of its command.
fn further(phases: &Phases) -> impl Iterator<Item = (String, PhaseName)> {
    let commands = phases.names().map(|name| (format!("baton.{name}"), name));
    commands.filter(|(id, _)| ROWS.iter().all(|row| row.id != id))
}

/// What a `workspace/executeCommand` asks for. `phases` tells which there are, where the command has no row.
///
/// # Errors
/// When there is no such command, or it takes other arguments.
pub(crate) fn parse(id: &str, arguments: Vec<Value>, phases: &dyn Fn() -> Phases) -> Result<Call, CallError> {
    let row = ROWS.iter().find(|row| row.id == id);
    let phase = match row {
        Some(_) => None,
        None => {
            let phases = phases();
            let named = further(&phases).find(|(known, _)| known == id);
            let unknown = || CallError::Unknown { id: id.to_owned(), known: ids(&phases) };
            Some(named.ok_or_else(unknown)?.1)
        }
    };
    let usage = row.map_or(NOTHING, |row| row.usage);
    let wrong = |fault: String| CallError::Arguments { id: id.to_owned(), fault, usage };
    let mut fields = fields(row.and_then(|row| row.first_field), arguments).map_err(wrong)?;
    for (_, ids) in fields.iter_mut().filter(|(name, _)| ["id", "ids"].contains(&name.as_str())) {
        decode(ids);
    }
    let folder = match fields.shift_remove("folder") {
        None | Some(Value::Null) => None,
        Some(Value::String(uri)) => {
            Some(Url::parse(&uri).map_err(|error| wrong(format!("folder {uri:?} is no URI: {error}")))?)
        }
        Some(other) => return Err(wrong(format!("folder is {other}, and is the URI of a workspace folder"))),
    };
    let command = match (row, phase) {
        (Some(row), _) => (row.read)(fields),
        (None, Some(phase)) => without_arguments(&fields, Command::Phase(phase)),
        (None, None) => Err("it is no command".to_owned()),
    };
    Ok(Call { command: command.map_err(wrong)?, folder })
}

fn fields(first_field: Option<&str>, arguments: Vec<Value>) -> Result<Map<String, Value>, String> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    match (arguments.next(), first_field) {
        _ if count > 1 => Err(format!("{count} arguments are given")),
        (None | Some(Value::Null), _) => Ok(Map::new()),
        (Some(Value::Object(fields)), _) => Ok(fields),
        (Some(text @ Value::String(_)), Some(field)) => Ok(Map::from_iter([(field.to_owned(), text)])),
        (Some(other), _) => Err(format!("{other} is given")),
    }
}

/// Ids as they are in the files: what leaves the server is safe to show.
fn decode(ids: &mut Value) {
    match ids {
        Value::String(id) => *id = from_encoded(id).into_owned(),
        Value::Array(ids) => ids.iter_mut().for_each(decode),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {}
    }
}

fn with_arguments<T: DeserializeOwned>(
    fields: Map<String, Value>,
    command: fn(T) -> Command,
) -> Result<Command, String> {
    serde_json::from_value(Value::Object(fields)).map(command).map_err(|error| error.to_string())
}

fn without_arguments(fields: &Map<String, Value>, command: Command) -> Result<Command, String> {
    match fields.keys().next() {
        None => Ok(command),
        Some(field) => Err(format!("unknown field `{field}`")),
    }
}

/// Ids as a list, or as one string with commas between them, as people type them.
fn ids_or_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "ids are a list of strings, or one string with commas between them")]
    enum Ids {
        List(Vec<String>),
        Text(String),
    }
    Ok(Option::<Ids>::deserialize(deserializer)?.map(|ids| match ids {
        Ids::List(ids) => ids,
        Ids::Text(text) => text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
    }))
}

/// Notes as a list, or one on the whole plan as a string.
fn notes_or_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<NoteArgument>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "notes are a list of {task?, text}, or one note as a string")]
    enum Notes {
        List(Vec<NoteArgument>),
        Text(String),
    }
    Ok(Option::<Notes>::deserialize(deserializer)?.map(|notes| match notes {
        Notes::List(notes) => notes,
        Notes::Text(text) => vec![NoteArgument { task: None, text }],
    }))
}

/// Numbers of lines as a list, or as one string with commas between them.
fn lines_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u32>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "lines are a list of numbers, or one string with commas between them")]
    enum Lines {
        List(Vec<u32>),
        Text(String),
    }
    let number = |text: &str| text.parse().map_err(|_| D::Error::custom(format!("{text:?} is no number of a line")));
    match Option::<Lines>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Lines::List(lines)) => Ok(Some(lines)),
        Some(Lines::Text(text)) => text
            .split(',')
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(number)
            .collect::<Result<_, _>>()
            .map(Some),
    }
}

#[cfg(test)]
mod tests;
