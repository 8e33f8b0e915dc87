use std::sync::Arc;

use jiff::Timestamp;

use super::approval::{self, GateEnd};
use super::changes::{Changes, PUBLISH};
use super::checkpoints::{self, Checkpoints};
use super::error::{PhaseError, StartError};
use super::events::{Bus, EventErrorKind, EventPhase, EventStatus, Said};
use super::gate::Approver;
use super::implement::{self, Implemented};
use super::next::{FixScope, Next, Policy, next_phase};
use super::outcome::{Outcome, RunEnd};
use super::phase::Phase;
use super::{phases, rounds};
use crate::agents::{AgentError, Desk, Prompts};
use crate::config::Settings;
use crate::contracts::{ImplReport, ReviewOutput, TaskStatus};
use crate::memory::{Memory, MemoryError, Store};
use crate::models::{Model, ModelError, Models, Tier};
use crate::workspace::{self, Dir, Workspace};

/// One run and all it works with.
pub(super) struct Run {
    pub(super) workspace: Workspace,
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) models: Result<Models, ModelError>,
    pub(super) prompts: Prompts,
    pub(super) approver: Arc<dyn Approver>,
    pub(super) policy: Policy,
    pub(super) desk: Desk,
    pub(super) bus: Bus,
    pub(super) checkpoints: Checkpoints,
    /// `runs/<run>/`.
    pub(super) folder: Dir,
    /// The one phase asked for by name.
    pub(super) phase: Option<Phase>,
    pub(super) auto_approve: bool,
    /// The tasks an approval is for, where not all.
    pub(super) only: Option<Vec<String>>,
}

impl Run {
    /// The model of a tier.
    pub(super) fn model(&self, tier: Tier) -> Result<Arc<dyn Model>, PhaseError> {
        match &self.models {
            Ok(models) => Ok(models.for_tier(tier).clone()),
            Err(error) => Err(AgentError::Model(error.clone()).into()),
        }
    }

    pub(super) fn say(&self, phase: EventPhase, status: EventStatus, message: impl Into<String>) {
        self.tell(phase, status, None, message);
    }

    pub(super) fn tell(&self, phase: EventPhase, status: EventStatus, task: Option<&str>, message: impl Into<String>) {
        self.bus.emit(Said {
            phase,
            status,
            task: task.map(str::to_owned),
            message: message.into(),
            error: None,
            usage: Some(self.desk.budget.used()),
        });
    }

    /// Keep what the workflow has changed so far, as a diff, in the run's folder.
    pub(super) fn write_diff(&self, changes: &Changes) -> Result<(), PhaseError> {
        workspace::replace(&self.folder, "changes.diff", changes.unified().as_bytes(), 0o600)
            .map_err(|source| self.store.file_error("write", "changes.diff", source).into())
    }

    fn fail(&self, phase: EventPhase, error: &PhaseError) {
        let cancelled = error.kind() == EventErrorKind::Cancelled;
        self.bus.emit(Said {
            phase,
            status: if cancelled { EventStatus::Cancelled } else { EventStatus::Failed },
            task: None,
            message: error.to_string(),
            error: Some(error.event()),
            usage: Some(self.desk.budget.used()),
        });
    }
}

/// Put right what a killed run left in the working tree: half-published tasks are rolled forward.
pub(super) fn recover(workspace: &Workspace, store: &Store) -> Result<(), StartError> {
    for run in store.workflow_runs()? {
        let folder = store.run_folder(&run)?;
        let seal = store.seal();
        let sign = |content: &[u8]| seal.sign(PUBLISH, content);
        let verify = |content: &[u8], mac: &str| seal.verify(PUBLISH, content, mac);
        let recovered = workspace::recover(workspace, &folder, &sign, &verify);
        match recovered {
            Ok(recovered) => {
                for task in &recovered.rolled_forward {
                    tracing::info!(%run, task = task.task, "rolled a half-published task forward");
                }
            }
            Err(error) => return Err(StartError::Recover(error)),
        }
    }
    super::rollback::settle(store, workspace)?;
    Ok(())
}

/// Take steps until there is an outcome.
pub(super) async fn drive(run: &Arc<Run>) -> RunEnd {
    let account = match &run.models {
        Ok(models) => models.account(),
        Err(_) => "No model is set up".to_owned(),
    };
    run.say(EventPhase::Workflow, EventStatus::Started, account);
    let end = loop {
        let memory = match run.store.load() {
            Ok(memory) => memory,
            Err(error) => break failed(run, EventPhase::Workflow, &error.into()),
        };
        match step(run, &memory).await {
            Ok(Some(end)) => break end,
            Ok(None) => {}
            Err((phase, error)) => break failed(run, phase, &error),
        }
    };
    finish(run, end)
}

type Step = Result<Option<RunEnd>, (EventPhase, PhaseError)>;

async fn step(run: &Arc<Run>, memory: &Memory) -> Step {
    if run.desk.cancel.is_cancelled() {
        return Err((EventPhase::Workflow, AgentError::Cancelled.into()));
    }
    let next = match run.phase {
        Some(phase) => next_of_named(phase, memory),
        None => next_phase(memory, &run.policy, Timestamp::now()),
    };
    let end = |outcome, message: String| Ok(Some(run_end(run, memory, outcome, message)));
    match next {
        Next::Context => {
            at(EventPhase::Context, phases::context(run, memory).await).map(|()| done(run, Phase::Context))
        }
        Next::Plan => {
            at(EventPhase::Plan, phases::plan(run, memory).await)?;
            checkpoints::take(run, Phase::Plan).await;
            Ok(done(run, Phase::Plan))
        }
        Next::Review => at(EventPhase::Review, phases::review(run, memory).await).map(|()| done(run, Phase::Review)),
        Next::Gate => match at(EventPhase::Plan, approval::gate(run, memory).await)? {
            GateEnd::GoOn => Ok(None),
            GateEnd::Waiting(message) => end(Outcome::Waiting, message),
        },
        Next::Implement => {
            let implemented = implement::implement(run, memory).await;
            // Also after a failure: what was published by then stands.
            checkpoints::take(run, Phase::Implement).await;
            match at(EventPhase::Implement, implemented)? {
                Implemented::Complete => Ok(done(run, Phase::Implement)),
                Implemented::Failed { message, no_conclusion } => {
                    Ok(Some(RunEnd { no_conclusion, ..run_end(run, memory, Outcome::Failed, message) }))
                }
            }
        }
        Next::EnterRound => at(EventPhase::Implement, rounds::enter(run, memory).map_err(Into::into)).map(|()| None),
        Next::Fix(scope) => at(EventPhase::Implement, begin_fix(run, memory, &scope)).map(|()| None),
        Next::RePlan => at(EventPhase::Plan, begin_re_plan(run, memory)).map(|()| None),
        Next::Failed { tasks } => {
            // Only the results of an earlier run come here: those of this run ended it.
            run.say(EventPhase::Implement, EventStatus::Progress, format!("Trying again: {}", tasks.join(", ")));
            at(EventPhase::Implement, rounds::retry(run, memory, &tasks).map_err(Into::into)).map(|()| None)
        }
        Next::Merged => end(Outcome::Merged, merged_message(memory)),
        Next::Rejected => {
            end(Outcome::Rejected, "The plan was rejected; nothing was written. `baton reset` starts over.".into())
        }
        Next::Escalated { reason } => end(Outcome::Escalated, format!("A person is needed: {reason}")),
        Next::NeedTask => end(Outcome::Failed, "There is no task.".into()),
    }
}

fn next_of_named(phase: Phase, memory: &Memory) -> Next {
    match phase {
        Phase::Context => Next::Context,
        Phase::Plan => Next::Plan,
        Phase::Review => Next::Review,
        Phase::Implement => match &memory.approval {
            None => Next::Gate,
            Some(approval) if approval.decision == crate::contracts::Decision::Rejected => Next::Rejected,
            Some(_) => Next::Implement,
        },
    }
}

fn done(run: &Run, phase: Phase) -> Option<RunEnd> {
    (run.phase == Some(phase)).then(|| RunEnd {
        outcome: Outcome::Done,
        message: format!("The {phase} phase is done."),
        error: None,
        no_conclusion: false,
        review: None,
        usage: run.desk.budget.used(),
    })
}

fn at<T>(phase: EventPhase, result: Result<T, PhaseError>) -> Result<T, (EventPhase, PhaseError)> {
    result.map_err(|error| (phase, error))
}

fn begin_fix(run: &Run, memory: &Memory, scope: &FixScope) -> Result<(), PhaseError> {
    let count = scope.issues.len();
    let who = if scope.unowned.is_empty() {
        scope.tasks.join(", ")
    } else {
        [&scope.tasks[..], &["FIX".into()]].concat().join(", ")
    };
    let noun = if count == 1 { "issue" } else { "issues" };
    run.say(EventPhase::Workflow, EventStatus::Progress, format!("The review wants {count} {noun} fixed: {who}"));
    Ok(rounds::begin_fix(run, memory, scope)?)
}

fn begin_re_plan(run: &Run, memory: &Memory) -> Result<(), PhaseError> {
    let why = memory.review.as_ref().map(|review| review.summary.clone()).unwrap_or_default();
    run.say(EventPhase::Workflow, EventStatus::Progress, format!("The review wants a new plan: {why}"));
    Ok(rounds::begin_re_plan(run, memory)?)
}

fn failed(run: &Run, phase: EventPhase, error: &PhaseError) -> RunEnd {
    let kind = error.kind();
    let memory = run.store.inspect().map(|(memory, _)| memory).unwrap_or_default();
    let (outcome, message) = match kind {
        EventErrorKind::Cancelled => (Outcome::Cancelled, stopped_message(phase, &memory)),
        EventErrorKind::Budget => (Outcome::Escalated, error.to_string()),
        _ => (Outcome::Failed, error.to_string()),
    };
    if phase != EventPhase::Workflow {
        run.fail(phase, error);
    }
    let no_conclusion = match error {
        PhaseError::Agent(AgentError::Cancelled | AgentError::Budget(_)) => false,
        PhaseError::Agent(error) => !matches!(error, AgentError::Journal(_) | AgentError::Memory(_)),
        _ => false,
    };
    RunEnd {
        error: (kind != EventErrorKind::Cancelled).then(|| error.event()),
        no_conclusion,
        ..run_end(run, &memory, outcome, message)
    }
}

fn run_end(run: &Run, memory: &Memory, outcome: Outcome, message: String) -> RunEnd {
    RunEnd {
        outcome,
        message,
        error: None,
        no_conclusion: false,
        review: shown_review(memory),
        usage: run.desk.budget.used(),
    }
}

/// The review as people are shown it: without the issues they dismissed.
fn shown_review(memory: &Memory) -> Option<ReviewOutput> {
    let mut review = memory.review.clone()?;
    review.issues.retain(|issue| !memory.dismissed.contains(&issue.id));
    Some(review)
}

/// Say the outcome; the last event of every run.
fn finish(run: &Run, mut end: RunEnd) -> RunEnd {
    if end.review.is_none() {
        end.review = match run.store.inspect() {
            Ok((memory, _)) => shown_review(&memory),
            Err(MemoryError::Faulty(_)) => None,
            Err(error) => {
                tracing::warn!(%error, "cannot read the review");
                None
            }
        };
    }
    end.usage = run.desk.budget.used();
    let status = match end.outcome {
        Outcome::Merged | Outcome::Done | Outcome::Rejected => EventStatus::Done,
        Outcome::Escalated | Outcome::Waiting => EventStatus::Waiting,
        Outcome::Failed => EventStatus::Failed,
        Outcome::Cancelled => EventStatus::Cancelled,
    };
    run.bus.emit(Said {
        phase: EventPhase::Workflow,
        status,
        task: None,
        message: end.message.clone(),
        error: end.error.clone(),
        usage: Some(end.usage),
    });
    end
}

fn merged_message(memory: &Memory) -> String {
    let mut message = "Approved. Changes are in your working tree; nothing was committed.".to_owned();
    let approved = memory.approval.as_ref().and_then(|approval| approval.tasks.as_ref());
    if let (Some(plan), Some(approved)) = (&memory.plan, approved) {
        let rest: Vec<&str> = plan
            .plan
            .tasks
            .iter()
            .map(|task| task.id.as_str())
            .filter(|id| !approved.iter().any(|a| a == id))
            .collect();
        if !rest.is_empty() {
            message.push_str(&format!(" Not approved and so not done: {}.", rest.join(", ")));
        }
    }
    message
}

/// What stands and what does not, after a cancel.
fn stopped_message(phase: EventPhase, memory: &Memory) -> String {
    let place = match phase {
        EventPhase::Workflow => "Stopped.".to_owned(),
        phase => format!("Stopped in {}.", phase.as_str()),
    };
    let written = memory.report.as_ref().map(written).unwrap_or_default();
    let ids: Vec<&str> = written.iter().map(|(id, _)| id.as_str()).collect();
    let files: usize = written.iter().map(|(_, files)| files).sum();
    let untouched: Vec<&str> = match (&memory.plan, phase) {
        (Some(plan), EventPhase::Implement) => {
            plan.plan.tasks.iter().map(|task| task.id.as_str()).filter(|id| !ids.contains(id)).collect()
        }
        _ => Vec::new(),
    };
    let noun = if files == 1 { "file" } else { "files" };
    let stands = match (ids.is_empty(), untouched.is_empty()) {
        (true, _) => "No file was written.".to_owned(),
        (false, true) => format!("{} written ({files} {noun}).", ids.join(", ")),
        (false, false) => {
            format!("{} written ({files} {noun}); {} touched nothing.", ids.join(", "), untouched.join(", "))
        }
    };
    format!("{place} {stands} Your edits are intact.")
}

fn written(report: &ImplReport) -> Vec<(String, usize)> {
    report
        .results
        .iter()
        .filter(|result| result.status != TaskStatus::Failed && !result.changes.is_empty())
        .map(|result| (result.task_id.clone(), result.changes.len()))
        .collect()
}
