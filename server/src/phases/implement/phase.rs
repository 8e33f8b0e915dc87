//! The row of the implement phase.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::schedule::Schedule;
use super::workers::{TasksEnd, Workers, changed_files, in_plan_order};
use super::{brief, own_files, task};
use crate::agents::{Opening, shared_part};
use crate::contracts::{
    CheckResult, Handoff, HandoffFile, ImplReport, Issue, PhaseName, PlanOutput, Round, RoundKind, Task, TaskResult,
};
use crate::memory::{Memory, SetAside};
use crate::models::Tier;
use crate::phases::checks_told;
use crate::phases::named::{For, Named};
use crate::phases::run_one::toolbox;
use crate::text::count;
use crate::workflow::{
    Changes, Costs, EventStatus, Goal, IMPLEMENT, Phase, PhaseEnd, PhaseError, Policy, Publish, Run, TierRule, Titles,
    ToolSet, Tries, check_round, close_agent, empty_report, ensure_round, publish_journal, publishes_in_effect,
    task_agent,
};

/// The row of the implement phase.
pub(in crate::phases) struct Implement;

#[async_trait]
impl Phase for Implement {
    fn name(&self) -> PhaseName {
        IMPLEMENT
    }

    fn titles(&self) -> Titles {
        Titles { help: "Write the code; asks you first", subject: "The implementation" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("../../../prompts/implement.md")
    }

    fn files(&self) -> &'static [HandoffFile] {
        const { &[HandoffFile::of::<Round>(), HandoffFile::of::<ImplReport>()] }
    }

    fn handoff(&self) -> &'static str {
        ImplReport::FILE
    }

    fn tools(&self) -> ToolSet {
        ToolSet::Write
    }

    fn tier(&self) -> TierRule {
        TierRule::ByComplexity
    }

    fn weight(&self) -> u32 {
        55
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.report.is_some()
    }

    fn is_due(&self, memory: &Memory, policy: &Policy, _now: Timestamp) -> bool {
        let Some(report) = &memory.report else { return true };
        // Work that is being judged already is not checked any more, whatever the settings say by now.
        let is_judged = memory.review.is_some() || !memory.findings.is_empty();
        let lacks_checks = || policy.unchecked(report).next().is_some();
        !report.pending(memory.approved_tasks()).is_empty() || (!is_judged && lacks_checks())
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        memory.plan.is_none().then_some("a plan: run --phase plan first")
    }

    fn changes_files(&self) -> bool {
        true
    }

    fn has_checkpoint(&self) -> bool {
        true
    }

    fn add_costs(&self, costs: &mut Costs<'_>) {
        costs.add_tasks(self);
    }

    /// Do the approved tasks that have no result yet.
    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval) else {
            return Err(PhaseError::Internal("implementation was due without an approved plan".to_owned()));
        };
        let is_judged = memory.review.is_some() || !memory.findings.is_empty();
        if is_judged && run.goal != Goal::Checks {
            // More was approved after them, so they do not cover what is done now.
            run.store.set_aside(SetAside::Phase, &run.store.handoffs().after_file(ImplReport::FILE))?;
        }
        let round = ensure_round(run, memory)?;
        let plan_lock = Arc::new(run.store.lock_plan(&plan.sha256)?);
        let mut report = memory.report.clone().unwrap_or_else(|| empty_report(round.n, &plan.plan, &plan.sha256));
        adopt_published(run, &plan.plan, &round, &mut report)?;
        let todo = report.pending(approval.task_ids(&plan.plan));
        if todo.is_empty() {
            // Without a report the phase would be due for ever.
            run.store.write(&report)?;
        }
        run.emit(IMPLEMENT, EventStatus::Started, started(&todo));
        let issues = round_issues(run, &round);
        let named = plan.plan.tasks.iter().flat_map(Task::files).chain(issues.iter().map(|issue| issue.file.as_str()));
        let keys = run.workspace.file_keys_of(named);
        let tries = if todo.is_empty() { None } else { Tries::of(run, round.n).await };
        let shared = brief::shared(&memory.task_text(), memory.context.as_ref(), &plan.plan, tries.as_deref());
        let mut workers = Workers {
            run,
            plan: &plan.plan,
            approval,
            round: &round,
            plan_lock,
            tier: self.tier(),
            max_tokens: self.max_tokens(),
            system: system(self, run, (&shared, tries.is_some()), memory, &plan.plan, &todo).await?,
            issues,
            schedule: Schedule::new(&plan.plan, &keys, &todo),
            keys,
            report,
            unasked: HashSet::new(),
            too_long: HashMap::new(),
            opening: HashSet::new(),
            opened: HashSet::new(),
            waiting: Arc::default(),
            failing: failing_checks(run, &round)?,
            tries,
        };
        let stopped = workers.all_tasks().await;
        let changes = Changes::load(&run.store, &run.workspace)?;
        changes.write_diff(run)?;
        if let Some(error) = stopped {
            return Err(error);
        }
        match workers.end() {
            (report, TasksEnd::Done) => check(run, &plan.plan, &round, report).await,
            (_, TasksEnd::TooLong(error)) => Err(error.into()),
            (_, TasksEnd::Failed { message, no_conclusion }) => {
                run.emit(IMPLEMENT, EventStatus::Failed, message.clone());
                Ok(PhaseEnd::Failed { message, no_conclusion })
            }
        }
    }
}

/// What stands before the conversations of all these tasks: the same bytes, whatever their models. The lines that the context
/// names come last: for conversations that an earlier run left open they are as they were then.
async fn system(
    phase: &Implement,
    run: &Run,
    (shared, has_checks): (&Opening, bool),
    memory: &Memory,
    plan: &PlanOutput,
    todo: &[String],
) -> Result<Vec<String>, PhaseError> {
    let mut prompt = run.prompts.of(IMPLEMENT);
    if !has_checks {
        prompt = brief::without_tries(&prompt);
    }
    // Of all tasks, so that it is the same when the phase is resumed.
    let tasks = plan.tasks.iter().filter(|_| !todo.is_empty());
    let mut tiers: Vec<Tier> = tasks.map(|task| phase.tier().tier(task.estimated_complexity)).collect();
    tiers.sort_by_key(|tier| tier.as_str());
    tiers.dedup();
    // A model that cannot be had is told of when its task starts.
    let models: Vec<_> = tiers.into_iter().filter_map(|tier| run.model(tier).ok()).collect();
    let shared = shared_part(&run.context, shared, &models, prompt.len(), phase.max_tokens()).await?;
    let mut system = vec![prompt, shared];
    let open = run.context.transcript.open_system(IMPLEMENT.as_str());
    if let Some(open) = open.filter(|open| open.starts_with(&system)) {
        return Ok(open);
    }
    if !todo.is_empty() {
        let toolbox = toolbox(run, phase, "", Vec::new());
        let named = named_ranges(run, memory)?;
        let named = named.without_files(own_files::stands_in_all(plan, &named, &run.workspace));
        let ranges = named.attached(&toolbox, For::Work, &run.context.cancel).await?;
        let frame = system.iter().map(String::len).sum();
        if !ranges.is_empty() {
            system.push(shared_part(&run.context, &ranges, &models, frame, phase.max_tokens()).await?);
        }
    }
    Ok(system)
}

/// The lines that the context names, where they stand now.
fn named_ranges(run: &Run, memory: &Memory) -> Result<Named, PhaseError> {
    let Some(context) = &memory.context else { return Ok(Named::default()) };
    let changes = Changes::load(&run.store, &run.workspace)?.as_open(&run.workspace);
    Ok(Named::of(context, &run.workspace, &changes))
}

fn started(todo: &[String]) -> String {
    match todo.len() {
        0 => "Checking what was implemented".to_owned(),
        tasks => format!("Implementing {}", count(tasks, "task")),
    }
}

/// Run the user's checks on the work of all tasks.
async fn check(
    run: &Arc<Run>,
    plan: &PlanOutput,
    round: &Round,
    mut report: ImplReport,
) -> Result<PhaseEnd, PhaseError> {
    if check_round(run, round, &mut report).await? {
        // A check changed files of tasks, whose lines are counted anew.
        for result in &mut report.results {
            if let Some(task) = plan.task(&result.task_id) {
                *result = task::with_real_changes(run, task, result.clone())?;
            }
        }
        run.store.write(&report)?;
        Changes::load(&run.store, &run.workspace)?.write_diff(run)?;
    }
    run.emit(IMPLEMENT, EventStatus::Done, format!("{} changed", count(changed_files(&report), "file")));
    Ok(PhaseEnd::Done)
}

/// What failing checks said before a round that repairs them.
fn failing_checks(run: &Run, round: &Round) -> Result<Option<Arc<str>>, PhaseError> {
    if round.kind != RoundKind::Repair {
        return Ok(None);
    }
    let before = run.store.earlier_reports()?.into_iter().find(|report| report.round < round.n);
    let broken: Vec<CheckResult> =
        before.into_iter().flat_map(|report| report.checks).filter(CheckResult::is_broken).collect();
    Ok(Some(checks_told::failing(&run.store, &broken).into()))
}

/// A task that was published before its result was written has its result in the publish journal.
fn adopt_published(run: &Run, plan: &PlanOutput, round: &Round, report: &mut ImplReport) -> Result<(), PhaseError> {
    for Publish { run: id, record, .. } in publishes_in_effect(publish_journal(&run.store)?) {
        let known = report.result_of(&record.task).is_some();
        let Some(task) = plan.task(&record.task).filter(|_| !known && record.round == round.n) else { continue };
        // A closed agent without a result: the result was removed on purpose, and its task is to be done again.
        let agent = task_agent(&record.task);
        if run.store.is_closed(&id, &agent)? {
            continue;
        }
        let Ok(submitted) = serde_json::from_value::<TaskResult>(record.submission.clone()) else { continue };
        report.results.push(task::with_real_changes(run, task, submitted)?);
        report.checks.clear();
        in_plan_order(plan, report);
        run.store.write(report)?;
        close_agent(run, &agent)?;
    }
    Ok(())
}

fn round_issues(run: &Run, round: &Round) -> Vec<Issue> {
    if round.kind != RoundKind::Fix {
        return Vec::new();
    }
    let issues = run.store.review_before(round.n).map(|review| review.issues).unwrap_or_default();
    issues.into_iter().filter(|issue| round.issues.contains(&issue.id)).collect()
}
