//! What comes next, decided from the memory alone.

mod repair;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::contracts::{FileKeys, Issue, PhaseName, PlanOutput, RecommendedAction, RepoPath, ReviewOutput};
use crate::memory::Memory;
use crate::text::{count, plural, safe_line, short_line};
use crate::workflow::run::phase::{Phase, Phases, Policy};

pub use repair::RepairScope;
use repair::repair_scope;

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// There is no task.
    NeedTask,
    /// Run this phase.
    Phase(PhaseName),
    /// Ask a person.
    Gate,
    /// round.json begins a round whose report and review have not been set aside yet: finish that.
    EnterRound,
    /// Begin a fix round.
    Fix(FixScope),
    /// Begin a repair round.
    Repair(RepairScope),
    /// Plan again with the review in hand.
    RePlan,
    /// Tasks failed or are blocked: the run ends; the next start tries them again.
    Failed {
        /// Their ids.
        tasks: Vec<String>,
    },
    /// The review approved, or a person takes the work as it is.
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
    let due = |phases: &[&'static dyn Phase]| {
        phases.iter().find(|phase| phase.is_due(memory, policy, now)).map(|phase| Next::Phase(phase.name()))
    };
    let Some(plan) = &memory.plan else {
        return match (&memory.faulty_plan, &memory.approval) {
            (None, _) => due(policy.phases.until_plan()).unwrap_or(Next::NeedTask),
            // The gate is where a person is shown what is wrong with it.
            (Some(_), None) => Next::Gate,
            // A faulty plan cannot be approved.
            (Some(_), Some(_)) => Next::Rejected,
        };
    };
    let Some(approval) = &memory.approval else { return Next::Gate };
    if approval.is_rejected() {
        return Next::Rejected;
    }
    let review = memory.review.as_ref();
    let round = memory.round.as_ref().map_or(1, |round| round.n);
    let rounds = review.map(|review| review.round).into_iter().chain(memory.report.as_ref().map(|report| report.round));
    if rounds.chain(memory.findings.values().map(|found| found.round)).any(|of| of < round) {
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
        _ => match due(policy.phases.after_plan()) {
            Some(Next::Phase(name)) if policy.phases.judges(name) => {
                repair_scope(memory, &plan.plan, policy).map_or(Next::Phase(name), Next::Repair)
            }
            Some(next) => next,
            None => Next::Escalated { reason: "every phase is done and none reviewed the work".to_owned() },
        },
    }
}

/// Whether what comes next relies on the results in the report.
pub(crate) fn relies_on_results(phases: &Phases, next: &Next) -> bool {
    match next {
        Next::Phase(name) => phases.judges(*name),
        next => matches!(next, Next::Merged | Next::Repair(_)),
    }
}

fn after_review(memory: &Memory, plan: &PlanOutput, review: &ReviewOutput, policy: &Policy) -> Next {
    let reviews = memory.earlier_review_rounds.iter().filter(|round| **round != review.round).count() as u32 + 1;
    let spent = || Next::Escalated {
        reason: format!(
            "{} without an approval (max_review_cycles is {}); the last one says: {}",
            count(reviews as usize, "review"),
            policy.max_review_cycles,
            review.summary
        ),
    };
    match review.recommended_action {
        RecommendedAction::Merge => Next::Merged,
        _ if memory.is_accepted() => Next::Merged,
        RecommendedAction::EscalateToHuman => Next::Escalated { reason: review.summary.clone() },
        _ if reviews >= policy.max_review_cycles => spent(),
        RecommendedAction::RePlan => Next::RePlan,
        RecommendedAction::FixAndReReview => {
            // What was refuted is not worked on unless a person chooses it.
            let (refuted, open): (Vec<&Issue>, Vec<&Issue>) =
                review.open_issues(&memory.dismissed).partition(|issue| issue.refuted.is_some());
            if open.is_empty() {
                return Next::Escalated { reason: nothing_open(memory, !refuted.is_empty()) };
            }
            let approved = memory.approved_tasks();
            let (open, unplaced): (Vec<&Issue>, Vec<&Issue>) =
                open.into_iter().partition(|issue| plan.can_fix(issue, &approved));
            if open.is_empty() {
                return Next::Escalated { reason: nothing_placed(&unplaced) };
            }
            let scope = fix_scope(plan, &memory.keys, &approved, &open);
            if scope.tasks.is_empty() && scope.unowned.is_empty() {
                let reason = "the review asks for a fix in files outside the workspace".to_owned();
                return Next::Escalated { reason };
            }
            Next::Fix(scope)
        }
    }
}

/// That the review asks for a fix of no open issue. A check that fails only now is then what keeps the work from being
/// approved.
fn nothing_open(memory: &Memory, has_refuted: bool) -> String {
    let checks = memory.report.iter().flat_map(|report| &report.checks);
    let broken: Vec<String> =
        checks.filter(|check| check.is_broken()).map(|check| format!("`{}`", safe_line(&check.name))).collect();
    match (broken.as_slice(), has_refuted) {
        ([], false) => "the review asks for a fix and names no open issue".to_owned(),
        ([], true) => "the review asks for a fix, and each open issue it names was refuted".to_owned(),
        (broken, _) => {
            let (checks, fail) = (plural(broken.len(), "check"), if broken.len() == 1 { "fails" } else { "fail" });
            let rest = if has_refuted {
                "each open issue of the review was refuted"
            } else {
                "the review names no open issue"
            };
            format!("the {checks} {} {fail}, and {rest}", broken.join(", "))
        }
    }
}

/// That no open issue can be worked on, and which these are.
fn nothing_placed(issues: &[&Issue]) -> String {
    const MOST: usize = 3;
    let word = |issue: &&Issue| {
        let description = short_line(&issue.description, 200);
        format!("[{}] {} ({}): {description}", safe_line(&issue.id), safe_line(&issue.file), issue.severity.as_str())
    };
    let named: Vec<String> = issues.iter().take(MOST).map(word).collect();
    let more = issues.len().saturating_sub(MOST);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!(
        "the review asks for a fix, and for no issue that is left a place in the code was found: {}{more}",
        named.join("; ")
    )
}

/// Who fixes what, and which files nobody owns.
pub(crate) fn fix_scope(plan: &PlanOutput, keys: &FileKeys, approved: &[String], issues: &[&Issue]) -> FixScope {
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
mod tests;
