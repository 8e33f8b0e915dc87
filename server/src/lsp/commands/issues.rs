//! Issues the user wants to see no more, and again.

use serde_json::{Value, json};

use super::table::IssueArguments;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::memory::Store;
use crate::workflow::{self, StartError};

/// Show an issue no more.
pub(super) async fn dismiss(folder: &Folder, arguments: IssueArguments) -> Result<Value, Refused> {
    change(folder, arguments, workflow::dismiss_issue).await
}

/// Show a dismissed issue again.
pub(super) async fn restore(folder: &Folder, arguments: IssueArguments) -> Result<Value, Refused> {
    change(folder, arguments, workflow::restore_issue).await
}

/// The id of an issue of the review, as an example of one.
pub(super) async fn any(folder: &Folder) -> Result<String, Refused> {
    folder
        .with_files(|files| {
            let store = files.memory()?.ok_or(Refused::NoReview)?;
            let (memory, _faults) = store.inspect()?;
            let mut issues = memory.review.iter().flat_map(|review| &review.issues);
            issues.next().map(|issue| issue.id.clone()).ok_or(Refused::NoReview)
        })
        .await
}

async fn change(
    folder: &Folder,
    arguments: IssueArguments,
    what: fn(&Store, &str) -> Result<(), StartError>,
) -> Result<Value, Refused> {
    let Some(id) = arguments.id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()) else {
        return Err(Refused::WhichIssue(any(folder).await?));
    };
    let named = id.clone();
    folder.with_files(move |files| Ok(what(&files.memory()?.ok_or(Refused::NoReview)?, &named)?)).await?;
    folder.refresh().await;
    Ok(json!({ "id": id }))
}
