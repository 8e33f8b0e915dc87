//! What earlier reviews of a workflow found.

use std::collections::BTreeMap;

use crate::contracts::{FileKeys, Findings, Issue, PhaseName, Round, RoundKind};
use crate::memory::Memory;
use crate::phases::work_done::dismissed_issues;
use crate::workflow::{PhaseError, Run};

/// What earlier reviews of a workflow found, as far as a re-review must know.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// Issues of the review before that the user has not dismissed; a re-review answers them by id.
    pub(super) open: Vec<Issue>,
    /// Ids of those among them that the round was not about: nobody worked on them, and they stay open unless they are
    /// answered as fixed.
    pub(super) left: Vec<String>,
    /// Issues that the user dismissed, of all reviews.
    pub(super) dismissed: Vec<Issue>,
    /// Which of their files are one.
    pub(super) keys: FileKeys,
}

/// What further phases found, without what the user dismissed.
pub(super) fn open_findings(memory: &Memory) -> BTreeMap<PhaseName, Findings> {
    let mut all = memory.findings.clone();
    for found in all.values_mut() {
        found.issues.retain(|issue| !memory.is_dismissed(&issue.id));
    }
    all
}

/// What the workflow's earlier reviews found, as far as the review of this round must know.
pub(super) fn earlier_issues(run: &Run, memory: &Memory, round: u32) -> Result<Earlier, PhaseError> {
    let reviews = run.store.earlier_reviews()?;
    let before = reviews.iter().rev().find(|review| review.round < round);
    let open: Vec<&Issue> = before.map(|review| review.open_issues(&memory.dismissed).collect()).unwrap_or_default();
    let dismissed = dismissed_issues(run, memory, &reviews)?;
    // A repair round has the issues of the fix round before it.
    let is_of_issues = |chosen: &&Round| match chosen.kind {
        RoundKind::First => false,
        RoundKind::Fix => true,
        RoundKind::Repair => !chosen.issues.is_empty(),
    };
    let chosen = memory.round.as_ref().filter(|chosen| chosen.n == round).filter(is_of_issues);
    let is_left = |issue: &&&Issue| chosen.is_some_and(|chosen| !chosen.issues.contains(&issue.id));
    let left = open.iter().filter(is_left).map(|issue| issue.id.clone()).collect();
    let keys = run.workspace.file_keys_of(open.iter().copied().chain(&dismissed).map(|issue| issue.file.as_str()));
    Ok(Earlier { open: open.into_iter().cloned().collect(), left, dismissed, keys })
}
