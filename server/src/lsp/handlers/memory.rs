//! The workflow's memory as a whole: where it stands, and setting it aside.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::folder::Folder;
use super::super::refused::Refused;
use crate::workflow;

/// Where the workflow stands, from the files alone; null where there never was one.
pub(super) async fn status(folder: &Folder) -> Result<Value, Refused> {
    folder
        .with_files(|files| {
            let Some(store) = files.memory()? else { return Ok(Value::Null) };
            let status = workflow::status(&store, &files.settings, Timestamp::now())?;
            if status.task.is_none() && status.run.is_none() && status.phases.iter().all(|phase| phase.at.is_none()) {
                return Ok(Value::Null);
            }
            serde_json::to_value(status).map_err(|error| Refused::Internal(error.to_string()))
        })
        .await
}

/// Move the workflow at hand to history; files stay.
pub(super) async fn reset(folder: &Folder) -> Result<Value, Refused> {
    if let Some(run) = folder.at_work().await {
        return Err(Refused::AtWork(run));
    }
    let moved = folder.with_files(|files| {
        let Some(store) = files.memory()? else { return Ok(None) };
        Ok(workflow::reset(&files.workspace, &store)?.map(|entry| store.name(&entry)))
    });
    let moved = moved.await?;
    folder.show().await;
    Ok(json!({ "moved": moved }))
}

/// Look whether everything that is needed is there.
pub(super) async fn doctor(_: &Folder) -> Result<Value, Refused> {
    Err(Refused::Usage("`baton doctor` cannot be asked from here yet".to_owned()))
}
