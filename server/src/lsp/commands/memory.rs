//! `baton.reset` and `baton.doctor`.

use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use super::confirmation::Confirmation;
use crate::config;
use crate::lsp::files::detached;
use crate::lsp::files::editor_services;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{self, Check};

const START_OVER: &str = "Start Over";

/// Move the current workflow to the history; its changes of files stay. An editor without a plugin of ours runs a command at
/// a key or a click: there a person is asked before the plan is gone.
pub(super) async fn reset(folder: &Arc<Folder>) -> Result<Value, Refused> {
    if folder.capabilities.plugin || folder.active_run().await.is_some() {
        return Ok(json!({ "moved": set_aside(folder).await? }));
    }
    let Some(task) = unfinished(folder).await? else { return Ok(json!({ "moved": set_aside(folder).await? })) };
    let question = Confirmation {
        message: format!("Baton: set the workflow aside ({task}) and start over? Your files stay as they are."),
        yes: START_OVER,
        refused: "Baton: the workflow was not set aside. baton.workflow with {\"task\": \"…\", \"reset\": true} sets it \
                  aside without asking and begins that task.",
    };
    question.ask(folder, |folder| async move {
        let message = match set_aside(&folder).await? {
            Some(moved) => format!("Baton: the workflow was set aside, to {moved}. Your files stay as they are."),
            None => "Baton: there was nothing to set aside.".to_owned(),
        };
        window::show_message(&folder.client, MessageType::INFO, message);
        Ok(())
    });
    Ok(json!({ "moved": null }))
}

/// What a reset would take away, in words; `None` where there is nothing that it would.
async fn unfinished(folder: &Folder) -> Result<Option<String>, Refused> {
    let found = folder.with_files(|files| {
        let Some(store) = files.memory()? else { return Ok(None) };
        let (memory, faults) = store.inspect()?;
        let there = memory.begun || memory.task.is_some() || memory.context.is_some() || memory.plan.is_some();
        let task =
            memory.task.map_or_else(|| "no task".to_owned(), |task| format!("“{}”", to_proto::plain(&task, 100)));
        Ok(Some(task).filter(|_| there || !faults.is_empty()))
    });
    found.await
}

async fn set_aside(folder: &Folder) -> Result<Option<String>, Refused> {
    if let Some(run) = folder.active_run().await {
        return Err(Refused::RunActive(run));
    }
    let moved = folder.with_files(|files| {
        let Some(store) = files.memory()? else { return Ok(None) };
        Ok(workflow::reset(&files.workspace, &store)?.map(|entry| store.name(&entry)))
    });
    let moved = moved.await?;
    folder.allowed().clear();
    folder.withdraw_question();
    folder.refresh().await;
    Ok(moved)
}

/// Check whether everything that a run needs is there.
pub(super) async fn doctor(folder: &Folder) -> Result<Value, Refused> {
    let settings = folder.settings().await;
    let editor = editor_services::editor(&folder.client, folder.capabilities, &folder.path);
    let path = folder.path.clone();
    // Detached: slow disks hold up no other request.
    let table = folder.table;
    let found = detached(async move { Ok(workflow::doctor(&path, settings, &config::variable, &editor, table).await) });
    let mut found = found.await?;
    for check in &mut found.checks {
        check.message = folder.client.in_its_words(&check.message);
        check.fix = check.fix.as_deref().map(|fix| folder.client.in_its_words(fix));
    }
    if !folder.capabilities.plugin {
        let typ = if found.ok { MessageType::INFO } else { MessageType::WARNING };
        let lines: Vec<String> = found.checks.iter().map(check_line).collect();
        window::show_message(&folder.client, typ, format!("Baton: {}", lines.join("\n")));
    }
    serde_json::to_value(found).map_err(|error| Refused::Internal(error.to_string()))
}

fn check_line(check: &Check) -> String {
    let fix = check.fix.as_deref().map(|fix| format!(" → {}", to_proto::plain(fix, 300))).unwrap_or_default();
    format!("{} {}: {}{fix}", check.name, check.status, to_proto::plain(&check.message, 300))
}
