//! What is asked of a rollback, and what it answers.

use serde::Serialize;

use crate::contracts::RepoPath;

/// What is to be undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollbackRequest {
    /// The workflow, by its id, the beginning of that, or one of its runs; without one that at hand.
    pub workflow: Option<String>,
    /// Only what this task did.
    pub task: Option<String>,
    /// Only what was done to this file.
    pub file: Option<RepoPath>,
    /// Only these hunks of the workflow at hand, by their ids; go with no task and no workflow. Empty: all there is.
    pub hunks: Vec<String>,
    /// Change nothing, and answer with what would happen.
    pub dry_run: bool,
    /// Undo the last rollback instead; goes with no task, file or hunk.
    pub undo: bool,
}

/// What became of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollbackReport {
    /// The run that the rollback is journaled as; `None` when nothing was done.
    pub run: Option<String>,
    /// The files, by path.
    pub files: Vec<RolledBack>,
    /// The hunks that were passed over because the user keeps them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<KeptIn>,
    /// What this means for the workflow.
    pub notes: Vec<RollbackNote>,
}

/// The hunks of a file that a rollback passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptIn {
    /// The file.
    pub path: RepoPath,
    /// Their ids.
    pub hunks: Vec<String>,
}

/// What a rollback means for the workflow; each face names its own commands for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackNote {
    /// Files are left to undo: the same rollback can be made again once what keeps them is put right.
    Unfinished,
    /// The plan waits for an answer again.
    GateAgain,
    /// The rollback can itself be undone.
    CanBeUndone,
    /// Anything else, in a sentence for people that names no command.
    Other(String),
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The file, relative to the workspace root.
    pub path: RepoPath,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RollbackOutcome,
    /// The hunks that were undone, by their ids, where others of the file may stay. Empty: all that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hunks: Vec<String>,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RollbackOutcome {
    /// It is as it was.
    Restored,
    /// It was created, and is gone.
    Deleted,
    /// What agents did is undone, and the user's edits since are kept.
    Merged,
    /// Some of its hunks are undone, and the others stay.
    InPart,
    /// The edits of agents and of the user cannot be separated; it was not touched.
    LeftAlone {
        /// Why.
        why: String,
        /// Its content from before, relative to the workspace root; `None` when it did not exist.
        before_image: Option<String>,
    },
    /// It was as it should be already.
    Unchanged,
}

impl RollbackReport {
    /// The files that a person has to look at.
    pub fn left_alone(&self) -> impl Iterator<Item = &RolledBack> {
        self.files.iter().filter(|file| matches!(file.outcome, RollbackOutcome::LeftAlone { .. }))
    }
}
