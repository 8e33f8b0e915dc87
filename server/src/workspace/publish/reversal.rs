//! What a rollback takes back, as its journal names it.

use serde::{Deserialize, Serialize};

use crate::contracts::RepoPath;

/// What a rollback, or the undoing of one, takes back.
///
/// Journals are only ever added: what still stands follows from all of them together, and so a rollback can be rolled
/// back like anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// Which of the two it is.
    pub kind: ReversalKind,
    /// The one task it is about, if it is about one.
    #[serde(default)]
    pub task: Option<String>,
    /// The one file it is about, if it is about one.
    #[serde(default)]
    pub file: Option<RepoPath>,
    /// The publishes it takes back, and for which files.
    pub of: Vec<TakenBack>,
}

/// Whether tasks' publishes are taken back, or a rollback's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReversalKind {
    /// Tasks' publishes.
    Rollback,
    /// A rollback's.
    Undo,
}

/// One publish as far as it is taken back.
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
    /// These files are not taken back after all.
    pub(super) fn except(&mut self, left: &[RepoPath]) {
        for publish in &mut self.of {
            publish.paths.retain(|path| !left.contains(path));
        }
        self.of.retain(|publish| !publish.paths.is_empty());
    }
}
