//! A workflow that was interrupted before this server started: found when a folder is opened, never resumed unasked.

use std::path::Path;
use std::sync::Arc;

use tower_lsp::lsp_types::MessageType;

use super::outcome::Question;
use crate::lsp::folder::Folder;
use crate::lsp::wire::{to_proto, window};
use crate::workflow::{NextStep, Outcome, Status};

/// Look for a workflow that waits for an answer, which shows a message, or was interrupted, which returns a question.
pub(super) async fn find(folder: &Arc<Folder>) -> Option<Question> {
    let of = folder.clone();
    let found = folder.with_files(move |files| {
        let Some((status, store)) = of.status(files)?.filter(|(_, store)| store.holder().is_none()) else {
            return Ok(None);
        };
        Ok(Some((status, store.name("plan.md"))))
    });
    match found.await {
        Ok(Some((status, plan))) if folder.active_run().await.is_none() => {
            if let Some((typ, message)) = waiting(&folder.path, &status, &plan) {
                window::show_message(&folder.client, typ, message);
                return None;
            }
            interrupted(&status)
        }
        Ok(_) => None,
        // Faults are diagnostics, and a command reports everything else.
        Err(error) => {
            tracing::debug!(%error, "whether a workflow was interrupted is not known");
            None
        }
    }
}

/// The message of a plan that waits for an answer.
fn waiting(folder: &Path, status: &Status, plan: &str) -> Option<(MessageType, String)> {
    let task = task(status);
    if status.gate.is_some() {
        let message = format!(
            "Baton: a plan waits for your answer (“{task}”). Read {}, then run baton.approve or baton.reject; \
             baton.plan with {{\"feedback\": \"…\"}} asks for another one.",
            folder.join(plan).display()
        );
        return Some((MessageType::INFO, message));
    }
    let fault = status.faults.first().filter(|_| status.next == NextStep::Gate)?;
    let message = format!(
        "Baton: a plan waits for your answer (“{task}”) and cannot be shown: {}:{}:{}: {} Fix it, or run baton.reject; \
         baton.plan with {{\"feedback\": \"…\"}} has another one made.",
        fault.file,
        fault.line,
        fault.column,
        to_proto::plain(&fault.message, 300)
    );
    Some((MessageType::WARNING, message))
}

fn interrupted(status: &Status) -> Option<Question> {
    let was_cut = matches!(status.outcome, None | Some(Outcome::Cancelled));
    let can_resume = status.run.is_some() && was_cut && !matches!(status.next, NextStep::None | NextStep::Task);
    can_resume.then(|| {
        let task = task(status);
        Question::interrupted(format!("Baton: a workflow was interrupted (“{task}”). Next would be: {}.", status.next))
    })
}

fn task(status: &Status) -> String {
    to_proto::plain(status.task.as_deref().unwrap_or("a task"), 100)
}
