//! Which issues there are, and the round for those that a person chooses to be fixed.

use std::collections::BTreeSet;

use super::issue_task::task_of;
use super::next::{FixScope, fix_scope};
use super::rounds::pending_fix_round;
use crate::contracts::{Findings, Issue, PlanOutput, RepoPath, ReviewOutput, RoundKind};
use crate::memory::{Memory, MemoryError, Store};
use crate::workflow::run::error::StartError;

/// How issues that were chosen are fixed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HowToFix {
    /// By a round of the workflow.
    Round,
    /// By a workflow of their own, with this task: they are issues of the review against a commit.
    Task(String),
}

/// How these issues are fixed: those of the workflow's review by a round, those of the review against a commit by a
/// workflow of their own.
///
/// # Errors
/// When they cannot be fixed together, or one of the review against a commit cannot be fixed.
pub(crate) fn how_to_fix(store: &Store, memory: &Memory, ids: &[String]) -> Result<HowToFix, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    let Some(against) = &memory.base_review else { return Ok(HowToFix::Round) };
    let of_base = |id: &String| against.issues.iter().find(|issue| issue.id == *id);
    let (of_workflow, others): (Vec<&String>, Vec<&String>) = ids.iter().partition(|id| is_of_workflow(memory, id));
    let commit = against.short_base();
    match (of_workflow.first(), others.iter().find(|id| of_base(id).is_some())) {
        (Some(own), Some(other)) => {
            return usage(format!(
                "issue {own} is of the workflow's review and {other} of the review against {commit}; fix those of one \
                 review at a time"
            ));
        }
        (None, None) if memory.plan.is_none() && !others.is_empty() => {
            let open = named(memory, &current_issues(store, memory));
            return usage(format!("{:?} is no issue of a review; {open}", others[0]));
        }
        (_, None) => return Ok(HowToFix::Round),
        (None, Some(_)) => {}
    }
    let mut chosen: Vec<&Issue> = Vec::new();
    for id in others {
        let Some(issue) = of_base(id) else {
            let open = named(memory, &memory.open_base_issues().cloned().collect::<Vec<_>>());
            return usage(format!("{id:?} is no issue of the review against {commit}; {open}"));
        };
        check_is_open(memory, id)?;
        check_is_inside(issue)?;
        if chosen.iter().all(|known| known.id != issue.id) {
            chosen.push(issue);
        }
    }
    Ok(HowToFix::Task(task_of(&commit, &chosen)))
}

/// Whether an issue is one of the workflow's review, or of the round that its review led to.
fn is_of_workflow(memory: &Memory, id: &str) -> bool {
    match &memory.review {
        Some(review) => review.issues.iter().any(|issue| issue.id == id),
        None => memory.round.as_ref().is_some_and(|round| round.issues.iter().any(|known| known == id)),
    }
}

/// The scope of a round for exactly the issues that were chosen; `None` when the current round is about them already.
///
/// # Errors
/// When they cannot be fixed; the message says why and what can be done.
pub(crate) fn scope_of_chosen(store: &Store, memory: &Memory, ids: &[String]) -> Result<Option<FixScope>, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    if ids.is_empty() {
        return usage("name at least one issue to fix; `baton status` lists them with their ids".to_owned());
    }
    let Some(plan) = &memory.plan else {
        return usage("there is no plan, so no task can fix an issue; `baton run \"…\"` makes one".to_owned());
    };
    let Some(review) = &memory.review else { return check_round_in_progress(memory, ids).map(|()| None) };
    let covered = covered(memory, &plan.plan);
    for id in ids {
        check(store, memory, review, id)?;
        check_has_place(&plan.plan, &covered, review, id)?;
    }
    let waiting = pending_fix_round(memory).map(|round| round.issues.as_slice()).unwrap_or_default();
    let open = review.open_issues(&memory.dismissed);
    let issues: Vec<&Issue> = open.filter(|issue| ids.contains(&issue.id) || waiting.contains(&issue.id)).collect();
    let is_out =
        |issue: &&&Issue| ids.contains(&issue.id) && plan.plan.task_of(issue, &memory.keys, &covered).is_none();
    for issue in issues.iter().filter(is_out) {
        check_is_inside(issue)?;
    }
    Ok(Some(fix_scope(&plan.plan, &memory.keys, &covered, &issues)))
}

/// Without a review there may be a round at work on these very issues.
fn check_round_in_progress(memory: &Memory, ids: &[String]) -> Result<(), StartError> {
    let message = match memory.round.as_ref().filter(|round| round.kind == RoundKind::Fix) {
        Some(round) if ids.iter().all(|id| round.issues.contains(id)) => return Ok(()),
        Some(round) => format!(
            "a round that fixes issues is unfinished ({}); `baton run` goes on with it, and after its review others can \
             be chosen",
            round.tasks.join(", ")
        ),
        None => "there is no review yet, so there are no issues to fix; `baton run` goes on to it".to_owned(),
    };
    Err(StartError::Usage(message))
}

fn check_is_open(memory: &Memory, id: &str) -> Result<(), StartError> {
    if memory.is_dismissed(id) {
        return Err(StartError::Usage(format!("issue {id} is dismissed; restore it first, then it can be fixed")));
    }
    Ok(())
}

/// Whether it is known where an issue is to be fixed, or by which task.
fn check_has_place(plan: &PlanOutput, covered: &[String], review: &ReviewOutput, id: &str) -> Result<(), StartError> {
    let issue = review.issues.iter().find(|issue| issue.id == id);
    if issue.is_some_and(|issue| !plan.can_fix(issue, covered)) {
        return Err(StartError::Usage(format!(
            "no place in the code was found for issue {id}, and it names no task of the plan that could fix it; dismiss it, \
             or fix it yourself"
        )));
    }
    Ok(())
}

fn check_is_inside(issue: &Issue) -> Result<(), StartError> {
    let Issue { id, file, .. } = issue;
    if RepoPath::parse(file).is_err() {
        return Err(StartError::Usage(format!(
            "issue {id} is in {file:?}, which is no file of the workspace; dismiss it, or fix it there"
        )));
    }
    Ok(())
}

/// Whether an issue is one that can be fixed.
fn check(store: &Store, memory: &Memory, review: &ReviewOutput, id: &String) -> Result<(), StartError> {
    check_is_open(memory, id)?;
    if review.issues.iter().any(|issue| issue.id == *id) {
        return Ok(());
    }
    if let Some((phase, _)) = memory.findings.iter().find(|(_, found)| found.issues.iter().any(|issue| issue.id == *id))
    {
        return Err(StartError::Usage(format!(
            "issue {id:?} was found by the phase {phase}, and the review does not ask for it; only issues of the review \
             can be fixed by their ids, and others with `baton run \"…\"`"
        )));
    }
    let open = review.open_issues(&memory.dismissed).chain(memory.open_base_issues());
    let open = named(memory, &open.cloned().collect::<Vec<_>>());
    let known = all_issues(store, memory)?.iter().any(|issue| issue.id == *id);
    Err(StartError::Usage(match known {
        true => format!("issue {id} is fixed already, says the last review; {open}"),
        false => format!("{id:?} is no issue of the review; {open}"),
    }))
}

/// The tasks that may be given issues: those that were approved, also by an answer that is void by now.
fn covered(memory: &Memory, plan: &PlanOutput) -> Vec<String> {
    match &memory.voided {
        Some(voided) if memory.approval.is_none() => voided.task_ids(plan),
        _ => memory.approved_tasks(),
    }
}

/// The issues of the review at hand, or of the one whose issues are being fixed, of further phases, and of the review
/// against a commit, without those that were dismissed.
pub(super) fn current_issues(store: &Store, memory: &Memory) -> Vec<Issue> {
    let before = || store.review_before(memory.round.as_ref()?.n);
    let review = memory.review.clone().or_else(before);
    let mut open: Vec<Issue> = Vec::new();
    for issue in review.iter().flat_map(|review| &review.issues).chain(beside(memory)) {
        if !memory.is_dismissed(&issue.id) && open.iter().all(|known| known.id != issue.id) {
            open.push(issue.clone());
        }
    }
    open
}

/// The issues of further phases, and of the review against a commit.
fn beside(memory: &Memory) -> impl Iterator<Item = &Issue> {
    let found = memory.findings.values().flat_map(|found| &found.issues);
    found.chain(memory.base_review.iter().flat_map(|review| &review.issues))
}

/// The issues of all reviews of the workflow, all that further phases found in it, and those of the review against a commit.
pub(super) fn all_issues(store: &Store, memory: &Memory) -> Result<Vec<Issue>, MemoryError> {
    let (reviews, earlier) = (store.earlier_reviews()?, store.earlier_findings()?);
    let reviewed = memory.review.iter().chain(&reviews).flat_map(|review| &review.issues);
    let found = beside(memory).chain(earlier.iter().flat_map(|found| &found.issues));
    Ok(reviewed.chain(found).cloned().collect())
}

/// What has issues: `the review`, or `the review or of security`.
pub(super) fn places_of_issues(memory: &Memory) -> String {
    let places = ["the review".to_owned()].into_iter().chain(memory.findings.keys().map(ToString::to_string));
    places.collect::<Vec<_>>().join(" or of ")
}

/// Which issues there are, for an error: each with its place, and with the phase that found it where that is not the review.
pub(super) fn named(memory: &Memory, issues: &[Issue]) -> String {
    const MOST: usize = 10;
    if issues.is_empty() {
        return "none is open".to_owned();
    }
    let reviewed: BTreeSet<&str> =
        memory.review.iter().flat_map(|review| &review.issues).map(|issue| issue.id.as_str()).collect();
    let finder = |issue: &Issue| {
        let has = |found: &Findings| found.issues.iter().any(|other| other.id == issue.id);
        let found = memory.findings.iter().find(|(_, found)| has(found)).filter(|_| !reviewed.contains(&*issue.id));
        found.map(|(phase, _)| format!(", found by {phase}")).unwrap_or_default()
    };
    let name = |issue: &Issue| format!("{} ({}:{}{})", issue.id, issue.file, issue.line, finder(issue));
    let names: Vec<String> = issues.iter().take(MOST).map(name).collect();
    let more = if issues.len() > MOST { format!(" and {} more", issues.len() - MOST) } else { String::new() };
    format!("open are {}{more}", names.join(", "))
}
