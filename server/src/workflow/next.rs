use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::contracts::{FileKeys, Issue, PlanOutput, RecommendedAction, RepoPath, ReviewOutput};
use crate::memory::Memory;

/// The settings the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Age at which a context without a plan is gathered again.
    pub context_staleness: SignedDuration,
    /// Reviews without a merge before a person is asked.
    pub max_review_cycles: u32,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nobody said what to do.
    NeedTask,
    /// Gather context.
    Context,
    /// Plan.
    Plan,
    /// Ask a person.
    Gate,
    /// Do the approved tasks that have no result yet.
    Implement,
    /// Review.
    Review,
    /// round.json begins a round whose report and review have not been set aside yet: finish that.
    EnterRound,
    /// Begin a fix round.
    Fix(FixScope),
    /// Plan again with the review in hand.
    RePlan,
    /// Tasks failed or are blocked: the run ends; the next start tries them again.
    Failed {
        /// Their ids.
        tasks: Vec<String>,
    },
    /// The review approved.
    Merged,
    /// The plan was rejected.
    Rejected,
    /// A person must decide.
    Escalated {
        /// Why.
        reason: String,
    },
}

/// What a fix round is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixScope {
    /// Tasks that own files with open issues, in plan order.
    pub tasks: Vec<String>,
    /// Files with open issues that no task owns.
    pub unowned: Vec<String>,
    /// Ids of the open issues.
    pub issues: Vec<String>,
}

/// Decide what comes next from the memory folder alone.
pub fn next_phase(memory: &Memory, policy: &Policy, now: Timestamp) -> Next {
    let Some(plan) = &memory.plan else {
        return match (&memory.faulty_plan, &memory.approval) {
            (None, _) => before_plan(memory, policy, now),
            // The gate is where a person is shown what is wrong with it.
            (Some(_), None) => Next::Gate,
            // Of such a plan no other answer counts.
            (Some(_), Some(_)) => Next::Rejected,
        };
    };
    let Some(approval) = &memory.approval else { return Next::Gate };
    if approval.is_rejected() {
        return Next::Rejected;
    }
    let review = memory.workflow_review();
    let round = memory.round.as_ref().map_or(1, |round| round.n);
    if review.is_some_and(|review| review.round < round)
        || memory.report.as_ref().is_some_and(|report| report.round < round)
    {
        return Next::EnterRound;
    }
    let report = memory.report.as_ref();
    if let Some(report) = report {
        let failed: Vec<String> = report.failed().map(|result| result.task_id.clone()).collect();
        if !failed.is_empty() {
            return Next::Failed { tasks: failed };
        }
    }
    let complete = report.is_some_and(|report| report.pending(approval.task_ids(&plan.plan)).is_empty());
    match review {
        // A handoff from elsewhere may have a review and no report; a report is then not missed.
        Some(review) if complete || report.is_none() => after_review(memory, &plan.plan, review, policy),
        _ if complete => Next::Review,
        _ => Next::Implement,
    }
}

fn before_plan(memory: &Memory, policy: &Policy, now: Timestamp) -> Next {
    let Some(context) = &memory.context else {
        return match (&memory.task, &memory.revision) {
            (Some(_), _) => Next::Context,
            // A plan from elsewhere came without a task; a new one answers to it all the same.
            (None, Some(_)) => Next::Plan,
            (None, None) => Next::NeedTask,
        };
    };
    let gathered = context.timestamp.unwrap_or(now);
    let stale = now.duration_since(gathered) > policy.context_staleness;
    // Without a task of its own, a context from elsewhere says what is to be done and cannot be gathered again.
    if stale && memory.task.is_some() { Next::Context } else { Next::Plan }
}

fn after_review(memory: &Memory, plan: &PlanOutput, review: &ReviewOutput, policy: &Policy) -> Next {
    let reviews = memory.earlier_review_rounds.iter().filter(|round| **round != review.round).count() as u32 + 1;
    let spent = || Next::Escalated {
        reason: format!(
            "{reviews} reviews without an approval (max_review_cycles is {}); the last one says: {}",
            policy.max_review_cycles, review.summary
        ),
    };
    match review.recommended_action {
        RecommendedAction::Merge => Next::Merged,
        RecommendedAction::EscalateToHuman => Next::Escalated { reason: review.summary.clone() },
        _ if reviews >= policy.max_review_cycles => spent(),
        RecommendedAction::RePlan => Next::RePlan,
        RecommendedAction::FixAndReReview => {
            let open: Vec<&Issue> = review.open_issues(&memory.dismissed).collect();
            if open.is_empty() {
                let reason = "the review asks for a fix and names no open issue".to_owned();
                return Next::Escalated { reason };
            }
            let scope = fix_scope(plan, &memory.keys, &memory.approved_tasks(), &open);
            if scope.tasks.is_empty() && scope.unowned.is_empty() {
                let reason = "the review asks for a fix in files outside the workspace".to_owned();
                return Next::Escalated { reason };
            }
            Next::Fix(scope)
        }
    }
}

/// Who fixes what, and which files nobody owns.
pub(super) fn fix_scope(plan: &PlanOutput, keys: &FileKeys, approved: &[String], issues: &[&Issue]) -> FixScope {
    let mut tasks = BTreeSet::new();
    let mut unowned = BTreeSet::new();
    for issue in issues {
        match plan.task_of(issue, keys, approved) {
            Some(task) => {
                tasks.insert(task.id.as_str());
            }
            None => unowned.extend(RepoPath::parse(&issue.file).ok().map(|path| path.to_string())),
        }
    }
    FixScope {
        tasks: plan.task_ids().filter(|id| tasks.contains(id)).map(str::to_owned).collect(),
        unowned: unowned.into_iter().collect(),
        issues: issues.iter().map(|issue| issue.id.clone()).collect(),
    }
}

#[cfg(test)]
#[path = "next_tests.rs"]
mod tests;
