//! The gate: nothing is written before a person, or `approval = "auto"`, has answered this very plan.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::elsewhere;
use super::error::{PhaseError, StartError};
use super::estimate::estimate;
use super::events::{EventPhase, EventStatus};
use super::gate::{Gate, GateAnswer, GateTask};
use super::implement::git_folders;
use super::phases::task_text;
use super::rounds::covered_before;
use super::run::Run;
use super::uncounted::uncounted_or_none;
use crate::agents::AgentError;
use crate::config::ApprovalMode;
use crate::contracts::{ApprovedBy, Decision, PlanOutput, RepoPath, TaskResult, TaskStatus, plan_markdown};
use crate::memory::{Memory, Store};
use crate::workspace::{Protection, is_flagged, protection};

/// How often approval.json and plan.json are looked at while a person is asked.
const WATCH: Duration = Duration::from_millis(150);

/// How many looks a plan that is being saved may take.
const SAVING: u32 = 10;

/// Said where an answer has nothing to answer.
pub const NO_PLAN: &str = "there is no plan to answer; `baton run --task \"…\"` makes one";

/// What the gate led to.
pub(super) enum GateEnd {
    /// Look at the memory again: an answer, a revision or an edited plan stands there.
    GoOn,
    /// Nobody answers here.
    Waiting(String),
}

/// Ask for an answer to the plan.
pub(super) async fn gate(run: &Arc<Run>, memory: &Memory) -> Result<GateEnd, PhaseError> {
    let Some(mut gate) = show(run, memory)? else {
        return Err(PhaseError::Internal("the gate was due without a plan".to_owned()));
    };
    for warning in elsewhere::gate_warnings(run, memory).await? {
        run.say(EventPhase::Plan, EventStatus::Progress, warning.clone());
        gate.warnings.push(warning);
    }
    if let Err(why) = check_subset(&gate.plan, run.only.as_deref(), &done(memory)) {
        let waiting = format!("{why}. The plan waits for an answer; `baton approve --only …` names some of its tasks.");
        run.say(EventPhase::Plan, EventStatus::Waiting, waiting.clone());
        return Ok(GateEnd::Waiting(waiting));
    }
    let only = run.only.as_deref();
    let auto = run.auto_approve || run.settings.approval == ApprovalMode::Auto;
    if auto && gate.protected.is_empty() {
        run.say(EventPhase::Plan, EventStatus::Progress, "Approved automatically");
        write(run, &gate, Decision::Approved, ApprovedBy::Auto, covered_before(only, memory))?;
        return Ok(GateEnd::GoOn);
    }
    let waiting = waiting_message(run, &gate, auto);
    run.say(EventPhase::Plan, EventStatus::Waiting, waiting.clone());
    if auto {
        return Ok(GateEnd::Waiting(waiting));
    }
    let answer = tokio::select! {
        answer = run.approver.ask(&gate) => answer,
        () = answered_elsewhere(run, &gate.plan_sha256) => return Ok(GateEnd::GoOn),
        () = run.desk.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    match answer {
        GateAnswer::Approve { tasks } => {
            let tasks = tasks.or_else(|| only.and_then(|only| covered_before(Some(only), memory)));
            write(run, &gate, Decision::Approved, ApprovedBy::Person, tasks)?;
            run.say(EventPhase::Plan, EventStatus::Progress, "Approved");
        }
        GateAnswer::Reject => write(run, &gate, Decision::Rejected, ApprovedBy::Person, None)?,
        GateAnswer::Revise { feedback } => {
            run.store.revise_plan(&feedback)?;
            run.say(EventPhase::Plan, EventStatus::Progress, "Changes were asked for");
        }
        GateAnswer::Edited => {}
        GateAnswer::Wait => return Ok(GateEnd::Waiting(waiting)),
    }
    Ok(GateEnd::GoOn)
}

/// How an answer from outside a run was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Whether a run waits at the gate and goes on by itself.
    pub run_waits: bool,
    /// Version of the plan.
    pub plan_version: u32,
    /// Ids of the tasks the answer is about.
    pub tasks: Vec<String>,
}

/// Answer the plan as it is now, from whatever process: a run that waits at its gate goes on.
///
/// # Errors
/// When there is no plan to answer, or `tasks` leaves out what one of them depends on.
pub fn answer_plan(store: &Store, decision: Decision, tasks: Option<Vec<String>>) -> Result<Answered, StartError> {
    let memory = store.load()?;
    let Some(plan) = &memory.plan else {
        return Err(StartError::Usage(NO_PLAN.to_owned()));
    };
    if memory.report.is_some() && memory.approval.is_some() && decision == Decision::Rejected {
        return Err(StartError::Usage("the plan is being implemented; cancel the run instead".to_owned()));
    }
    check_subset(&plan.plan, tasks.as_deref(), &done(&memory)).map_err(StartError::Usage)?;
    // The plan may have been edited since it was shown.
    store.refresh_plan_markdown(&plan_markdown(&plan.plan, &task_text(&memory)))?;
    store.write_approval(&plan.sha256, decision, ApprovedBy::Person, tasks.clone(), Timestamp::now())?;
    let all = || plan.plan.tasks.iter().map(|task| task.id.clone()).collect();
    Ok(Answered {
        run_waits: store.holder().is_some(),
        plan_version: plan.plan.plan_version,
        tasks: tasks.unwrap_or_else(all),
    })
}

/// Ask for a new plan, from whatever process: a run that waits at its gate plans again. Answers whether one does.
///
/// # Errors
/// When there is no plan to change, or it is being implemented.
pub fn revise_waiting_plan(store: &Store, feedback: &str) -> Result<bool, StartError> {
    let memory = store.load()?;
    let waits = store.holder().is_some();
    if memory.plan.is_none() {
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

/// Ids of the tasks that are done.
pub(super) fn done(memory: &Memory) -> Vec<&str> {
    let is_done = |result: &&TaskResult| matches!(result.status, TaskStatus::Completed | TaskStatus::Partial);
    let results = memory.report.iter().flat_map(|report| &report.results);
    results.filter(is_done).map(|result| result.task_id.as_str()).collect()
}

/// Some tasks can be approved when their dependencies are among them or done.
pub(super) fn check_subset(plan: &PlanOutput, tasks: Option<&[String]>, done: &[&str]) -> Result<(), String> {
    let Some(tasks) = tasks else { return Ok(()) };
    if tasks.is_empty() {
        return Err("name at least one task, for example --only T1,T3".to_owned());
    }
    for id in tasks {
        let Some(task) = plan.task(id) else {
            let known: Vec<&str> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
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
    let plan = loaded.plan.clone();
    let task = task_text(memory);
    let markdown = plan_markdown(&plan, &task);
    // A plan written or edited by others has no plan.md of its own yet.
    run.store.refresh_plan_markdown(&markdown)?;
    let touched = |wanted: &dyn Fn(&RepoPath) -> bool| -> Vec<String> {
        let mut files: Vec<String> = plan
            .tasks
            .iter()
            .flat_map(|task| task.files())
            .filter_map(|file| RepoPath::parse(file).ok())
            .filter(|path| wanted(path))
            .map(|path| path.to_string())
            .collect();
        files.sort();
        files.dedup();
        files
    };
    let git_folders = git_folders(&run.workspace, &plan);
    let protected = touched(&|path| protection(path, run.store.path()) != Protection::None || git_folders.hold(path));
    let flagged = touched(&is_flagged);
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
        task,
        plan_sha256: loaded.sha256.clone(),
        tasks,
        markdown,
        protected,
        flagged,
        usage: run.desk.budget.used_by_workflow(),
        estimate_usd: run.models.as_ref().ok().and_then(|models| estimate(&plan, memory, models, &run.workspace)),
        plan_md: run.store.name("plan.md"),
        plan_json: run.store.name("plan.json"),
        warnings: uncounted_or_none(&run.store),
        plan,
    }))
}

fn waiting_message(run: &Run, gate: &Gate, auto: bool) -> String {
    let count = gate.tasks.len();
    let why = if auto {
        format!(" It writes protected files ({}), which only a person can approve.", gate.protected.join(", "))
    } else {
        String::new()
    };
    format!(
        "The plan (version {}, {count} tasks) waits for an answer.{why} Read {} and run `baton approve` or `baton reject`.",
        gate.plan.plan_version,
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
    run.store.write_approval(&gate.plan_sha256, decision, by, tasks, Timestamp::now())?;
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
