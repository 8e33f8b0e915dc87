//! `baton.keep`: changes of agents that stay, whatever is undone later.

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use super::changes::file_below;
use super::table::KeepArguments;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::{to_proto, window};
use crate::workflow;

/// Keep changes of a file, or all it has.
pub(super) async fn keep(folder: &Folder, arguments: KeepArguments) -> Result<Value, Refused> {
    let KeepArguments { file, hunk } = arguments;
    let which = || Refused::Usage("which file? Name it, for example {\"file\": \"src/lib.rs\"}".to_owned());
    let (file, path) = (file.ok_or_else(which)?, folder.path.clone());
    let kept = folder.with_files(move |files| {
        let nothing = || Refused::Usage("there is nothing to keep: nothing has been run here yet".to_owned());
        let store = files.memory()?.ok_or_else(nothing)?;
        let file = file_below(&path, files, &file)?;
        let kept = workflow::keep(&store, &files.workspace, &file, &hunk.unwrap_or_default())?;
        Ok((file, kept))
    });
    let (file, kept) = kept.await?;
    folder.refresh().await;
    let message = format!("{} kept in {}.", to_proto::count(kept.len(), "change"), to_proto::plain(file.as_str(), 300));
    // Nothing of it is seen in the file.
    if !folder.capabilities.plugin {
        window::show_message(&folder.client, MessageType::INFO, format!("Baton: {message}"));
    }
    Ok(json!({ "kept": kept, "message": message }))
}
