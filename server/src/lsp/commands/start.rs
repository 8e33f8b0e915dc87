//! The commands that start a run: the workflow, one phase, a fix round.

use std::sync::Arc;

use serde_json::{Value, json};

use super::issues;
use super::table::{FixArguments, ImplementArguments, ReviewArguments, TaskArguments, WorkflowArguments};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::runs::Start;
use crate::workflow::{Phase, Request};

/// Take a task through the four phases, or go on with the one at hand.
pub(super) async fn workflow(folder: &Arc<Folder>, arguments: WorkflowArguments) -> Result<Value, Refused> {
    let WorkflowArguments { task, reset, approval } = arguments;
    let request = Request { task, reset: reset.unwrap_or_default(), ..Request::default() };
    begin(folder, Start { request, approval }).await
}

/// Gather context, also again.
pub(super) async fn context(folder: &Arc<Folder>, arguments: TaskArguments) -> Result<Value, Refused> {
    named(folder, Phase::Context, Request { task: arguments.task, ..Request::default() }).await
}

/// Plan, also again, answering to feedback where there is some.
pub(super) async fn plan(folder: &Arc<Folder>, feedback: Option<String>) -> Result<Value, Refused> {
    named(folder, Phase::Plan, Request { feedback, ..Request::default() }).await
}

/// Implement the approved tasks, also again.
pub(super) async fn implement(folder: &Arc<Folder>, arguments: ImplementArguments) -> Result<Value, Refused> {
    named(folder, Phase::Implement, Request { only: arguments.only, ..Request::default() }).await
}

/// Review what was done; with a base, what the working tree has beyond that commit.
pub(super) async fn review(folder: &Arc<Folder>, arguments: ReviewArguments) -> Result<Value, Refused> {
    if arguments.base.is_some() {
        let request = Request { base: arguments.base, ..Request::default() };
        return begin(folder, Start { request, approval: None }).await;
    }
    named(folder, Phase::Review, Request::default()).await
}

/// Fix issues of the review, those alone.
pub(super) async fn fix(folder: &Arc<Folder>, arguments: FixArguments) -> Result<Value, Refused> {
    let mut ids: Vec<String> = arguments.id.into_iter().chain(arguments.ids.into_iter().flatten()).collect();
    ids.retain(|id| !id.trim().is_empty());
    if ids.is_empty() {
        return Err(Refused::WhichIssue(issues::any(folder).await?));
    }
    begin(folder, Start { request: Request { fix: Some(ids), ..Request::default() }, approval: None }).await
}

async fn named(folder: &Arc<Folder>, phase: Phase, request: Request) -> Result<Value, Refused> {
    let request = Request { phase: Some(phase), ..request };
    begin(folder, Start { request, approval: None }).await
}

async fn begin(folder: &Arc<Folder>, start: Start) -> Result<Value, Refused> {
    Ok(json!({ "run": folder.start(start).await? }))
}
