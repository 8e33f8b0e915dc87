//! `baton.reset` and `baton.doctor`.

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use crate::config;
use crate::lsp::files::detached;
use crate::lsp::files::editor_services;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{self, Check};

/// Move the current workflow to the history; its changes of files stay.
pub(super) async fn reset(folder: &Folder) -> Result<Value, Refused> {
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
    Ok(json!({ "moved": moved }))
}

/// Check whether everything that a run needs is there.
pub(super) async fn doctor(folder: &Folder) -> Result<Value, Refused> {
    let settings = folder.settings().await;
    let editor = editor_services::editor(&folder.client, folder.capabilities, &folder.path);
    let path = folder.path.clone();
    // Detached: slow disks hold up no other request.
    let table = folder.table;
    let found = detached(async move { Ok(workflow::doctor(&path, settings, &config::variable, &editor, table).await) });
    let found = found.await?;
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
