//! `baton.status`.

use std::sync::Arc;

use serde_json::Value;
use tower_lsp::lsp_types::MessageType;

use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::ways_on::sentence;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{FaultStatus, IssueState, PhaseState, Status};

/// The message where there never was a workflow.
const NO_WORKFLOW: &str = "Baton: nothing has been run here yet; baton.workflow with a task starts.";

/// The status of the workflow, from the files alone; null where there never was one.
pub(super) async fn status(folder: &Arc<Folder>) -> Result<Value, Refused> {
    let of = folder.clone();
    let found = folder.with_files(move |files| {
        let Some((status, _)) = of.status(files)? else { return Ok(None) };
        Ok(Some(status).filter(|status| !status.is_empty()))
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
    lines.push(format!("Baton: {task}: {}. {}", status.headline, to_proto::plain(&status.summary, 600)));
    for phase in status.phases.iter().filter(|phase| phase.status != PhaseState::Pending) {
        let said = to_proto::plain(&phase.message, 200);
        lines.push(format!("{}: {}. {said}", phase.phase, phase.status).trim_end().to_owned());
    }
    for task in &status.tasks {
        lines.push(format!("{} {}: {}", task.id, task.status, to_proto::plain(&task.title, 100)));
    }
    let open = status.issues.iter().filter(|issue| matches!(issue.state, IssueState::New | IssueState::Open)).count();
    if open > 0 {
        lines.push(to_proto::count(open, "open issue"));
    }
    lines.extend(status.warnings.iter().map(|warning| to_proto::plain(warning, 600)));
    for fault in &status.faults {
        let FaultStatus { file, line, column, message, .. } = fault;
        lines.push(format!("{file}:{line}:{column}: {}", to_proto::plain(message, 300)));
    }
    lines.push(format!("Used {}.", status.usage.words()));
    lines.push(sentence(&status.ways_on));
    lines.join("\n")
}
