//! Issues the user wants to see no more, and again.

use serde_json::{Value, json};

use super::super::commands::IssueArguments;
use super::super::files::Files;
use super::super::folder::Folder;
use super::super::refused::Refused;
use crate::contracts::Dismissed;
use crate::memory::{Memory, Store};

/// Show an issue no more.
pub(super) async fn dismiss(folder: &Folder, arguments: IssueArguments) -> Result<Value, Refused> {
    change(folder, arguments, |memory, id| {
        let is_known = memory.review.iter().flat_map(|review| &review.issues).any(|issue| issue.id == id);
        if !is_known {
            return Err(Refused::NoIssue(id.to_owned()));
        }
        let mut ids = memory.dismissed.clone();
        if !ids.iter().any(|dismissed| dismissed == id) {
            ids.push(id.to_owned());
        }
        Ok(ids)
    })
    .await
}

/// Show a dismissed issue again.
pub(super) async fn restore(folder: &Folder, arguments: IssueArguments) -> Result<Value, Refused> {
    change(folder, arguments, |memory, id| {
        let ids: Vec<String> = memory.dismissed.iter().filter(|dismissed| *dismissed != id).cloned().collect();
        if ids.len() == memory.dismissed.len() { Err(Refused::NotDismissed(id.to_owned())) } else { Ok(ids) }
    })
    .await
}

async fn change(
    folder: &Folder,
    arguments: IssueArguments,
    ids: impl FnOnce(&Memory, &str) -> Result<Vec<String>, Refused> + Send + 'static,
) -> Result<Value, Refused> {
    // Two at once would each write a list without the other's id.
    let one_at_a_time = folder.dismissing.lock().await;
    let id = folder.with_files(move |files| {
        let (store, memory) = reviewed(files)?;
        let Some(id) = arguments.id.filter(|id| !id.trim().is_empty()) else {
            let mut known = memory.review.iter().flat_map(|review| &review.issues);
            return Err(Refused::WhichIssue(known.next().map(|issue| issue.id.clone()).unwrap_or_default()));
        };
        store.write(&Dismissed(ids(&memory, id.trim())?))?;
        Ok(id.trim().to_owned())
    });
    let id = id.await?;
    drop(one_at_a_time);
    folder.show().await;
    Ok(json!({ "id": id }))
}

fn reviewed(files: &Files) -> Result<(Store, Memory), Refused> {
    let nothing = || Refused::Usage("there is no review here, and so no issue".to_owned());
    let store = files.memory()?.ok_or_else(nothing)?;
    // A fault in another file does not matter here.
    let (memory, _faults) = store.inspect()?;
    if memory.review.is_none() && memory.dismissed.is_empty() {
        return Err(nothing());
    }
    Ok((store, memory))
}
