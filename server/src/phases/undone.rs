//! What agents are told of changes that the user undid: data, so that they do not come back by themselves.

use crate::agents::{AgentError, Opening};
use crate::contracts::RepoPath;
use crate::phases::attached;
use crate::workflow::{self, PhaseError, Run};

/// Bytes shown of what was undone.
const MOST_OF_UNDONE: usize = 8 * 1024;

/// What the user undid in the files that `is_asked` names, and what that means; empty where nothing was undone. `Ok(Err(_))` is a
/// cancel.
///
/// # Errors
/// When a journal cannot be read.
pub(super) async fn undone(
    run: &Run,
    is_asked: impl Fn(&RepoPath) -> bool,
    meaning: &str,
) -> Result<Result<Opening, AgentError>, PhaseError> {
    let mut diffs = workflow::undone(&run.store)?;
    diffs.retain(|(path, _)| is_asked(path));
    if diffs.is_empty() {
        return Ok(Ok(Opening::new()));
    }
    let what = ("undone_by_user", "changes of agents that the user undid");
    let told = attached::further_diff(run, diffs, what, (MOST_OF_UNDONE, true)).await;
    Ok(told.map(|mut told| {
        told.push_str(meaning);
        told
    }))
}

/// What it means for who writes.
pub(super) const FOR_IMPLEMENTERS: &str = "The user undid the changes in undone_by_user: do not bring them back unless your task or an issue asks for them.\n";

/// What it means for who judges.
pub(super) const FOR_REVIEWERS: &str =
    "The user undid the changes in undone_by_user: do not ask for them again unless a criterion needs them.\n";
