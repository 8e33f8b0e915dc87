//! A workflow that was interrupted before this server started: found when a folder is opened, never resumed unasked.

use std::sync::Arc;

use tower_lsp::lsp_types::MessageType;

use super::outcome::Question;
use super::ways_on::sentence;
use crate::lsp::folder::Folder;
use crate::lsp::wire::{to_proto, window};
use crate::workflow::{NextStep, WorkflowState};

/// Look for a workflow that waits for an answer, which shows a message, or was interrupted, which returns a question.
pub(super) async fn find(folder: &Arc<Folder>) -> Option<Question> {
    if folder.capabilities.outcome {
        return None;
    }
    let of = folder.clone();
    let found = folder.with_files(move |files| {
        let Some((status, store)) = of.status(files)?.filter(|(_, store)| store.holder().is_none()) else {
            return Ok(None);
        };
        Ok(Some((status, store.name("plan.md"))))
    });
    match found.await {
        Ok(Some((status, plan))) if folder.active_run().await.is_none() => {
            let task = to_proto::plain(status.task.as_deref().unwrap_or("a task"), 100);
            let summary = to_proto::plain(&status.summary, 600);
            match status.state {
                WorkflowState::Gate => {
                    let plan = folder.path.join(plan);
                    let how = sentence(&status.ways_on);
                    let message = format!("Baton: “{task}”: {summary} Read {}. {how}", plan.display());
                    window::show_message(&folder.client, MessageType::INFO, message);
                    None
                }
                WorkflowState::Faulty if status.next == NextStep::Gate => {
                    let message = format!("Baton: “{task}”: {summary} {}", sentence(&status.ways_on));
                    window::show_message(&folder.client, MessageType::WARNING, message);
                    None
                }
                WorkflowState::Interrupted | WorkflowState::Cancelled => {
                    Some(Question::interrupted(format!("Baton: “{task}”: {summary}"), status.ways_on))
                }
                _ => None,
            }
        }
        Ok(_) => None,
        // Faults are diagnostics, and a command reports everything else.
        Err(error) => {
            tracing::debug!(%error, "whether a workflow was interrupted is not known");
            None
        }
    }
}
