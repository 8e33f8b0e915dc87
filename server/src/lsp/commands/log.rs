//! `baton.log`: the conversations of a run, readable.

use std::sync::Arc;

use serde_json::{Value, json};

use super::table::LogArguments;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::virtual_documents::log::{nothing, read};
use crate::lsp::virtual_documents::uri::DocumentUri;
use crate::lsp::wire::window;
use crate::memory::RunId;

/// The file in a run's folder that an editor opens where it cannot ask for the log by its URI.
const FILE: &str = "log.md";

/// The log of a run, and the URI by which it can be asked for again. An editor without a plugin of ours opens it.
pub(super) async fn log(folder: &Arc<Folder>, arguments: LogArguments) -> Result<Value, Refused> {
    let (run, markdown) = read(folder, arguments.run).await?;
    if !folder.capabilities.plugin {
        let (of, text) = (run.clone(), markdown.clone());
        let file = folder.with_files(move |files| {
            let store = files.memory()?.ok_or_else(nothing)?;
            let run = RunId::parse(&of).ok_or_else(nothing)?;
            Ok(store.write_run_file(&run, FILE, text.as_bytes())?)
        });
        let path = folder.path.join(file.await?);
        let message = format!("Baton: the log of run {run} is in {}.", path.display());
        window::open_or_show_message(&folder.client, folder.capabilities.show_document, &path, None, message);
    }
    let uri = RunId::parse(&run).map(|run| DocumentUri::Log { run }.to_uri());
    Ok(json!({ "run": run, "uri": uri, "markdown": markdown }))
}
