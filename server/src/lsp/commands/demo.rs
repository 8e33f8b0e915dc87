//! `baton.demo`: the sample of the demo, to work on. No folder need be open for it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tower_lsp::lsp_types::{MessageType, Url};

use super::table::DemoArguments;
use crate::config;
use crate::lsp::files::blocking;
use crate::lsp::files::refused::Refused;
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::window;
use crate::workspace::{SampleError, prepare_sample};

/// Make a sample, whose own settings name the recorded answers, and answer where it is. A client without a plugin of ours gets
/// its task opened, and is told what to do with it.
pub(super) async fn make(
    client: &Client,
    capabilities: Capabilities,
    arguments: DemoArguments,
) -> Result<Value, Refused> {
    let dir = arguments.dir.map(PathBuf::from);
    if let Some(dir) = dir.as_ref().filter(|dir| !dir.is_absolute()) {
        let message = format!("dir is {:?}, and is the whole path of a folder", dir.display().to_string());
        return Err(Refused::Usage(message));
    }
    let made = blocking(move || {
        let made = prepare_sample(dir, &config::temporary_folder(), config::has_program("cargo"));
        made.map_err(|error| match error {
            SampleError::Taken(_) => Refused::Usage(error.to_string()),
            SampleError::Io { .. } => Refused::Internal(error.to_string()),
        })
    });
    let folder = made.await?;
    if !capabilities.plugin {
        let message = format!(
            "Baton: the demo is in {}. Open this folder and run baton.workflow there: the answers are recorded, need no key \
             and cost nothing.",
            folder.display()
        );
        window::show_message(client, MessageType::INFO, message);
        open_task(client, capabilities, &folder);
    }
    Ok(json!({ "folder": folder, "uri": Url::from_file_path(&folder).ok() }))
}

fn open_task(client: &Client, capabilities: Capabilities, folder: &Path) {
    let Ok(task) = Url::from_file_path(folder.join(".agent_memory").join("task.md")) else { return };
    let client = client.clone();
    tokio::spawn(async move { window::open(&client, capabilities.show_document, task, None).await });
}
