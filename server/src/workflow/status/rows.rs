//! The rows of a status: phases, tasks and issues, each with where it stands.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;

use super::proof::{CriterionStatus, criterion_rows};
use super::situation::{Facts, Situation};
use super::standing::standing_review;
use super::states::{IssueState, PhaseState, TaskState, Tone};
use super::words::is_good;
use crate::contracts::{ApprovedBy, Attempt, Decision, Issue, PhaseName};
use crate::memory::{Memory, MemoryError, Store};
use crate::workflow::run::events::{EventErrorKind, EventPhase, EventStatus, PhaseEvent};
use crate::workflow::run::phase::{Phase, Phases};
use crate::workflow::run::phase_names::{PLAN, REVIEW};

/// Where one phase stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhaseStatus {
    /// The phase.
    pub phase: PhaseName,
    /// Where it stands.
    pub status: PhaseState,
    /// Whether that is good, bad or neither, for icons and colours: a review that is done may have rejected the work.
    pub tone: Tone,
    /// When it came to stand there.
    pub at: Option<Timestamp>,
    /// Milliseconds from its start to its end, or until now.
    pub elapsed_ms: Option<u64>,
    /// The message of its last event.
    pub message: String,
}

/// Where one task stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskStanding {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: TaskState,
    /// What it is doing, while it is at work or waits.
    pub activity: Option<String>,
    /// The files it owns.
    pub files: Vec<String>,
    /// Ids of the tasks that it waits for.
    pub depends_on: Vec<String>,
    /// Its acceptance criteria.
    pub criteria: Vec<CriterionStatus>,
    /// Who was asked to do it, where that was more than one model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// One issue, and what a re-review made of it.
#[derive(Debug, Clone, Serialize)]
pub struct IssueStatus {
    /// The issue, as review.json has it.
    #[serde(flatten)]
    pub issue: Issue,
    /// What the last review, or the user, made of it.
    pub state: IssueState,
    /// The commit that its review compares with; absent on issues of the workflow's review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// The phases, in order.
pub(super) fn phase_rows(
    phases: &Phases,
    situation: &Situation,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Vec<PhaseStatus> {
    let all = phases.all();
    // A plan that waits is ahead of everything after it that left no result, whatever earlier rounds came to.
    let is_ahead = matches!(situation, Situation::Gate | Situation::FaultyPlan)
        || (*situation == Situation::RolledBack && facts.memory.approval.is_none());
    let after_plan = phases.after_plan();
    all.iter()
        .enumerate()
        .map(|(at, phase)| {
            let is_after = || after_plan.iter().any(|after| after.name() == phase.name());
            let row = match is_ahead && !phase.is_written(facts.memory) && is_after() {
                true => pending(phase.name()),
                false => phase_row(*phase, facts, now),
            };
            let is_passed = || all[at + 1..].iter().any(|later| later.is_written(facts.memory));
            match facts.faulty.is_none()
                && row.status == PhaseState::Pending
                && !phase.is_written(facts.memory)
                && is_passed()
            {
                true => PhaseStatus { status: PhaseState::Skipped, ..row },
                false => row,
            }
        })
        .collect()
}

fn pending(phase: PhaseName) -> PhaseStatus {
    let (status, tone) = (PhaseState::Pending, Tone::Neutral);
    PhaseStatus { phase, status, tone, at: None, elapsed_ms: None, message: String::new() }
}

fn phase_row(phase: &dyn Phase, facts: &Facts<'_>, now: Timestamp) -> PhaseStatus {
    let memory = facts.memory;
    let live = facts.live.as_ref().filter(|live| !live.is_base_review);
    let own: Vec<&PhaseEvent> = facts
        .events
        .iter()
        .copied()
        .filter(|event| event.phase == EventPhase::Phase(phase.name()) && event.task.is_none())
        .collect();
    let (name, is_written) = (phase.name(), phase.is_written(memory));
    let last = own.last().copied();
    let is_live = last.is_some_and(|last| live.is_some_and(|live| live.run == last.run));
    let (status, message) = match (plan_state(name, memory, phase.handoff()), last) {
        (Some(plan), _) => plan,
        (None, None) if is_written => (PhaseState::Done, format!("{} was there already", phase.handoff())),
        (None, None) => return pending(name),
        (None, Some(last)) => {
            let status = match last.status {
                EventStatus::Started | EventStatus::Progress if is_live => PhaseState::Running,
                EventStatus::Started | EventStatus::Progress => PhaseState::Interrupted,
                EventStatus::Waiting if is_live => PhaseState::Waiting,
                // Its handoff was set aside since: it is to be done again.
                EventStatus::Waiting | EventStatus::Done if !is_written => return pending(name),
                EventStatus::Waiting | EventStatus::Done => PhaseState::Done,
                // A spent budget is no fault of the phase, which goes on once there is more.
                EventStatus::Failed if kind_of(last) == Some(EventErrorKind::Budget) => PhaseState::Interrupted,
                EventStatus::Failed => PhaseState::Failed,
                EventStatus::Cancelled => PhaseState::Cancelled,
            };
            (status, last.message.clone())
        }
    };
    let started = own.iter().rposition(|event| event.status == EventStatus::Started);
    let elapsed = started.zip(last).map(|(started, last)| {
        // What a person takes to answer a plan is no time of the phase.
        let worked = own[started..].iter().find(|event| event.status == EventStatus::Waiting);
        let ended = if status == PhaseState::Running { now } else { worked.map_or(last.at, |event| event.at) };
        let started = own[started];
        ended.duration_since(started.at).as_millis().max(0) as u64
    });
    let tone = tone(name, status, memory);
    PhaseStatus { phase: name, status, tone, at: last.map(|last| last.at), elapsed_ms: elapsed, message }
}

fn kind_of(event: &PhaseEvent) -> Option<EventErrorKind> {
    event.error.as_ref().map(|error| error.kind)
}

/// The plan's state follows from plan.json and its answer, whatever the events of runs say: it may be answered from
/// outside of a run, and waits on after a run that was stopped.
fn plan_state(name: PhaseName, memory: &Memory, file: &str) -> Option<(PhaseState, String)> {
    if name != PLAN || !memory.has_plan() {
        return None;
    }
    let state = match (&memory.approval, &memory.plan) {
        (None, None) => (PhaseState::Waiting, format!("{file} waits to be fixed")),
        (None, Some(plan)) => {
            (PhaseState::Waiting, format!("Version {} waits for your answer", plan.plan.plan_version))
        }
        (Some(approval), _) => match approval.decision {
            Decision::Approved if approval.by == ApprovedBy::Auto => {
                (PhaseState::Done, "Approved automatically".to_owned())
            }
            Decision::Approved => (PhaseState::Done, "Approved".to_owned()),
            Decision::Rejected => (PhaseState::Done, "Rejected".to_owned()),
        },
    };
    Some(state)
}

fn tone(name: PhaseName, status: PhaseState, memory: &Memory) -> Tone {
    match status {
        PhaseState::Pending | PhaseState::Running | PhaseState::Skipped => Tone::Neutral,
        PhaseState::Waiting | PhaseState::Interrupted | PhaseState::Cancelled => Tone::Warning,
        PhaseState::Failed => Tone::Error,
        PhaseState::Done if name == PLAN && memory.is_rejected() => Tone::Warning,
        PhaseState::Done if name == REVIEW && memory.review.as_ref().is_some_and(|review| !is_good(review)) => {
            Tone::Warning
        }
        PhaseState::Done => Tone::Good,
    }
}

/// The plan's tasks, in its order.
pub(super) fn task_rows(facts: &Facts<'_>) -> Vec<TaskStanding> {
    let Some(plan) = &facts.memory.plan else { return Vec::new() };
    let mut last: HashMap<&str, &PhaseEvent> = HashMap::new();
    for event in facts.live.iter().flat_map(|live| &live.events) {
        if let Some(task) = &event.task {
            last.insert(task, event);
        }
    }
    let result = |id: &str| facts.memory.report.as_ref()?.result_of(id);
    let is_left_out = |id: &str| {
        facts.memory.approval.as_ref().is_some_and(|approval| !approval.is_rejected() && !approval.covers(id))
    };
    let state = |id: &str| match (result(id), last.get(id).map(|event| event.status)) {
        (Some(result), _) => result.status.into(),
        (None, Some(EventStatus::Started | EventStatus::Progress)) => TaskState::Running,
        (None, Some(EventStatus::Waiting)) => TaskState::Waiting,
        _ if is_left_out(id) => TaskState::NotApproved,
        _ => TaskState::Pending,
    };
    plan.plan
        .tasks
        .iter()
        .map(|task| {
            let status = state(&task.id);
            // Its first event says its title.
            let has_news = |event: &&&PhaseEvent| event.status != EventStatus::Started;
            let is_active = matches!(status, TaskState::Running | TaskState::Waiting);
            TaskStanding {
                id: task.id.clone(),
                title: task.title.clone(),
                status,
                activity: last
                    .get(task.id.as_str())
                    .filter(|_| is_active)
                    .filter(has_news)
                    .map(|event| event.message.clone()),
                files: task.files().map(str::to_owned).collect(),
                depends_on: task.depends_on.clone(),
                criteria: criterion_rows(task, facts.criteria),
                attempts: result(&task.id).map(|result| result.attempts.clone()).unwrap_or_default(),
            }
        })
        .collect()
}

/// The issues of the review at hand, and of the one before those that are gone. While they are being fixed all are open.
pub(super) fn issue_rows(memory: &Memory, store: &Store) -> Vec<IssueStatus> {
    let row = |issue: Issue, state: IssueState| {
        let state = if memory.is_dismissed(&issue.id) { IssueState::Dismissed } else { state };
        IssueStatus { issue, state, base: None }
    };
    let Some(review) = &memory.review else {
        let issues = standing_review(memory, store).map(|review| review.issues).unwrap_or_default();
        return issues.into_iter().map(|issue| row(issue, IssueState::Open)).collect();
    };
    let earlier = store.review_before(review.round).map(|review| review.issues).unwrap_or_default();
    let known = |issues: &[Issue], id: &str| issues.iter().any(|issue| issue.id == id);
    let current = review
        .issues
        .iter()
        .map(|issue| row(issue.clone(), if known(&earlier, &issue.id) { IssueState::Open } else { IssueState::New }));
    let fixed = earlier
        .iter()
        .filter(|issue| !known(&review.issues, &issue.id) && !memory.is_dismissed(&issue.id))
        .map(|issue| row(issue.clone(), IssueState::Fixed));
    current.chain(fixed).collect()
}

/// The issues of the review against a commit; those that the one before had are not new.
pub(super) fn base_issue_rows(memory: &Memory, store: &Store) -> Result<Vec<IssueStatus>, MemoryError> {
    let Some(review) = &memory.base_review else { return Ok(Vec::new()) };
    let before = store.base_review_before()?.map(|review| review.issues).unwrap_or_default();
    let is_known = |issue: &Issue| before.iter().any(|known| known.id == issue.id);
    let rows = review.issues.iter().map(|issue| {
        let state = match memory.is_dismissed(&issue.id) {
            true => IssueState::Dismissed,
            false if is_known(issue) => IssueState::Open,
            false => IssueState::New,
        };
        IssueStatus { issue: issue.clone(), state, base: review.base.clone() }
    });
    Ok(rows.collect())
}
