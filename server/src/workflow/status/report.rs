//! Where a workflow stands, from the memory folder alone.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::states::{IssueState, NextStep, PhaseState, TaskState};
use crate::config::Settings;
use crate::contracts::{Decision, Issue, PhaseName, ReviewOutput, RoundKind, Usage};
use crate::memory::{FileFaults, Memory, RunHistory, RunId, Store};
use crate::models::Models;
use crate::workflow::changes::unverified::unverified_or_log;
use crate::workflow::decide::next::{Next, next_phase};
use crate::workflow::foreign::discount::without_unconfirmed;
use crate::workflow::gate::content::GateSources;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{EventPhase, EventStatus, PhaseEvent};
use crate::workflow::run::outcome::Outcome;
use crate::workflow::run::phase::{Phase, Phases, Policy};
use crate::workflow::run::phase_names::PLAN;
use crate::workflow::run::question::GateContent;

/// Where the workflow stands: what `baton status` and `baton.status` answer.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The run at work, or the last one.
    pub run: Option<String>,
    /// The task in the user's words.
    pub task: Option<String>,
    /// The outcome, where there is one.
    pub outcome: Option<Outcome>,
    /// The phases, in order.
    pub phases: Vec<PhaseStatus>,
    /// The plan's tasks, in its order.
    pub tasks: Vec<TaskStanding>,
    /// The review's issues and those it found fixed, without those the user dismissed.
    pub issues: Vec<IssueStatus>,
    /// The plan that waits for an answer; null also where plan.json breaks its contract, and so cannot be shown.
    pub gate: Option<GateContent>,
    /// What is wrong with the files of the memory folder; absent where nothing is. The workflow continues once they are fixed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultStatus>,
    /// What the workflow has used.
    pub usage: Usage,
    /// What comes next.
    pub next: NextStep,
    /// What a person should know of how this was found: what counts as absent, and what was done elsewhere.
    pub warnings: Vec<String>,
}

/// A fault of a file of the memory folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    /// Relative to the workspace root.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// As on diagnostics: `schema`, `plan.cycle`.
    pub code: &'static str,
    /// What is wrong and what is expected.
    pub message: String,
}

/// Where one phase stands.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseStatus {
    /// The phase.
    pub phase: PhaseName,
    /// Where it stands.
    pub status: PhaseState,
    /// When it came to stand there.
    pub at: Option<Timestamp>,
    /// Milliseconds from its start to its end, or until now.
    pub elapsed_ms: Option<u64>,
    /// The message of its last event.
    pub message: String,
}

/// Where one task stands.
#[derive(Debug, Clone, Serialize)]
pub struct TaskStanding {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: TaskState,
    /// The files it owns.
    pub files: Vec<String>,
}

/// One issue, and what a re-review made of it.
#[derive(Debug, Clone, Serialize)]
pub struct IssueStatus {
    /// The issue, as review.json has it.
    #[serde(flatten)]
    pub issue: Issue,
    /// What the last review made of it.
    pub state: IssueState,
}

/// Where phases and tasks stand: the part of [`Status`] that is shown all the time.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The run at work, of whatever process.
    pub running: Option<String>,
    /// The phases, in order.
    pub phases: Vec<PhaseStatus>,
    /// The plan's tasks, in its order.
    pub tasks: Vec<TaskStanding>,
}

/// The state of phases and tasks, also where other parts of the memory are faulty.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn standing(phases: &Phases, store: &Store, memory: &Memory, now: Timestamp) -> Result<Standing, StartError> {
    let running = store.holder().map(|holder| holder.run);
    let history = history(store, &store.latest_runs()?)?;
    let history: Vec<&PhaseEvent> = history.iter().collect();
    let at_work = |event: &PhaseEvent| running.as_deref() == Some(event.run.as_str());
    let phases = phases.all().iter().map(|phase| phase_status(*phase, memory, &history, &at_work, now)).collect();
    let tasks = task_states(memory, &history, &at_work);
    Ok(Standing { running, phases, tasks })
}

/// The review whose issues stand: the one at hand, or, while its issues are being fixed, the one before.
pub fn standing_review(memory: &Memory, store: &Store) -> Option<ReviewOutput> {
    let fixing = || memory.round.as_ref().filter(|round| round.kind == RoundKind::Fix);
    memory.review.clone().or_else(|| store.review_before(fixing()?.n))
}

/// The state of the workflow, from the memory folder alone, also where its files have faults. `models` are those that would
/// continue it, where there are any.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn status(
    store: &Store,
    settings: &Settings,
    models: Option<&Models>,
    phases: &Phases,
    now: Timestamp,
) -> Result<Status, StartError> {
    StatusReader::default().status(store, settings, models, phases, now)
}

/// Reads the status of a workflow repeatedly: of the runs' journals, which grow long, it reads only what was added.
#[derive(Default)]
pub struct StatusReader {
    /// The memory folder that was read.
    memory: String,
    runs: BTreeMap<RunId, RunHistory<PhaseEvent>>,
}

impl StatusReader {
    /// As [`status`].
    ///
    /// # Errors
    /// As [`status`].
    pub fn status(
        &mut self,
        store: &Store,
        settings: &Settings,
        models: Option<&Models>,
        phases: &Phases,
        now: Timestamp,
    ) -> Result<Status, StartError> {
        if self.memory != store.path().as_str() {
            store.path().as_str().clone_into(&mut self.memory);
            self.runs.clear();
        }
        let runs = store.latest_runs()?;
        self.runs.retain(|run, _| runs.contains(run));
        for run in &runs {
            store.read_on(run, self.runs.entry(run.clone()).or_default())?;
        }
        let history: Vec<&PhaseEvent> = self.runs.values().flat_map(|run| &run.events).collect();
        let usage = self.runs.values().map(|run| run.usage).sum();
        let sources = GateSources { store, settings, models, usage, phases };
        status_of(&sources, now, &history, runs.last())
    }
}

fn status_of(
    sources: &GateSources<'_>,
    now: Timestamp,
    history: &[&PhaseEvent],
    newest: Option<&RunId>,
) -> Result<Status, StartError> {
    let store = sources.store;
    let (mut memory, faults) = store.inspect()?;
    let running = store.holder().map(|holder| holder.run);
    let next = next_phase(&memory, &Policy::of(sources.settings, sources.phases), now);
    let (next, done_elsewhere) = without_unconfirmed(sources.phases, store, &mut memory, next)?;
    let at_work = |event: &PhaseEvent| running.as_deref() == Some(event.run.as_str());
    let phases =
        sources.phases.all().iter().map(|phase| phase_status(*phase, &memory, history, &at_work, now)).collect();
    let tasks = task_states(&memory, history, &at_work);
    let issues = issue_states(&memory, store);
    let gate = match (&next, &memory.plan) {
        (Next::Gate, Some(plan)) => Some(sources.content(&memory, plan)),
        _ => None,
    };
    let warnings: Vec<String> = unverified_or_log(store).into_iter().chain(done_elsewhere).collect();
    let gate = gate.map(|content| GateContent { warnings: warnings.clone(), ..content });
    // A fault of another file than the plan keeps a run from starting, so that nothing comes next.
    let is_stuck = faults.len() > usize::from(memory.faulty_plan.is_some());
    Ok(Status {
        outcome: if running.is_some() || is_stuck { None } else { outcome(&next, history.last().copied()) },
        run: running.or_else(|| newest.map(ToString::to_string)),
        task: memory.task.clone(),
        phases,
        tasks,
        issues,
        gate: gate.filter(|_| !is_stuck),
        faults: faults.iter().flat_map(fault_states).collect(),
        usage: sources.usage,
        next: if is_stuck { NextStep::None } else { NextStep::from(&next) },
        warnings,
    })
}

fn fault_states(faulty: &FileFaults) -> impl Iterator<Item = FaultStatus> {
    faulty.faults.iter().map(|fault| FaultStatus {
        file: faulty.file.clone(),
        line: fault.position.line,
        column: fault.position.column,
        code: fault.code,
        message: fault.message.clone(),
    })
}

fn history(store: &Store, runs: &[RunId]) -> Result<Vec<PhaseEvent>, StartError> {
    let mut history = Vec::new();
    for run in runs {
        history.extend(store.events::<PhaseEvent>(run)?);
    }
    Ok(history)
}

/// The issues of the review at hand, and of the one before those that are gone. While they are being fixed all are
/// open.
fn issue_states(memory: &Memory, store: &Store) -> Vec<IssueStatus> {
    let Some(review) = &memory.review else {
        let issues = standing_review(memory, store).map(|review| review.issues).unwrap_or_default();
        let open = issues.into_iter().filter(|issue| !memory.is_dismissed(&issue.id));
        return open.map(|issue| IssueStatus { issue, state: IssueState::Open }).collect();
    };
    let earlier = store.review_before(review.round).map(|review| review.issues).unwrap_or_default();
    let known = |issues: &[Issue], id: &str| issues.iter().any(|issue| issue.id == id);
    let current = review.issues.iter().map(|issue| IssueStatus {
        issue: issue.clone(),
        state: if known(&earlier, &issue.id) { IssueState::Open } else { IssueState::New },
    });
    let fixed = earlier
        .iter()
        .filter(|issue| !known(&review.issues, &issue.id))
        .map(|issue| IssueStatus { issue: issue.clone(), state: IssueState::Fixed });
    current.chain(fixed).filter(|state| !memory.is_dismissed(&state.issue.id)).collect()
}

fn outcome(next: &Next, last: Option<&PhaseEvent>) -> Option<Outcome> {
    match next {
        Next::Merged => return Some(Outcome::Merged),
        Next::Rejected => return Some(Outcome::Rejected),
        Next::Escalated { .. } => return Some(Outcome::Escalated),
        Next::Gate => return Some(Outcome::Waiting),
        Next::Failed { .. } => return Some(Outcome::Failed),
        _ => {}
    }
    let last = last.filter(|event| event.phase == EventPhase::Workflow)?;
    match last.status {
        EventStatus::Failed => Some(Outcome::Failed),
        EventStatus::Cancelled => Some(Outcome::Cancelled),
        EventStatus::Waiting => Some(Outcome::Escalated),
        EventStatus::Done => Some(Outcome::Done),
        EventStatus::Started | EventStatus::Progress => None,
    }
}

fn phase_status(
    phase: &dyn Phase,
    memory: &Memory,
    history: &[&PhaseEvent],
    at_work: &dyn Fn(&PhaseEvent) -> bool,
    now: Timestamp,
) -> PhaseStatus {
    let own: Vec<&PhaseEvent> = history
        .iter()
        .copied()
        .filter(|event| event.phase == EventPhase::Phase(phase.name()) && event.task.is_none())
        .collect();
    let (name, handoff) = (phase.name(), phase.is_written(memory));
    let Some(last) = own.last() else {
        // A handoff from elsewhere has no events of ours.
        let file = phase.handoff();
        let (status, message) = match handoff {
            true if name == PLAN && memory.faulty_plan.is_some() => {
                (PhaseState::Waiting, format!("{file} was there already, and waits to be fixed"))
            }
            true => (PhaseState::Done, format!("{file} was there already")),
            false => (PhaseState::Pending, String::new()),
        };
        return PhaseStatus { phase: name, status, at: None, elapsed_ms: None, message };
    };
    let running = at_work(last);
    let is_answered = name == PLAN && handoff && memory.approval.is_some();
    let status = match last.status {
        // An approval is the last event of a plan.
        EventStatus::Progress if is_answered => PhaseState::Done,
        EventStatus::Started | EventStatus::Progress if running => PhaseState::Running,
        EventStatus::Started | EventStatus::Progress if handoff && name == PLAN => PhaseState::Done,
        EventStatus::Started | EventStatus::Progress => PhaseState::Interrupted,
        EventStatus::Waiting if memory.approval.is_some() => PhaseState::Done,
        EventStatus::Waiting => PhaseState::Waiting,
        EventStatus::Done if handoff => PhaseState::Done,
        // Its handoff was set aside since: it is to be done again.
        EventStatus::Done => PhaseState::Pending,
        EventStatus::Failed => PhaseState::Failed,
        EventStatus::Cancelled => PhaseState::Cancelled,
    };
    let started = own.iter().rev().find(|event| event.status == EventStatus::Started);
    let ended = match last.status {
        EventStatus::Started | EventStatus::Progress if running => now,
        _ => last.at,
    };
    let elapsed_ms = started.map(|started| ended.duration_since(started.at).as_millis().max(0) as u64);
    let message = match (last.status, &memory.approval) {
        // It was answered from outside the run, which emitted no event then.
        (EventStatus::Waiting, Some(approval)) if name == PLAN => match approval.decision {
            Decision::Approved => "Approved".to_owned(),
            Decision::Rejected => "Rejected".to_owned(),
        },
        _ => last.message.clone(),
    };
    PhaseStatus { phase: name, status, at: Some(last.at), elapsed_ms, message }
}

fn task_states(memory: &Memory, history: &[&PhaseEvent], at_work: &dyn Fn(&PhaseEvent) -> bool) -> Vec<TaskStanding> {
    let Some(plan) = &memory.plan else { return Vec::new() };
    let mut last: HashMap<&str, EventStatus> = HashMap::new();
    for event in history.iter().copied().filter(|event| at_work(event)) {
        if let Some(task) = &event.task {
            last.insert(task, event.status);
        }
    }
    let result = |id: &str| memory.report.as_ref()?.result_of(id);
    let state = |id: &str| match (result(id), last.get(id)) {
        (Some(result), _) => result.status.into(),
        (None, Some(EventStatus::Started | EventStatus::Progress | EventStatus::Waiting)) => TaskState::Running,
        _ => TaskState::Pending,
    };
    plan.plan
        .tasks
        .iter()
        .map(|task| TaskStanding {
            id: task.id.clone(),
            title: task.title.clone(),
            status: state(&task.id),
            files: task.files().map(str::to_owned).collect(),
        })
        .collect()
}
