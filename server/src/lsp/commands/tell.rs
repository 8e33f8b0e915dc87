//! `baton.tell`: tells the agents of the run at work something, whichever process holds it.

use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use super::table::TellArguments;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::window;
use crate::workflow::{self, ToldTo};

/// Tell them, and answer with the run and who was told.
pub(super) async fn tell(folder: &Arc<Folder>, arguments: TellArguments) -> Result<Value, Refused> {
    let TellArguments { text, task } = arguments;
    let told = folder.with_files(move |files| {
        let Some(store) = files.memory()? else { return Err(Refused::NoActiveRun) };
        Ok(workflow::tell(&store, &files.phases, &text, task.as_deref())?)
    });
    let ToldTo { run, names } = told.await?;
    if !folder.capabilities.plugin {
        let message = format!("Baton: told {}; taken with the next request.", names.join(", "));
        window::show_message(&folder.client, MessageType::INFO, message);
    }
    Ok(json!({ "run": run, "told": names }))
}
