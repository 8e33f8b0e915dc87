//! The review that stands, and what it leaves open of the acceptance criteria.

use crate::contracts::{CriterionResult, CriterionState, Dismissed, Issue, ReviewOutput, RoundKind};
use crate::memory::{Memory, Store};

/// The review whose issues stand: the one at hand, or, while its issues are being fixed and what that broke is repaired,
/// the one before.
pub fn standing_review(memory: &Memory, store: &Store) -> Option<ReviewOutput> {
    let fixing = || memory.round.as_ref().filter(|round| round.kind != RoundKind::First);
    memory.review.clone().or_else(|| store.review_before(fixing()?.n))
}

/// What the standing review says of the criteria; nothing where the plan was changed since.
pub fn standing_criteria(memory: &Memory, store: &Store) -> Vec<CriterionResult> {
    match &memory.review {
        Some(_) => memory.criteria().to_vec(),
        None => standing_review(memory, store).map(|review| review.criteria).unwrap_or_default(),
    }
}

/// The criteria that are not met and that a person has not settled: neither by taking the work as it is, nor, one that is
/// unmet, by dismissing all that was found in its task.
pub fn open_criteria(memory: &Memory, store: &Store) -> Vec<CriterionResult> {
    let mut criteria = standing_criteria(memory, store);
    if criteria.is_empty() || memory.is_accepted() {
        return Vec::new();
    }
    let issues = standing_review(memory, store).map(|review| review.issues).unwrap_or_default();
    criteria.retain(|result| match result.state {
        CriterionState::Met => false,
        CriterionState::Unproven => true,
        CriterionState::Unmet => !is_settled(memory, &issues, &result.task_id),
    });
    criteria
}

/// Whether something was found in a task, and all of it dismissed.
fn is_settled(memory: &Memory, issues: &[Issue], task: &str) -> bool {
    let of_task = |issue: &&Issue| memory.task_of(issue).is_some_and(|owner| owner.id == task);
    let mut found = issues.iter().filter(of_task).peekable();
    found.peek().is_some() && found.all(|issue| Dismissed::has(&memory.dismissed, &issue.id))
}
