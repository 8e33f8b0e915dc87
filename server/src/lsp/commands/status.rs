//! `baton.status`.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::lsp_types::MessageType;

use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{FaultStatus, NextStep, PhaseState, Status};

/// The message where there never was a workflow.
const NO_WORKFLOW: &str = "Baton: nothing has been run here yet; baton.workflow with a task starts.";

/// The status of the workflow, from the files alone; null where there never was one.
pub(super) async fn status(folder: &Arc<Folder>) -> Result<Value, Refused> {
    let of = folder.clone();
    let found = folder.with_files(move |files| {
        let Some((status, _)) = of.status(files)? else { return Ok(None) };
        // A memory folder with nothing in it but a template.
        let is_empty = status.task.is_none() && status.run.is_none() && status.faults.is_empty();
        Ok(Some(status)
            .filter(|status| !is_empty || status.phases.iter().any(|phase| phase.status != PhaseState::Pending)))
    });
    let found = found.await?;
    if !folder.capabilities.plugin {
        let message = found.as_ref().map_or_else(|| NO_WORKFLOW.to_owned(), status_text);
        window::show_message(&folder.client, MessageType::INFO, message);
    }
    serde_json::to_value(found).map_err(|error| Refused::Internal(error.to_string()))
}

/// The status as a message, for editors that do not show results.
fn status_text(status: &Status) -> String {
    let mut lines = Vec::new();
    let task = to_proto::plain(status.task.as_deref().unwrap_or("no task"), 200);
    let state = match (&status.run, status.outcome) {
        (None, _) => "nothing was run".to_owned(),
        (Some(run), None) => format!("run {run}, at work or interrupted"),
        (Some(run), Some(outcome)) => format!("run {run}, {outcome}"),
    };
    lines.push(format!("Baton: {task} ({state})"));
    for phase in status.phases.iter().filter(|phase| phase.status != PhaseState::Pending) {
        lines.push(format!("{}: {}. {}", phase.phase, phase.status, to_proto::plain(&phase.message, 200)));
    }
    for task in &status.tasks {
        lines.push(format!("{} {}: {}", task.id, task.status, to_proto::plain(&task.title, 100)));
    }
    if !status.issues.is_empty() {
        lines.push(to_proto::count(status.issues.len(), "issue"));
    }
    lines.extend(status.warnings.iter().map(|warning| to_proto::plain(warning, 600)));
    for fault in &status.faults {
        let FaultStatus { file, line, column, message, .. } = fault;
        lines.push(format!("{file}:{line}:{column}: {}", to_proto::plain(message, 300)));
    }
    let next = match status.next {
        NextStep::Gate if status.gate.is_none() => {
            "fix the plan and save it, or baton.reject, or baton.plan with feedback"
        }
        NextStep::None if !status.faults.is_empty() => "fix the file and save it, or baton.reset",
        NextStep::Task => "say what is to be done: baton.workflow with a task",
        NextStep::Gate => "an answer to the plan: baton.approve or baton.reject",
        NextStep::Fix => "a fix round: baton.workflow goes on",
        NextStep::RePlan => "a new plan: baton.workflow goes on",
        NextStep::None => "nothing",
        NextStep::Phase(phase) => phase.as_str(),
    };
    lines.push(format!("Used {}. Next: {next}.", status.usage.words()));
    lines.join("\n")
}
