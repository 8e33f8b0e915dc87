//! What the user undid of the agents' changes, for those who work on.

use super::publishes::{Publish, journal, paths_in_effect};
use crate::contracts::RepoPath;
use crate::memory::{MemoryError, Store};
use crate::workspace::{self, PublishedFile, Reversal, ReversalKind};

/// The changes that the user undid in hunks, in files or by tasks, and did not bring back, each as a diff as a model is shown it.
/// Oldest first. A rollback of everything is not among them: after it the plan is done anew.
///
/// # Errors
/// When a journal cannot be read.
pub fn undone(store: &Store) -> Result<Vec<(RepoPath, String)>, MemoryError> {
    let journal = journal(store)?;
    let mut all = Vec::new();
    for publish in &journal {
        if !publish.record.reversal.as_ref().is_some_and(is_part) {
            continue;
        }
        for path in paths_in_effect(&journal, publish) {
            let file = publish.record.files.iter().find(|file| file.path == path);
            if let Some(diff) = file.and_then(|file| diff(publish, file)).filter(|diff| !diff.is_empty()) {
                all.push((path, diff));
            }
        }
    }
    Ok(all)
}

fn is_part(reversal: &Reversal) -> bool {
    let is_of_all =
        reversal.task.is_none() && reversal.file.is_none() && reversal.hunks.is_empty() && !reversal.by_hunk;
    reversal.kind == ReversalKind::Rollback && !is_of_all
}

/// What the agents had changed: from what the rollback put in place to what it found. `None` where a copy is lost.
fn diff(publish: &Publish, file: &PublishedFile) -> Option<String> {
    let (before, after) = (file.before(&publish.folder).ok()?, file.after(&publish.folder).ok()?);
    Some(workspace::unified_masked(&file.path, after.as_deref(), before.as_deref()))
}
