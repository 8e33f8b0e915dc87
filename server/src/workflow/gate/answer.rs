//! Answers to a plan from outside a run: a run that waits at its gate sees them and continues.

use jiff::Timestamp;

use super::checks::{ChecksAnswered, answer_checks};
use super::content::GateSources;
use super::notes;
use crate::contracts::{ApprovedBy, Decision, Handoff, PlanNote, PlanOutput};
use crate::memory::{MemoryError, Store};
use crate::workflow::decide::next::{Next, next_phase};
use crate::workflow::run::error::StartError;
use crate::workflow::run::phase::Policy;
use crate::workflow::run::question::CheckAnswer;

/// The message where there is no plan to answer.
pub const NO_PLAN: &str = "there is no plan to answer; `baton run \"…\"` makes one";

/// The same where a workflow has begun: another task would be refused.
const NO_PLAN_YET: &str = "there is no plan to answer yet; `baton run` goes on with the task and makes one";

/// How an answer from outside a run was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether a run waits at the gate and continues by itself.
    pub run_waits: bool,
    /// Version of the plan; `None` of one that breaks its contract.
    pub plan_version: Option<u32>,
    /// Whether any run is at work, so that none can be started now.
    pub is_locked: bool,
    /// Ids of the tasks the answer is about.
    pub tasks: Vec<String>,
    /// What became of what was said of the checks.
    pub checks: ChecksAnswered,
    /// The notes in plan.md that were not sent.
    pub notes: Vec<PlanNote>,
}

/// What a person answers from outside a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Yes or no.
    pub decision: Decision,
    /// Only these tasks, by id.
    pub tasks: Option<Vec<String>>,
    /// SHA-256 of the plan that the person was shown, in hex; without one the plan at this moment is meant.
    pub plan_sha256: Option<String>,
    /// What is said of the checks with an approval.
    pub checks: CheckAnswer,
}

impl Answer {
    /// This answer to the whole plan at this moment; nothing is said of the checks.
    pub fn of(decision: Decision) -> Self {
        Self { decision, tasks: None, plan_sha256: None, checks: CheckAnswer::default() }
    }
}

const FINISHED: &str =
    "no plan waits for an answer: the workflow is finished. Undo what it changed, or start something new";

/// Answer the plan as it is now, from whatever process: a run that waits at its gate continues.
///
/// # Errors
/// When there is no plan to answer, it is not the one that was shown, a run is implementing the plan that is rejected, or
/// `tasks` leaves out what one of them depends on. A plan that breaks its contract can be rejected, and its faults are the
/// error of an approval.
pub fn answer_plan(sources: &GateSources<'_>, answer: Answer) -> Result<Answered, StartError> {
    let store = sources.store;
    let Answer { decision, tasks, plan_sha256, checks } = answer;
    let memory = store.load_for_repair()?;
    let sha256 = match (&memory.plan, &memory.faulty_plan) {
        (Some(plan), _) => &plan.sha256,
        (None, Some(faulty)) => &faulty.sha256,
        (None, None) if memory.is_begun() => return Err(StartError::Usage(NO_PLAN_YET.to_owned())),
        (None, None) => return Err(StartError::Usage(NO_PLAN.to_owned())),
    };
    if plan_sha256.is_some_and(|shown| !shown.eq_ignore_ascii_case(sha256)) {
        return Err(StartError::StalePlan { file: store.name(PlanOutput::FILE) });
    }
    let policy = Policy::of(sources.settings, sources.phases);
    // What the approval left out can be approved still.
    let is_whole = memory.plan.as_ref().is_none_or(|plan| memory.approved_tasks().len() == plan.plan.tasks.len());
    let adds_nothing = decision == Decision::Rejected || is_whole;
    if adds_nothing && next_phase(&memory, &policy, Timestamp::now()) == Next::Merged {
        return Err(StartError::Usage(FINISHED.to_owned()));
    }
    // A run implements it. Without a run at work, a rejection of an approved plan ends what is left to do.
    let is_approved = memory.approval.as_ref().is_some_and(|approval| !approval.is_rejected());
    if decision == Decision::Rejected && is_approved && store.workflow_holder().is_some() {
        return Err(StartError::Usage("the plan is being implemented; cancel the run instead".to_owned()));
    }
    let mut checks_answered = ChecksAnswered::default();
    match (&memory.plan, &memory.faulty_plan) {
        (Some(plan), _) => {
            check_subset(&plan.plan, tasks.as_deref(), &memory.done_tasks()).map_err(StartError::Usage)?;
            checks_answered = answer_checks(store, sources.settings, &checks)?;
            // The plan may have been edited since it was shown.
            store.refresh_plan_markdown(&sources.plan_markdown(&memory, plan))?;
        }
        (None, Some(faulty)) if decision == Decision::Approved => {
            return Err(MemoryError::Faulty(vec![faulty.faults.clone()]).into());
        }
        _ => {}
    }
    store.write_approval(sha256, decision, ApprovedBy::Person, tasks.clone(), Timestamp::now())?;
    let planned = memory.plan.as_ref().map(|plan| &plan.plan);
    let all = || planned.iter().flat_map(|plan| plan.task_ids()).map(str::to_owned).collect();
    Ok(Answered {
        run_waits: store.workflow_holder().is_some(),
        is_locked: store.holder().is_some(),
        plan_version: planned.map(|plan| plan.plan_version),
        tasks: tasks.unwrap_or_else(all),
        checks: checks_answered,
        notes: memory.notes,
    })
}

/// Ask for a new plan, from whatever process, with the notes in plan.md: a run that waits at its gate plans again. Answers
/// how many notes went along; `None` where no run waits, and nothing is done.
///
/// # Errors
/// When there is no plan to change, neither words nor notes say what should be different, or it is being implemented.
pub fn revise_waiting_plan(store: &Store, feedback: &str) -> Result<Option<usize>, StartError> {
    let memory = store.load_for_repair()?;
    let waits = store.workflow_holder().is_some();
    if !memory.has_plan() {
        return Err(StartError::Usage(NO_PLAN.to_owned()));
    }
    if !waits {
        notes::with_notes(&memory, feedback)?;
        return Ok(None);
    }
    if memory.approval.is_some() {
        return Err(StartError::Usage("the plan was answered already; cancel the run to change it".to_owned()));
    }
    notes::revise(store, &memory, feedback).map(Some)
}

/// Some tasks can be approved when their dependencies are among them or done.
pub(crate) fn check_subset(plan: &PlanOutput, tasks: Option<&[String]>, done: &[&str]) -> Result<(), String> {
    let Some(tasks) = tasks else { return Ok(()) };
    if tasks.is_empty() {
        return Err("name at least one task, for example --only T1,T3".to_owned());
    }
    for id in tasks {
        let Some(task) = plan.task(id) else {
            let known: Vec<&str> = plan.task_ids().collect();
            return Err(format!("{id:?} is no task of the plan; there are {}", known.join(", ")));
        };
        if let Some(missing) =
            task.depends_on.iter().find(|needed| !tasks.contains(needed) && !done.contains(&needed.as_str()))
        {
            return Err(format!("{id} depends on {missing}, which is neither done nor among the tasks; name it too"));
        }
    }
    Ok(())
}
