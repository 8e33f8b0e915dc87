//! What moves between implement rounds: reports and reviews to history, the scope of the round to round.json.

use jiff::Timestamp;

use super::fix_task::{assign_to_fix_task, fix_id, unowned_files};
use super::next::{FixScope, RepairScope};
use crate::contracts::{Approval, Handoff, ImplReport, PlanOutput, Round, RoundKind, TaskResult, TaskStatus};
use crate::memory::{LoadedPlan, Memory, MemoryError, SetAside, Store};
use crate::workflow::run::phase::Run;
use crate::workspace::Workspace;

/// Write the scope of a fix round, and the task `FIX` for files nobody owns, before anything moves.
pub(crate) fn begin_fix(
    store: &Store,
    workspace: &Workspace,
    memory: &Memory,
    scope: &FixScope,
) -> Result<(), MemoryError> {
    let Some(LoadedPlan { plan, .. }) = &memory.plan else { return Ok(()) };
    let mut tasks = scope.tasks.clone();
    let fix = fix_id(plan);
    if !scope.unowned.is_empty() && !tasks.contains(&fix) {
        tasks.push(fix);
    }
    if let Some(review) = &memory.review {
        // One from elsewhere has no ids, and does not say which round it judged: from here on both are needed.
        store.write(review)?;
    }
    // The round comes before the plan: with FIX and no such round it would be implemented as a task like any other.
    store.write(&Round { n: next_round(memory), kind: RoundKind::Fix, tasks, issues: scope.issues.clone() })?;
    if scope.unowned.is_empty() { Ok(()) } else { assign_to_fix_task(store, workspace, plan, &scope.unowned) }
}

/// Write the scope of a repair round before anything moves. What a fix round was about stays its subject.
pub(crate) fn begin_repair(store: &Store, memory: &Memory, scope: &RepairScope) -> Result<(), MemoryError> {
    let fixing = memory.round.as_ref().filter(|round| round.kind != RoundKind::First);
    let issues = fixing.map(|round| round.issues.clone()).unwrap_or_default();
    store.write(&Round { n: next_round(memory), kind: RoundKind::Repair, tasks: scope.tasks.clone(), issues })
}

/// Enter the round that round.json tells of: its report starts from the results of the tasks outside it.
pub(crate) fn enter_round(run: &Run, memory: &Memory) -> Result<(), MemoryError> {
    let (Some(round), Some(plan), Some(approval)) = (&memory.round, &memory.plan, &memory.approval) else {
        return Ok(());
    };
    let unowned = unowned_files(round, memory, &plan.plan);
    if !unowned.is_empty() {
        // A kill came between the round and its plan.
        return assign_to_fix_task(&run.store, &run.workspace, &plan.plan, &unowned);
    }
    let is_outside = |id: &str| !round.tasks.iter().any(|task| task == id);
    let mut report = memory.report.clone().unwrap_or_else(|| ImplReport {
        // A review from elsewhere may come without a report; what it judged is done all the same.
        results: approval.task_ids(&plan.plan).into_iter().map(|id| assumed_result(&id)).collect(),
        ..empty_report(round.n, &plan.plan, &plan.sha256)
    });
    report.results.retain(|result| is_outside(&result.task_id));
    let why = if round.kind == RoundKind::Repair { SetAside::Repair } else { SetAside::Fix };
    run.store.start_next_round(
        why,
        &ImplReport {
            timestamp: report.timestamp,
            round: round.n,
            plan_version: plan.plan.plan_version,
            plan_sha256: plan.sha256.clone(),
            results: report.results,
            checks: Vec::new(),
        },
    )
}

/// Set everything from the plan on aside, so that a new plan answers to it.
pub(crate) fn begin_re_plan(run: &Run, memory: &Memory) -> Result<(), MemoryError> {
    if let Some(review) = &memory.review {
        run.store.write(review)?;
    }
    run.store.set_plan_aside(SetAside::RePlan).map(|_| ())
}

/// Take the results of these tasks out of the report, so that they are tried again.
pub(crate) fn retry_tasks(run: &Run, memory: &Memory, tasks: &[String]) -> Result<(), MemoryError> {
    let Some(mut report) = memory.report.clone() else { return Ok(()) };
    report.results.retain(|result| !tasks.contains(&result.task_id));
    report.checks.clear();
    run.store.start_next_round(SetAside::Retry, &report)
}

/// Do some tasks again: their results go, those of the others stay, and so does the approval, for both.
pub(crate) fn redo_tasks(store: &Store, memory: &Memory, only: &[String]) -> Result<(), MemoryError> {
    let mut report = memory.report.clone();
    if let Some(report) = &mut report {
        report.results.retain(|result| !only.contains(&result.task_id));
        report.checks.clear();
        store.start_next_round(SetAside::Phase, report)?;
    }
    narrow_approval(store, memory, with_done(only, report.as_ref()))
}

/// Do only these tasks of those that were approved, beside what is done.
pub(crate) fn limit_to_tasks(store: &Store, memory: &Memory, only: &[String]) -> Result<(), MemoryError> {
    narrow_approval(store, memory, with_done(only, memory.report.as_ref()))
}

/// These tasks and those that have a result.
fn with_done(only: &[String], report: Option<&ImplReport>) -> Vec<String> {
    let mut tasks = only.to_vec();
    let done = report.into_iter().flat_map(|report| &report.results).map(|result| &result.task_id);
    tasks.extend(done.filter(|id| !only.contains(id)).cloned());
    tasks
}

/// What `--only`, or failing that the answer that a fix round voided, covers of the plan, with what is done and what
/// the round is about; `None` for all of it.
pub(crate) fn tasks_to_approve(only: Option<&[String]>, memory: &Memory) -> Option<Vec<String>> {
    let round = memory.round.as_ref().filter(|round| round.kind == RoundKind::Fix);
    let voided = memory.voided.as_ref().filter(|_| round.is_some()).and_then(|approval| approval.tasks.as_deref());
    let mut tasks = with_done(only.or(voided)?, memory.report.as_ref());
    let fixed = round.into_iter().flat_map(|round| &round.tasks);
    tasks.extend(fixed.filter(|id| !tasks.contains(id)).cloned().collect::<Vec<_>>());
    Some(tasks)
}

/// Narrow the approval to these tasks. Beyond what was approved the gate is asked again.
fn narrow_approval(store: &Store, memory: &Memory, tasks: Vec<String>) -> Result<(), MemoryError> {
    let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval) else { return Ok(()) };
    let covered = approval.task_ids(&plan.plan);
    if tasks.iter().all(|task| covered.contains(task)) {
        store.write_approval(&plan.sha256, approval.decision, approval.by, Some(tasks), Timestamp::now())?;
        return Ok(());
    }
    store.set_aside(SetAside::Phase, &[Approval::FILE]).map(|_| ())
}

/// The round at hand, or the first of this plan, written before anything is implemented.
pub(crate) fn ensure_round(run: &Run, memory: &Memory) -> Result<Round, MemoryError> {
    let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval) else {
        return Ok(Round { n: 1, kind: RoundKind::First, tasks: Vec::new(), issues: Vec::new() });
    };
    let tasks = approval.task_ids(&plan.plan);
    let round = match &memory.round {
        // More, or less, may have been approved since.
        Some(round) if round.kind == RoundKind::First && round.tasks != tasks => Round { tasks, ..round.clone() },
        Some(round) => return Ok(round.clone()),
        None => Round { n: memory.earlier_rounds + 1, kind: RoundKind::First, tasks, issues: Vec::new() },
    };
    run.store.write(&round)?;
    Ok(round)
}

/// A report without results.
pub(crate) fn empty_report(round: u32, plan: &PlanOutput, sha256: &str) -> ImplReport {
    ImplReport {
        timestamp: None,
        round,
        plan_version: plan.plan_version,
        plan_sha256: sha256.to_owned(),
        results: Vec::new(),
        checks: Vec::new(),
    }
}

fn assumed_result(task: &str) -> TaskResult {
    TaskResult {
        task_id: task.to_owned(),
        status: TaskStatus::Completed,
        changes: Vec::new(),
        notes: "Done before this round; no report tells how.".to_owned(),
        blockers: Vec::new(),
        attempts: Vec::new(),
    }
}

/// The number of the round that follows the review at hand. One that was only written down, and is not entered yet,
/// gives way to it.
fn next_round(memory: &Memory) -> u32 {
    let reviewed = memory.review.as_ref().map_or(1, |review| review.round);
    match pending_fix_round(memory) {
        Some(round) => round.n,
        None => memory.round.as_ref().map_or(1, |round| round.n).max(reviewed) + 1,
    }
}

/// The fix round that was written down and whose report has not begun: nothing of it was done.
pub(crate) fn pending_fix_round(memory: &Memory) -> Option<&Round> {
    let reviewed = memory.review.as_ref()?.round;
    memory.round.as_ref().filter(|round| round.kind == RoundKind::Fix && round.n > reviewed)
}
