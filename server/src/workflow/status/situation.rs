//! Which of a small number of situations a workflow is in. Everything that any face says of it, and everything it offers, is
//! derived from this value.

use std::collections::HashMap;

use crate::contracts::{CriterionResult, PhaseName};
use crate::memory::{FileFaults, Memory};
use crate::workflow::changes::written::Written;
use crate::workflow::decide::next::Next;
use crate::workflow::drive::summary::phase_of;
use crate::workflow::gate::checks::WaitingChecks;
use crate::workflow::run::events::{EventErrorKind, EventPhase, EventStatus, FailureCause, PhaseEvent};
use crate::workflow::run::outcome::Outcome;
use crate::workflow::run::phase_names::PLAN;

/// What a status follows from: the memory folder at one moment, and which run holds its lock.
pub(crate) struct Facts<'a> {
    /// The handoffs.
    pub(crate) memory: &'a Memory,
    /// Another file than the plan that breaks its contract: nothing goes on then.
    pub(crate) faulty: Option<&'a FileFaults>,
    /// What comes next.
    pub(crate) next: &'a Next,
    /// How many of the workflow's files are not what its checks saw.
    pub(crate) changed_since: usize,
    /// What the standing review says of the acceptance criteria.
    pub(crate) criteria: &'a [CriterionResult],
    /// The events of the workflow's runs, oldest first.
    pub(crate) events: &'a [&'a PhaseEvent],
    /// The run at work, of whatever process.
    pub(crate) live: Option<Live<'a>>,
    /// What of the agents' work stands.
    pub(crate) written: Written,
    /// Whether tokens are limited too.
    pub(crate) has_token_budget: bool,
    /// Whether something counts as absent because the project was moved.
    pub(crate) is_moved: bool,
    /// What a person has still to say of the checks.
    pub(crate) checks: &'a WaitingChecks,
}

/// A run at work.
pub(crate) struct Live<'a> {
    /// Its id.
    pub(crate) run: &'a str,
    /// Its events, oldest first.
    pub(crate) events: Vec<&'a PhaseEvent>,
    /// Whether it is a review against a commit, which belongs to no workflow.
    pub(crate) is_base_review: bool,
}

/// The situation of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Situation {
    /// There is no task.
    Fresh,
    /// There is a task, and nothing has begun.
    Ready,
    /// It can go on from where it stands.
    Paused,
    /// A run is at work, on this phase.
    Running { phase: Option<PhaseName>, is_base_review: bool },
    /// A task waits until a person has saved these files.
    WaitingForSave { task: String, files: Vec<String> },
    /// A turn of a model waits for the network or its provider; what is being waited for.
    WaitingForNetwork { message: String },
    /// The plan waits for an answer.
    Gate,
    /// plan.json breaks its contract and waits to be fixed.
    FaultyPlan,
    /// Another file breaks its contract.
    Faulty,
    /// A run was killed in this phase.
    Interrupted { phase: Option<PhaseName> },
    /// A run was stopped in this phase.
    Cancelled { phase: Option<PhaseName> },
    /// A run failed, and why.
    Failed { message: String, cause: Option<FailureCause> },
    /// Tasks failed or are blocked.
    TasksFailed { tasks: Vec<String> },
    /// The budget is spent.
    BudgetSpent { message: String },
    /// The review, or the number of reviews, calls a person.
    Escalated { reason: String },
    /// The review approved, or the user accepted the work.
    Merged,
    /// All that agents wrote is undone.
    RolledBack,
    /// The plan was rejected.
    Rejected,
}

impl Situation {
    /// Of a workflow.
    pub(crate) fn of(facts: &Facts<'_>) -> Self {
        if let Some(live) = &facts.live {
            return live_situation(live, facts);
        }
        if facts.faulty.is_some() {
            return Self::Faulty;
        }
        let is_undone = facts.written.is_all_rolled_back();
        match facts.next {
            Next::NeedTask => Self::Fresh,
            // Also where a kill came before the memory was brought in line with the rollback.
            next if is_undone && facts.written.ends_with_rollback && !matches!(next, Next::Rejected) => {
                Self::RolledBack
            }
            Next::Gate if facts.memory.plan.is_none() => Self::FaultyPlan,
            Next::Gate => Self::Gate,
            Next::Merged if is_undone => Self::RolledBack,
            Next::Merged => Self::Merged,
            Next::Rejected => Self::Rejected,
            Next::Escalated { reason } => Self::Escalated { reason: reason.clone() },
            Next::Failed { tasks } => Self::TasksFailed { tasks: tasks.clone() },
            Next::Phase(_) | Next::EnterRound | Next::Fix(_) | Next::Repair(_) | Next::RePlan => after_last_run(facts),
        }
    }

    /// The outcome of the workflow or of its last run; `None` while a run is at work or can simply go on.
    pub(crate) fn outcome(&self, facts: &Facts<'_>) -> Option<Outcome> {
        Some(match self {
            Self::Merged => Outcome::Merged,
            Self::RolledBack => Outcome::RolledBack,
            Self::Rejected => Outcome::Rejected,
            Self::Escalated { .. } | Self::BudgetSpent { .. } => Outcome::Escalated,
            Self::TasksFailed { .. } | Self::Failed { .. } => Outcome::Failed,
            Self::Cancelled { .. } => Outcome::Cancelled,
            Self::Gate | Self::FaultyPlan if facts.live.is_none() => Outcome::Waiting,
            Self::Paused => return outcome_of_last_run(facts.events),
            _ => return None,
        })
    }
}

/// The situation while a run is at work.
fn live_situation(live: &Live<'_>, facts: &Facts<'_>) -> Situation {
    let mut last: HashMap<(EventPhase, Option<&str>), &PhaseEvent> = HashMap::new();
    for event in &live.events {
        if matches!(event.status, EventStatus::Started) && event.task.is_none() {
            // A phase that begins ends what the tasks of the one before were at.
            last.retain(|(phase, _), _| *phase == event.phase);
        }
        last.insert((event.phase, event.task.as_deref()), event);
    }
    let is_at_gate = |event: &&&PhaseEvent| {
        event.phase == EventPhase::Phase(PLAN) && event.status == EventStatus::Waiting && event.task.is_none()
    };
    if last.values().any(|event| is_at_gate(&event)) && *facts.next == Next::Gate {
        return if facts.memory.plan.is_none() { Situation::FaultyPlan } else { Situation::Gate };
    }
    let mut events: Vec<&&PhaseEvent> = last.values().collect();
    events.sort_by_key(|event| event.seq);
    let waiting: Vec<&&&PhaseEvent> =
        events.iter().filter(|event| event.status == EventStatus::Waiting && event.task.is_some()).collect();
    if let Some(first) = waiting.first() {
        let mut files: Vec<String> = waiting.iter().flat_map(|event| event.files.iter().cloned()).collect();
        files.sort();
        files.dedup();
        return Situation::WaitingForSave { task: first.task.clone().unwrap_or_default(), files };
    }
    let is_waiting_for_network = |event: &&&&PhaseEvent| {
        let kind = event.error.as_ref().map(|error| error.kind);
        event.status == EventStatus::Progress && kind == Some(EventErrorKind::Model)
    };
    let working = events.iter().filter(|event| matches!(event.phase, EventPhase::Phase(_)));
    if let Some(event) = working.rev().find(is_waiting_for_network) {
        let message = event.error.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        return Situation::WaitingForNetwork { message };
    }
    let started = |event: &&&PhaseEvent| event.status == EventStatus::Started && event.task.is_none();
    let phase = live.events.iter().rev().filter(started).find_map(|event| phase_of(event.phase));
    Situation::Running { phase, is_base_review: live.is_base_review }
}

/// The situation of a workflow that can go on, by how its last run ended.
fn after_last_run(facts: &Facts<'_>) -> Situation {
    let Some(last) = facts.events.last() else {
        return if facts.memory.is_begun() { Situation::Paused } else { Situation::Ready };
    };
    let of_run: Vec<&&PhaseEvent> = facts.events.iter().filter(|event| event.run == last.run).collect();
    let in_phase = || of_run.iter().rev().find_map(|event| phase_of(event.phase));
    let Some(end) = last_end(facts.events) else { return Situation::Interrupted { phase: in_phase() } };
    match (end.status, end.outcome) {
        (EventStatus::Failed, _) => {
            let error = end.error.as_ref().or_else(|| of_run.iter().rev().find_map(|event| event.error.as_ref()));
            let cause = error.and_then(|error| error.cause);
            Situation::Failed { message: end.message.clone(), cause }
        }
        (EventStatus::Cancelled, _) => Situation::Cancelled { phase: in_phase() },
        // A plan that waited when the run ended was answered since.
        (EventStatus::Waiting, Some(Outcome::Waiting)) => Situation::Paused,
        (EventStatus::Waiting, _) if end.error.as_ref().map(|error| error.kind) == Some(EventErrorKind::Budget) => {
            Situation::BudgetSpent { message: end.message.clone() }
        }
        _ => Situation::Paused,
    }
}

/// How the last run ended, of a workflow that can go on. A plan that waited then was answered since, and where a person was
/// needed a limit was raised, so that neither is an outcome any more.
fn outcome_of_last_run(events: &[&PhaseEvent]) -> Option<Outcome> {
    let end = last_end(events)?;
    match (end.outcome, end.status) {
        (Some(Outcome::Done), _) | (None, EventStatus::Done) => Some(Outcome::Done),
        _ => None,
    }
}

/// The event with which the last run ended; `None` where it was killed.
fn last_end<'a>(events: &[&'a PhaseEvent]) -> Option<&'a PhaseEvent> {
    let is_end = |event: &PhaseEvent| {
        event.phase == EventPhase::Workflow && !matches!(event.status, EventStatus::Started | EventStatus::Progress)
    };
    events.last().copied().filter(|event| is_end(event))
}
