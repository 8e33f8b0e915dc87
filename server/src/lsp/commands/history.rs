//! `baton.history`: the workflows that ran in a folder.

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{self, PastWorkflow};

/// Workflows that a message lists.
const SHOWN: usize = 12;

/// The workflows, newest first.
pub(super) async fn history(folder: &Folder) -> Result<Value, Refused> {
    let workflows = folder.with_files(|files| {
        let Some(store) = files.memory()? else { return Ok(Vec::new()) };
        Ok(workflow::history(&store)?)
    });
    let workflows = workflows.await?;
    if !folder.capabilities.plugin {
        window::show_message(&folder.client, MessageType::INFO, message(&workflows));
    }
    Ok(json!({ "workflows": workflows }))
}

/// The list for editors that do not show results.
fn message(workflows: &[PastWorkflow]) -> String {
    if workflows.is_empty() {
        return "Baton: nothing has been run here yet; baton.workflow with a task starts.".to_owned();
    }
    let mut lines = vec!["Baton: workflows, newest first:".to_owned()];
    lines.extend(workflows.iter().take(SHOWN).map(line));
    if workflows.len() > SHOWN {
        lines.push(format!("and {} more", workflows.len() - SHOWN));
    }
    lines.push(
        "baton.rollback with {\"workflow\": \"…\"} undoes one; with \"undo\": true it brings one back.".to_owned(),
    );
    lines.join("\n")
}

fn line(past: &PastWorkflow) -> String {
    let outcome = past.outcome_words();
    let can = match (past.can_undo, past.can_bring_back) {
        (true, _) => ", can be undone",
        (false, true) => ", can be brought back",
        (false, false) => "",
    };
    let files = to_proto::count(past.files, "file");
    format!("{}: {outcome}, {files}{can}: {}", past.workflow, to_proto::plain(&past.task, 120))
}
