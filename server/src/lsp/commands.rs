//! The commands an editor can run, in one table: what is advertised is what is parsed.
//!
//! A command has at most one argument, an object. A bare string stands for the object's first field, and none at all
//! for an empty object, so that an editor without a plugin can run every command. `folder` names a workspace folder by
//! its URI where there are several.

use serde::Deserialize;
use serde_json::{Map, Value};
use tower_lsp::lsp_types::Url;

use crate::config::ApprovalMode;

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Take a task through the four phases, or go on with the one at hand.
    Workflow(WorkflowArguments),
    /// Tell where the workflow stands.
    Status,
    /// Stop the run.
    Cancel,
}

/// Arguments of `baton.workflow`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkflowArguments {
    /// The task in the user's words; without one the workflow at hand goes on.
    pub(super) task: Option<String>,
    /// Set the workflow at hand aside first.
    pub(super) reset: Option<bool>,
    /// Who answers the gate of this run; the settings say it otherwise.
    pub(super) approval: Option<ApprovalMode>,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// The command.
    pub(super) command: Command,
    /// The workspace folder it is for.
    pub(super) folder: Option<Url>,
}

/// Why a call is none; the message says how the command is called.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum CallError {
    /// No such command.
    #[error("{0:?} is no command of Baton's; there are {known}", known = ids().join(", "))]
    Unknown(String),
    /// Arguments that the command does not take.
    #[error("{id}: {fault}; {usage}")]
    Arguments {
        /// The command.
        id: &'static str,
        /// What is wrong with them.
        fault: String,
        /// What it takes.
        usage: &'static str,
    },
}

struct Row {
    id: &'static str,
    /// The field that a bare string stands for.
    first_field: Option<&'static str>,
    usage: &'static str,
    read: fn(Map<String, Value>) -> Result<Command, String>,
}

const ROWS: [Row; 3] = [
    Row {
        id: "baton.workflow",
        first_field: Some("task"),
        usage: "it takes {task?, reset?, approval?: \"ask\" | \"auto\", folder?}, or the task as a string",
        read: |fields| {
            let arguments = serde_json::from_value(Value::Object(fields));
            arguments.map(Command::Workflow).map_err(|error| error.to_string())
        },
    },
    Row {
        id: "baton.status",
        first_field: None,
        usage: "it takes nothing but {folder?}",
        read: |fields| none(&fields, Command::Status),
    },
    Row {
        id: "baton.cancel",
        first_field: None,
        usage: "it takes nothing but {folder?}",
        read: |fields| none(&fields, Command::Cancel),
    },
];

/// The ids of all commands, for `executeCommandProvider`.
pub(super) fn ids() -> Vec<String> {
    ROWS.iter().map(|row| row.id.to_owned()).collect()
}

/// What a `workspace/executeCommand` asks for.
///
/// # Errors
/// When there is no such command, or it takes other arguments.
pub(super) fn parse(id: &str, arguments: Vec<Value>) -> Result<Call, CallError> {
    let row = ROWS.iter().find(|row| row.id == id).ok_or_else(|| CallError::Unknown(id.to_owned()))?;
    let wrong = |fault: String| CallError::Arguments { id: row.id, fault, usage: row.usage };
    let mut fields = fields(row, arguments).map_err(wrong)?;
    let folder = match fields.remove("folder") {
        None | Some(Value::Null) => None,
        Some(Value::String(uri)) => {
            Some(Url::parse(&uri).map_err(|error| wrong(format!("folder {uri:?} is no URI: {error}")))?)
        }
        Some(other) => return Err(wrong(format!("folder is {other}, and is the URI of a workspace folder"))),
    };
    Ok(Call { command: (row.read)(fields).map_err(wrong)?, folder })
}

fn fields(row: &Row, arguments: Vec<Value>) -> Result<Map<String, Value>, String> {
    let count = arguments.len();
    let mut arguments = arguments.into_iter();
    match (arguments.next(), row.first_field) {
        _ if count > 1 => Err(format!("{count} arguments are given")),
        (None | Some(Value::Null), _) => Ok(Map::new()),
        (Some(Value::Object(fields)), _) => Ok(fields),
        (Some(text @ Value::String(_)), Some(field)) => Ok(Map::from_iter([(field.to_owned(), text)])),
        (Some(other), _) => Err(format!("{other} is given")),
    }
}

fn none(fields: &Map<String, Value>, command: Command) -> Result<Command, String> {
    match fields.keys().next() {
        None => Ok(command),
        Some(field) => Err(format!("unknown field `{field}`")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workflow(arguments: Vec<Value>) -> WorkflowArguments {
        match parse("baton.workflow", arguments).unwrap().command {
            Command::Workflow(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_advertised_command_can_be_run_without_arguments() {
        for id in ids() {
            for arguments in [vec![], vec![json!(null)], vec![json!({})]] {
                assert!(parse(&id, arguments).is_ok(), "{id}");
            }
        }
    }

    #[test]
    fn a_bare_string_stands_for_the_first_field() {
        let task = WorkflowArguments { task: Some("Add a flag".to_owned()), ..WorkflowArguments::default() };
        assert_eq!(workflow(vec![json!("Add a flag")]), task);
        assert_eq!(workflow(vec![json!({ "task": "Add a flag", "reset": null })]), task);
    }

    #[test]
    fn arguments_are_taken_by_their_names() {
        let arguments = workflow(vec![json!({ "reset": true, "approval": "auto" })]);
        assert_eq!((arguments.reset, arguments.approval), (Some(true), Some(ApprovalMode::Auto)));
        let call = parse("baton.status", vec![json!({ "folder": "file:///a" })]).unwrap();
        assert_eq!(call, Call { command: Command::Status, folder: Some(Url::parse("file:///a").unwrap()) });
    }

    #[test]
    fn a_wrong_call_says_what_would_be_right() {
        for (id, arguments, message) in [
            (
                "baton.nothing",
                vec![],
                "\"baton.nothing\" is no command of Baton's; there are baton.workflow, baton.status, baton.cancel",
            ),
            (
                "baton.status",
                vec![json!({ "all": 1 })],
                "baton.status: unknown field `all`; it takes nothing but {folder?}",
            ),
            ("baton.cancel", vec![json!("now")], "baton.cancel: \"now\" is given; it takes nothing but {folder?}"),
            (
                "baton.status",
                vec![json!({}), json!({})],
                "baton.status: 2 arguments are given; it takes nothing but {folder?}",
            ),
            (
                "baton.status",
                vec![json!({ "folder": 3 })],
                "baton.status: folder is 3, and is the URI of a workspace folder; it takes nothing but {folder?}",
            ),
        ] {
            assert_eq!(parse(id, arguments).unwrap_err().to_string(), message);
        }
        for wrong in [json!({ "aproval": "auto" }), json!({ "approval": "yes" }), json!({ "task": 3 }), json!(3)] {
            let message = parse("baton.workflow", vec![wrong]).unwrap_err().to_string();
            assert!(message.ends_with("or the task as a string"), "{message}");
        }
    }
}
