//! Why a folder refuses a command.

use std::path::PathBuf;

use serde_json::{Value, json};
use tower_lsp::lsp_types::Url;

use crate::config::ConfigErrors;
use crate::memory::MemoryError;
use crate::workflow::StartError;
use crate::workspace::WorkspaceError;

/// Why a folder refuses a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// A run is active.
    #[error("run {0} is at work here; wait for its end, or stop it by baton.cancel")]
    RunActive(String),
    /// A run that is to begin looks for workers.
    #[error("a run that is to begin here looks for workers; wait for it, or stop it by baton.cancel")]
    SearchActive,
    /// That was stopped.
    #[error("stopped before a worker was found; nothing was begun")]
    SearchStopped,
    /// No run is active.
    #[error("nothing runs here")]
    NoActiveRun,
    /// No run is active; the last one is over.
    #[error("nothing runs here: run {0} is over")]
    RunOver(String),
    /// The task is blank.
    #[error("the task is empty; say what is to be done, for example {{\"task\": \"Add a --json flag\"}}")]
    EmptyTask,
    /// There is no task; task.md was created, at this path.
    #[error(
        "there is no task yet: write it to {}, save it and start again, or give it, for example {{\"task\": \"Add a \
         --json flag\"}}",
        .0.display()
    )]
    NoTask(PathBuf),
    /// There is no plan.
    #[error("there is no plan; baton.workflow with a task makes one")]
    NoPlan,
    /// A run is active and has made no plan yet.
    #[error("run {0} has no plan yet; it asks as soon as there is one")]
    NoPlanYet(String),
    /// The plan was answered before.
    #[error("the plan was answered already, and run {0} goes on with it; stop it by baton.cancel to change the answer")]
    Answered(String),
    /// The answer is to another plan than plan.json, at this path, holds now.
    #[error(
        "{} changed since that plan was shown; look at the plan as it is now, then answer again",
        .0.display()
    )]
    StalePlan(PathBuf),
    /// plan.json, at this path, is open with changes that are not saved.
    #[error(
        "{} has changes that are not saved, and nothing else than the saved plan can be approved; save it or undo them, \
         then answer again",
        .0.display()
    )]
    UnsavedPlan(PathBuf),
    /// plan.md, at this path, is open with changes that are not saved.
    #[error("{} has changes that are not saved; save it or undo them, then send the notes again", .0.display())]
    UnsavedNotes(PathBuf),
    /// The feedback is blank.
    #[error(
        "the feedback is empty; say what should be different, for example {{\"feedback\": \"Leave the API as it is\"}}"
    )]
    EmptyFeedback,
    /// No issue is named.
    #[error("which issue? Name it by its id, for example {{\"ids\": [\"{0}\"]}}; baton.status lists them")]
    WhichIssue(String),
    /// There is no review.
    #[error("there is no review here, and so no issue")]
    NoReview,
    /// The arguments make no sense.
    #[error("{0}")]
    Usage(String),
    /// The folder cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The settings have faults.
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    /// The engine refuses.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A bug.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl Refused {
    /// The `data` of the error for clients: `{kind, uri}`.
    pub(crate) fn data(&self) -> Option<Value> {
        let (kind, path) = match self {
            Self::StalePlan(path) => ("stale_plan", path),
            Self::UnsavedPlan(path) | Self::UnsavedNotes(path) => ("unsaved", path),
            _ => return None,
        };
        Some(json!({ "kind": kind, "uri": Url::from_file_path(path).ok() }))
    }
}

impl From<MemoryError> for Refused {
    fn from(error: MemoryError) -> Self {
        StartError::from(error).into()
    }
}
