//! The gate: nothing is written before a person, or `approval = "auto"`, has answered this very plan.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::content::{GateContent, GateSources};
use crate::agents::AgentError;
use crate::config::ApprovalMode;
use crate::contracts::{ApprovedBy, Decision, Handoff, PlanOutput, ProtectedFile};
use crate::memory::{FaultyPlan, Memory, MemoryError, Store};
use crate::text::plural;
use crate::workflow::changes::unverified::uncounted_or_none;
use crate::workflow::decide::phase::PLAN;
use crate::workflow::foreign::work as elsewhere;
use crate::workflow::rounds::moves::covered_before;
use crate::workflow::run::error::{PhaseError, StartError};
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::question::{FaultyGate, Gate, GateAnswer, GateTask};
use crate::workflow::run::shared::Run;

/// How often approval.json and plan.json are looked at while a person is asked.
const WATCH: Duration = Duration::from_millis(150);

/// After how many looks a faulty plan is read as a whole again.
const LOOK_AGAIN: u32 = 7;

/// How many looks a plan that is being saved may take.
const SAVING: u32 = 10;

/// Said where an answer has nothing to answer.
pub const NO_PLAN: &str = "there is no plan to answer; `baton run --task \"…\"` makes one";

/// What the gate led to.
pub(crate) enum GateEnd {
    /// Look at the memory again: an answer, a revision or an edited plan stands there.
    GoOn,
    /// Nobody answers here.
    Waiting(String),
}

/// Ask for an answer to the plan.
pub(crate) async fn gate(run: &Arc<Run>, memory: &Memory) -> Result<GateEnd, PhaseError> {
    let before = run.store.history_len()?;
    if let Some(faulty) = &memory.faulty_plan {
        return mend(run, Some(faulty.clone()), before).await;
    }
    let Some(mut gate) = show(run, memory)? else {
        return Err(PhaseError::Internal("the gate was due without a plan".to_owned()));
    };
    for warning in elsewhere::gate_warnings(run, memory).await? {
        run.say(PLAN, EventStatus::Progress, warning.clone());
        gate.content.warnings.push(warning);
    }
    if let Err(why) = check_subset(&gate.plan, run.goal.only(), &memory.done_tasks()) {
        let waiting = format!("{why}. The plan waits for an answer; `baton approve --only …` names some of its tasks.");
        run.say(PLAN, EventStatus::Waiting, waiting.clone());
        return Ok(GateEnd::Waiting(waiting));
    }
    let only = run.goal.only();
    let auto = is_auto(run);
    if auto && gate.content.protected.is_empty() {
        run.say(PLAN, EventStatus::Progress, "Approved automatically");
        write(run, &gate, Decision::Approved, ApprovedBy::Auto, covered_before(only, memory))?;
        return Ok(GateEnd::GoOn);
    }
    let waiting = waiting_message(run, &gate, auto);
    run.say(PLAN, EventStatus::Waiting, waiting.clone());
    if auto {
        return Ok(GateEnd::Waiting(waiting));
    }
    let answer = tokio::select! {
        answer = run.approver.ask(&gate) => answer,
        () = answered_elsewhere(run, &gate.content.plan_sha256) => {
            return if is_gone(run, before)? { mend(run, None, before).await } else { Ok(GateEnd::GoOn) };
        }
        () = run.desk.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    match answer {
        GateAnswer::Approve { tasks } => {
            let tasks = tasks.or_else(|| only.and_then(|only| covered_before(Some(only), memory)));
            write(run, &gate, Decision::Approved, ApprovedBy::Person, tasks)?;
            run.say(PLAN, EventStatus::Progress, "Approved");
        }
        GateAnswer::Reject => write(run, &gate, Decision::Rejected, ApprovedBy::Person, None)?,
        GateAnswer::Revise { feedback } => {
            run.store.revise_plan(&feedback)?;
            run.say(PLAN, EventStatus::Progress, "Changes were asked for");
        }
        GateAnswer::Edited => {}
        GateAnswer::Wait => return Ok(GateEnd::Waiting(waiting)),
    }
    Ok(GateEnd::GoOn)
}

fn is_auto(run: &Run) -> bool {
    run.auto_approve || run.settings.approval == ApprovalMode::Auto
}

/// plan.json breaks its contract, or is gone (`None`): say so, and wait until it is another one. `before` is how many
/// entries the history had when the gate opened.
async fn mend(run: &Arc<Run>, faulty: Option<FaultyPlan>, before: usize) -> Result<GateEnd, PhaseError> {
    let mut faulty = faulty;
    loop {
        let gate = FaultyGate {
            faults: faulty.as_ref().map(|faulty| faulty.faults.clone()),
            plan_json: run.store.name(PlanOutput::FILE),
        };
        let waiting = mend_message(&gate);
        run.say(PLAN, EventStatus::Waiting, waiting.clone());
        if is_auto(run) {
            return Ok(GateEnd::Waiting(waiting));
        }
        let answer = tokio::select! {
            answer = run.approver.mend(&gate) => answer,
            () = mended(run, faulty.as_ref(), before) => {
                if !is_gone(run, before)? {
                    return Ok(GateEnd::GoOn);
                }
                faulty = None;
                continue;
            }
            () = run.desk.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
        };
        match (answer, &faulty) {
            (GateAnswer::Reject, Some(faulty)) => {
                let (decision, by) = (Decision::Rejected, ApprovedBy::Person);
                run.store.write_approval(&faulty.sha256, decision, by, None, Timestamp::now())?;
            }
            (GateAnswer::Revise { feedback }, Some(_)) => {
                run.store.revise_plan(&feedback)?;
                run.say(PLAN, EventStatus::Progress, "Changes were asked for");
            }
            (GateAnswer::Wait, _) => return Ok(GateEnd::Waiting(waiting)),
            _ => {}
        }
        return Ok(GateEnd::GoOn);
    }
}

/// How a person gets past a plan that cannot be shown.
fn mend_message(gate: &FaultyGate) -> String {
    let told = gate.told();
    match gate.faults {
        Some(_) => format!(
            "{told}\nThe plan waits until that is mended and saved; `baton run` then asks about it. `baton plan --feedback \
             \"…\"` has another one made, `baton reject` rejects it."
        ),
        None => format!("{told}. The plan waits until it is back; after a stop, `baton run` makes a new one."),
    }
}

/// Whether plan.json is gone and no revision took it away.
fn is_gone(run: &Run, before: usize) -> Result<bool, PhaseError> {
    Ok(run.store.plan_sha256().is_none() && run.store.history_len()? == before)
}

/// How an answer from outside a run was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether a run waits at the gate and goes on by itself.
    pub run_waits: bool,
    /// Version of the plan; `None` of one that breaks its contract.
    pub plan_version: Option<u32>,
    /// Ids of the tasks the answer is about.
    pub tasks: Vec<String>,
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
}

/// Answer the plan as it is now, from whatever process: a run that waits at its gate goes on.
///
/// # Errors
/// When there is no plan to answer, it is not the one that was shown, a run is implementing the plan that is rejected, or
/// `tasks` leaves out what one of them depends on. A plan that breaks its contract can be rejected, and its faults are the
/// error of an approval.
pub fn answer_plan(sources: &GateSources<'_>, answer: Answer) -> Result<Answered, StartError> {
    let store = sources.store;
    let Answer { decision, tasks, plan_sha256 } = answer;
    let memory = store.load_for_repair()?;
    let sha256 = match (&memory.plan, &memory.faulty_plan) {
        (Some(plan), _) => &plan.sha256,
        (None, Some(faulty)) => &faulty.sha256,
        (None, None) => return Err(StartError::Usage(NO_PLAN.to_owned())),
    };
    if plan_sha256.is_some_and(|shown| !shown.eq_ignore_ascii_case(sha256)) {
        return Err(StartError::StalePlan { file: store.name(PlanOutput::FILE) });
    }
    // Of a run that holds the lock and has its yes; where none does, a rejection is the last word on what is left to do.
    let is_approved = memory.approval.as_ref().is_some_and(|approval| !approval.is_rejected());
    if decision == Decision::Rejected && is_approved && store.holder().is_some() {
        return Err(StartError::Usage("the plan is being implemented; cancel the run instead".to_owned()));
    }
    match (&memory.plan, &memory.faulty_plan) {
        (Some(plan), _) => {
            check_subset(&plan.plan, tasks.as_deref(), &memory.done_tasks()).map_err(StartError::Usage)?;
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
        run_waits: store.holder().is_some(),
        plan_version: planned.map(|plan| plan.plan_version),
        tasks: tasks.unwrap_or_else(all),
    })
}

/// Ask for a new plan, from whatever process: a run that waits at its gate plans again. Answers whether one does.
///
/// # Errors
/// When there is no plan to change, or it is being implemented.
pub fn revise_waiting_plan(store: &Store, feedback: &str) -> Result<bool, StartError> {
    let memory = store.load_for_repair()?;
    let waits = store.holder().is_some();
    if !memory.has_plan() {
        return Err(StartError::Usage(NO_PLAN.to_owned()));
    }
    if feedback.trim().is_empty() {
        return Err(StartError::Usage("the feedback is empty; say what should be different about the plan".to_owned()));
    }
    if !waits {
        return Ok(false);
    }
    if memory.approval.is_some() {
        return Err(StartError::Usage("the plan was answered already; cancel the run to change it".to_owned()));
    }
    store.revise_plan(feedback.trim())?;
    Ok(true)
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

/// Everything the gate shows; `None` without a plan.
fn show(run: &Run, memory: &Memory) -> Result<Option<Gate>, PhaseError> {
    let Some(loaded) = &memory.plan else { return Ok(None) };
    let content = run.gate_sources().content(memory, loaded);
    let content = GateContent { warnings: uncounted_or_none(&run.store), ..content };
    // A plan written or edited by others has no plan.md of its own yet.
    run.store.refresh_plan_markdown(&content.markdown)?;
    let plan = loaded.plan.clone();
    let tasks = plan
        .tasks
        .iter()
        .map(|task| GateTask {
            id: task.id.clone(),
            title: task.title.clone(),
            complexity: task.estimated_complexity,
            files: task.files().map(str::to_owned).collect(),
            depends_on: task.depends_on.clone(),
        })
        .collect();
    Ok(Some(Gate {
        run: run.desk.run.clone(),
        task: memory.task_text(),
        content,
        tasks,
        usage: run.desk.budget.used_by_workflow(),
        plan_md: run.store.name("plan.md"),
        plan_json: run.store.name("plan.json"),
        plan,
    }))
}

fn waiting_message(run: &Run, gate: &Gate, auto: bool) -> String {
    let count = gate.tasks.len();
    let why = if auto {
        let protected = ProtectedFile::named(&gate.content.protected, false)
            .map(|files| format!(" It writes protected files, which only a person can approve: {files}."));
        let never = ProtectedFile::named(&gate.content.protected, true)
            .map(|files| format!(" It plans files that are never written, which a person should see: {files}."));
        [protected, never].into_iter().flatten().collect()
    } else {
        String::new()
    };
    format!(
        "The plan (version {}, {count} {}) waits for an answer.{why} Read {} and run `baton approve` or `baton reject`.",
        gate.plan.plan_version,
        plural(count, "task"),
        run.store.name("plan.md"),
    )
}

fn write(
    run: &Run,
    gate: &Gate,
    decision: Decision,
    by: ApprovedBy,
    tasks: Option<Vec<String>>,
) -> Result<(), PhaseError> {
    run.store.write_approval(&gate.content.plan_sha256, decision, by, tasks, Timestamp::now())?;
    Ok(())
}

/// Returns when another process has answered, or changed the plan that is being asked about.
async fn answered_elsewhere(run: &Run, sha256: &str) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if run.store.is_answered(sha256) {
            return settled(run, sha256).await;
        }
    }
}

/// Returns when plan.json is another one than this faulty one, or none any more; when it is rejected; or when what made it
/// faulty is mended elsewhere, as by making a file that it names. Where it is gone (`None`), returns when it is back.
async fn mended(run: &Run, faulty: Option<&FaultyPlan>, before: usize) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 1_u32.. {
        ticks.tick().await;
        let now = run.store.plan_sha256();
        match faulty {
            Some(faulty) if now.as_ref() != Some(&faulty.sha256) => return settled(run, &faulty.sha256).await,
            Some(faulty) if run.store.answer_to(&faulty.sha256) == Some(Decision::Rejected) => return,
            Some(_) if tick.is_multiple_of(LOOK_AGAIN) && is_mended(run) => return,
            None if now.is_some() => return settled(run, "").await,
            None if run.store.history_len().is_ok_and(|entries| entries != before) => return,
            _ => {}
        }
    }
}

fn is_mended(run: &Run) -> bool {
    run.store.inspect().is_ok_and(|(memory, _)| memory.faulty_plan.is_none())
}

/// Returns when plan.json is done being saved: an editor may take it away, or empty it, before it writes it anew. What is
/// gone for longer is gone.
async fn settled(run: &Run, sha256: &str) {
    let mut before = run.store.plan_sha256();
    for _ in 0..SAVING {
        if before.as_deref() == Some(sha256) {
            return;
        }
        tokio::time::sleep(WATCH).await;
        let now = run.store.plan_sha256();
        if now.is_some() && now == before {
            return;
        }
        before = now;
    }
}
