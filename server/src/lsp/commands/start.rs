//! The commands that start a run: the workflow, one phase, a fix round.

use std::sync::Arc;

use serde_json::{Value, json};

use super::issues;
use super::table::{FixArguments, ImplementArguments, ReviewArguments, TaskArguments, WorkflowArguments};
use crate::contracts::PhaseName;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::folder::allowance::Allowance;
use crate::lsp::run::runs;
use crate::lsp::run::start::Start;
use crate::workflow::{CONTEXT, Goal, IMPLEMENT, PLAN, REVIEW};

/// Take a task through all phases, or continue with the current one.
pub(super) async fn workflow(folder: &Arc<Folder>, arguments: WorkflowArguments) -> Result<Value, Refused> {
    let WorkflowArguments { task, reset, quick, approval, allow_more } = arguments;
    let goal = Goal::Go { task, reset: reset.unwrap_or_default(), only: None, quick: quick.unwrap_or_default() };
    if allow_more == Some(true) {
        let more = Allowance::more(&folder.files().await?.settings);
        folder.allowed().raise(more);
    }
    begin(folder, Start { goal, approval }).await
}

/// Run the context phase, also again.
pub(super) async fn context(folder: &Arc<Folder>, arguments: TaskArguments) -> Result<Value, Refused> {
    begin(folder, Goal::Phase { phase: CONTEXT, task: arguments.task, reset: false }).await
}

/// Run the plan phase, also again, with feedback where there is some.
pub(super) async fn plan(folder: &Arc<Folder>, feedback: Option<String>) -> Result<Value, Refused> {
    let goal = feedback.map_or_else(|| named(PLAN), |feedback| Goal::Revise { feedback });
    begin(folder, goal).await
}

/// Run the implement phase on the approved tasks, also again.
pub(super) async fn implement(folder: &Arc<Folder>, arguments: ImplementArguments) -> Result<Value, Refused> {
    let tasks = |ids| Goal::Tasks { ids, task: None };
    begin(folder, arguments.only.map_or_else(|| named(IMPLEMENT), tasks)).await
}

/// Run the review phase; with a base, review what the working tree has beyond that commit.
pub(super) async fn review(folder: &Arc<Folder>, arguments: ReviewArguments) -> Result<Value, Refused> {
    let against = |base| Goal::ReviewAgainst { base };
    begin(folder, arguments.base.map_or_else(|| named(REVIEW), against)).await
}

/// Fix only these issues of the review.
pub(super) async fn fix(folder: &Arc<Folder>, arguments: FixArguments) -> Result<Value, Refused> {
    let ids = issues::named(arguments.id, arguments.ids);
    if ids.is_empty() {
        return Err(Refused::WhichIssue(issues::example_id(folder).await?));
    }
    begin(folder, Goal::Fix { issues: ids }).await
}

/// A phase that has no arguments of its own, also again.
pub(super) async fn phase(folder: &Arc<Folder>, name: PhaseName) -> Result<Value, Refused> {
    begin(folder, named(name)).await
}

/// One phase, also again.
fn named(phase: PhaseName) -> Goal {
    Goal::Phase { phase, task: None, reset: false }
}

async fn begin(folder: &Arc<Folder>, start: impl Into<Start>) -> Result<Value, Refused> {
    Ok(json!({ "run": runs::start(folder, start.into()).await? }))
}
