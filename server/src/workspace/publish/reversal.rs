//! What a rollback reverts, as recorded in its journal.

use serde::{Deserialize, Serialize};

use crate::contracts::RepoPath;

/// What a rollback, or the undoing of one, reverts.
///
/// Journals are only added: what is in effect follows from all of them, so that a rollback can be rolled back too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// Whether it is a rollback or the undoing of one.
    pub kind: ReversalKind,
    /// The task, if it is about a single one.
    #[serde(default)]
    pub task: Option<String>,
    /// The file, if it is about a single one.
    #[serde(default)]
    pub file: Option<RepoPath>,
    /// The reverted publishes, and for which files.
    pub of: Vec<TakenBack>,
    /// The reverted hunks, where only some of a file were: its publishes stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hunks: Vec<UndoneHunk>,
    /// Whether these hunks were asked for, and nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_hunk: bool,
}

/// A reverted hunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoneHunk {
    /// The file.
    pub path: RepoPath,
    /// The hunk's id.
    pub id: String,
}

/// Whether publishes of tasks are reverted, or a rollback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReversalKind {
    /// Reverts publishes of tasks.
    Rollback,
    /// Reverts a rollback.
    Undo,
}

/// The reverted part of a publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// Its run.
    pub run: String,
    /// Its task.
    pub task: String,
    /// Its round.
    pub round: u32,
    /// The files.
    pub paths: Vec<RepoPath>,
}

impl Reversal {
    /// Excludes files that could not be reverted.
    pub(super) fn except(&mut self, left: &[RepoPath]) {
        for publish in &mut self.of {
            publish.paths.retain(|path| !left.contains(path));
        }
        self.of.retain(|publish| !publish.paths.is_empty());
        self.hunks.retain(|hunk| !left.contains(&hunk.path));
    }
}
