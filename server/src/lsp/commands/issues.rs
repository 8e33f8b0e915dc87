//! Dismissing and restoring issues of the reviews and of further phases.

use serde_json::{Value, json};

use super::table::IssueArguments;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::memory::Store;
use crate::workflow::{self, StartError};

/// Dismiss an issue.
pub(super) async fn dismiss(folder: &Folder, arguments: IssueArguments) -> Result<Value, Refused> {
    change(folder, arguments, workflow::dismiss_issue).await
}

/// Restore a dismissed issue.
pub(super) async fn restore(folder: &Folder, arguments: IssueArguments) -> Result<Value, Refused> {
    change(folder, arguments, workflow::restore_issue).await
}

/// The id of some issue of a review or of a further phase, as an example in an error.
pub(super) async fn example_id(folder: &Folder) -> Result<String, Refused> {
    folder
        .with_files(|files| {
            let store = files.memory()?.ok_or(Refused::NoReview)?;
            let (memory, _faults) = store.inspect()?;
            let found = memory.findings.values().flat_map(|found| &found.issues);
            let found = found.chain(memory.base_review.iter().flat_map(|review| &review.issues));
            let mut issues = memory.review.iter().flat_map(|review| &review.issues).chain(found);
            issues.next().map(|issue| issue.id.clone()).ok_or(Refused::NoReview)
        })
        .await
}

async fn change(
    folder: &Folder,
    arguments: IssueArguments,
    apply: fn(&Store, &str) -> Result<(), StartError>,
) -> Result<Value, Refused> {
    let Some(id) = arguments.id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()) else {
        return Err(Refused::WhichIssue(example_id(folder).await?));
    };
    let named = id.clone();
    folder.with_files(move |files| Ok(apply(&files.memory()?.ok_or(Refused::NoReview)?, &named)?)).await?;
    folder.refresh().await;
    Ok(json!({ "id": id }))
}
