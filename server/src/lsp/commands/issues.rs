//! Dismissing and restoring issues of the reviews and of further phases, and accepting the work as it is.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use super::table::{AcceptArguments, DismissArguments, RestoreArguments};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::runs;
use crate::lsp::wire::window;
use crate::memory::Store;
use crate::workflow::{self, Goal, StartError};

/// Shown to clients without a plugin after the last open issue was dismissed.
const ACCEPTED: &str = "Baton: no issue of the review is open any more, so the work counts as accepted by you. An issue that \
                        is restored is open again.";

/// Dismiss issues. Where none of the review is open any more, the work counts as accepted, which is said.
pub(super) async fn dismiss(folder: &Folder, arguments: DismissArguments) -> Result<Value, Refused> {
    let DismissArguments { id, ids, because } = arguments;
    let answer =
        change(folder, named(id, ids), move |store, ids| workflow::dismiss_issues(store, ids, because.as_deref()))
            .await?;
    let accepted = folder.with_files(|files| {
        let Some(store) = files.memory()? else { return Ok(false) };
        Ok(workflow::is_accepted(&store, &files.settings, &files.phases, Timestamp::now())?)
    });
    if !folder.capabilities.plugin && accepted.await? {
        window::show_message(&folder.client, MessageType::INFO, ACCEPTED);
    }
    Ok(answer)
}

/// Restore dismissed issues.
pub(super) async fn restore(folder: &Folder, arguments: RestoreArguments) -> Result<Value, Refused> {
    let RestoreArguments { id, ids } = arguments;
    change(folder, named(id, ids), workflow::restore_issues).await
}

/// Take the work as it is: a run that dismisses every open issue of the review and ends as merged at once.
pub(super) async fn accept(folder: &Arc<Folder>, arguments: AcceptArguments) -> Result<Value, Refused> {
    let goal = Goal::Accept { because: arguments.because };
    Ok(json!({ "run": runs::start(folder, goal.into()).await? }))
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

/// The ids that a call names, by the field of one or the one of several.
pub(super) fn named(id: Option<String>, ids: Option<Vec<String>>) -> Vec<String> {
    let all = id.into_iter().chain(ids.into_iter().flatten()).map(|id| id.trim().to_owned());
    all.filter(|id| !id.is_empty()).collect()
}

async fn change(
    folder: &Folder,
    ids: Vec<String>,
    apply: impl FnOnce(&Store, &[String]) -> Result<(), StartError> + Send + 'static,
) -> Result<Value, Refused> {
    if ids.is_empty() {
        return Err(Refused::WhichIssue(example_id(folder).await?));
    }
    let changed = ids.clone();
    folder.with_files(move |files| Ok(apply(&files.memory()?.ok_or(Refused::NoReview)?, &changed)?)).await?;
    folder.refresh().await;
    Ok(json!({ "ids": ids }))
}
