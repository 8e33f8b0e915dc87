//! task.md and plan.md, opened in the editor.

use serde_json::{Value, json};

use super::super::folder::Folder;
use super::super::refused::Refused;
use super::super::{task_file, to_proto, window};

/// Open task.md, made from a template where there is none.
pub(super) async fn task(folder: &Folder) -> Result<Value, Refused> {
    let file = folder.with_files(task_file::make).await?;
    Ok(shown(folder, &file, "The task is in"))
}

/// Open plan.md.
pub(super) async fn plan(folder: &Folder) -> Result<Value, Refused> {
    let file = folder.with_files(|files| {
        let store = files.memory()?.ok_or(Refused::NoPlan)?;
        store.show_plan()?.ok_or(Refused::NoPlan)
    });
    let file = file.await?;
    Ok(shown(folder, &file, "The plan is in"))
}

fn shown(folder: &Folder, file: &str, told: &str) -> Value {
    let path = folder.path.join(file);
    let message = format!("{told} {}.", path.display());
    window::open_or_tell(&folder.client, folder.capabilities.show_document, &path, message);
    json!({ "uri": to_proto::uri(&folder.path, file) })
}
