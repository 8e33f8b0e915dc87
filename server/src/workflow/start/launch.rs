//! Starts a run: what its goal needs is prepared in the memory folder, then the loop runs in the background.

use crate::contracts::{Dismissed, Handoff, Usage};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::beginning::{Beginning, StartContext};
use super::cancel::drive_until_cancelled;
use super::engine::Engine;
use super::notify::{Notices, notify};
use super::sinks::send_during;
use crate::agents::{Budget, Limits, RunContext};
use crate::memory::{Memory, MemoryError, RunDir, RunId, RunLock, Store};
use crate::workflow::changes::checkpoints::{self, lost_events};
use crate::workflow::changes::recover::recover;
use crate::workflow::run::activity::task_agent;
use crate::workflow::run::check_state::CheckState;
use crate::workflow::run::checkpoint_state::CheckpointState;
use crate::workflow::run::end::RunEnd;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{Bus, PhaseEvent};
use crate::workflow::run::goal::{Goal, Request};
use crate::workflow::run::phase::{Phases, Policy, Run};
use crate::workspace::Base;

/// A run under way.
pub struct RunHandle {
    /// Its id.
    pub run: String,
    /// Fire it to stop the run: within a second nothing more is sent, written or run.
    pub cancel: CancellationToken,
    /// Everything that happens in it, from the first event on.
    pub events: mpsc::UnboundedReceiver<PhaseEvent>,
    /// Its end.
    pub end: JoinHandle<RunEnd>,
    /// What is told of it beside its events: of the commands of `notify`, and of sinks.
    pub notices: Notices,
}

/// A run that was prepared and has not begun.
struct Prepared {
    id: RunId,
    /// The id of its workflow.
    workflow: String,
    lock: RunLock,
    /// The commit to review against: the run is that review, and no workflow.
    base: Option<Base>,
    /// What the run is about.
    goal: Goal,
    dir: RunDir,
    /// What each turn of the workflow's earlier runs used, and how many were answered.
    spent_before: (Vec<Usage>, u64),
}

/// Start a run. It runs in the background, on the current tokio runtime, until its end.
///
/// # Errors
/// When it cannot begin; nothing was changed then.
pub fn start(engine: Engine, request: Request) -> Result<RunHandle, StartError> {
    let policy = Policy::of(&engine.settings, &engine.phases);
    let Request { goal, auto_approve } = request;
    let Prepared { id, workflow, lock, base, goal, dir, spent_before } = prepare(&engine, goal, &policy)?;
    let Engine { workspace, store, settings, models, prompts, approver, dispatcher, editor, .. } = engine;
    let cancel = CancellationToken::new();
    let bus = Bus::new(id.to_string(), workflow, dir.events);
    let events = bus.subscribe();
    let (warn, warnings) = mpsc::unbounded_channel();
    let give_up = notify(&settings, &workspace, || bus.subscribe(), &cancel, warn.clone());
    let limits = Limits { usd: settings.budget_usd, tokens: settings.budget_tokens };
    let catalog = models.as_ref().map(|models| Arc::clone(&models.catalog)).unwrap_or_default();
    let context = RunContext {
        run: id.to_string(),
        transcript: Arc::new(dir.transcript),
        tells: Arc::new(dir.tells),
        budget: Arc::new(Budget::new(limits, &spent_before.0, catalog).with_turns_before(spent_before.1)),
        cancel: cancel.clone(),
        relay: None,
    };
    let run = Arc::new(Run {
        folder: dir.dir,
        workspace,
        store,
        settings,
        models,
        prompts,
        approver,
        dispatcher,
        editor,
        policy,
        context,
        bus,
        checkpoints: CheckpointState::default(),
        check_state: CheckState::default(),
        goal,
        auto_approve,
    });
    let named = id.to_string();
    let (tell_of_sinks, of_sinks) = mpsc::unbounded_channel();
    let sending = send_during(&run, &id, &warn, tell_of_sinks);
    let end = tokio::spawn(async move {
        let end = drive_until_cancelled(&run, &id, base.as_ref()).await;
        if let Some(sending) = sending {
            sending.finish(run.context.cancel.is_cancelled()).await;
        }
        sweep_cancel_requests(&run.store);
        remove_old_runs(&run, &warn);
        drop(lock);
        end
    });
    Ok(RunHandle { run: named, cancel, events, end, notices: Notices { warnings, of_sinks, give_up } })
}

/// Whether a start asks models, as things stand, or may once its gate is answered. Nothing is changed and no lock is taken.
///
/// # Errors
/// Where the goal cannot begin as things stand; what else is in its way, [`start`] tells.
pub fn needs_model(engine: &Engine, goal: &Goal) -> Result<bool, StartError> {
    let Engine { workspace, store, settings, phases, .. } = engine;
    let policy = Policy::of(settings, phases);
    let asks = |memory: &Memory| -> Result<bool, StartError> {
        let start = StartContext { workspace, store, memory };
        let beginning = Beginning::of(goal, &start, &policy, Timestamp::now())?;
        Ok(beginning.needs_model || beginning.is_at_gate)
    };
    if !store.exists() {
        return asks(&Memory::default());
    }
    match store.inspect() {
        Ok((memory, faults)) if faults.is_empty() => asks(&memory),
        // Whether the goal can do with the faults, the start tells.
        _ => Ok(true),
    }
}

/// Lock the memory folder, repair what a killed run left, and do what the goal needs before the first step.
fn prepare(engine: &Engine, goal: Goal, policy: &Policy) -> Result<Prepared, StartError> {
    let now = Timestamp::now();
    let Engine { workspace, store, models, phases, .. } = engine;
    let begin = |memory: &Memory| Beginning::of(&goal, &StartContext { workspace, store, memory }, policy, now);
    if !store.exists() {
        // What cannot begin leaves no folder behind.
        if begin(&Memory::default())?.needs_model {
            models.clone()?;
        }
    }
    let (lock, id) = store.lock(now)?;
    checkpoints::sweep(store, workspace);
    sweep_cancel_requests(store);
    recover(workspace, store)?;
    let memory = load(store, &goal)?;
    let Beginning { steps, base, needs_model, goal: other_goal, .. } = begin(&memory)?;
    if needs_model {
        models.clone()?;
    }
    store.adopt_base_review()?;
    for step in steps {
        step.apply(store, workspace, &memory)?;
    }
    let (spent_before, dir) = match &base {
        Some(base) => (Default::default(), store.begin_base_review(&id, &base.commit)?),
        None => (store.workflow_turns()?, store.begin_run(&id)?),
    };
    if base.is_none() {
        close_finished_agents(store, phases, &memory, &dir, now)?;
    }
    let goal = other_goal.unwrap_or(goal);
    let workflow = store.workflow_of(&id)?.to_string();
    Ok(Prepared { id, workflow, lock, base, goal, dir, spent_before })
}

/// Read the memory, also where it has faults that the goal can do with.
fn load(store: &Store, goal: &Goal) -> Result<Memory, StartError> {
    match store.load_for_repair() {
        // A reset sets the faulty files aside.
        Err(MemoryError::Faulty(_)) if goal.resets() => Ok(Memory { begun: true, ..store.inspect()?.0 }),
        // A review against a commit stands beside the workflow's files; it only has to know what was dismissed.
        Err(MemoryError::Faulty(faults))
            if matches!(goal, Goal::ReviewAgainst { .. })
                && faults.iter().all(|faulty| faulty.file != store.name(Dismissed::FILE)) =>
        {
            Ok(store.inspect()?.0)
        }
        loaded => Ok(loaded?),
    }
}

/// Close the conversations of the agents whose handoff stands, so that they are not replayed: a run can be killed after it
/// wrote a handoff and before it journaled that.
fn close_finished_agents(
    store: &Store,
    phases: &Phases,
    memory: &Memory,
    dir: &RunDir,
    now: Timestamp,
) -> Result<(), StartError> {
    let one_agent = phases.with_stand_ins().filter(|phase| !phase.changes_files() && phase.is_written(memory));
    let results = memory.report.iter().flat_map(|report| &report.results);
    let tasks = results.map(|result| task_agent(&result.task_id));
    for agent in one_agent.map(|phase| phase.name().to_string()).chain(tasks) {
        let closed = dir.transcript.close_left_open(now, &agent);
        closed.map_err(|source| store.file_error("write", "transcript.jsonl", source))?;
    }
    Ok(())
}

/// A request to stop a run is of no use once the run is over, and does no harm either.
fn sweep_cancel_requests(store: &Store) {
    if let Err(error) = store.sweep_cancel_requests() {
        tracing::warn!(%error, "requests to stop runs that are over could not be removed");
    }
}

/// Remove the runs beyond those that are kept, under the lock that the run still holds.
fn remove_old_runs(run: &Run, warn: &mpsc::UnboundedSender<String>) {
    match checkpoints::remove_old_runs(&run.store, &run.workspace, run.settings.keep_runs) {
        Ok(cleaned) => {
            for (run, why) in cleaned.failed {
                tracing::warn!(run, why, "an old run could not be removed");
            }
            if let Some(lost) = lost_events(&cleaned.undelivered) {
                // Nobody may listen any more.
                let _ = warn.send(lost);
            }
        }
        Err(error) => tracing::warn!(%error, "old runs could not be removed"),
    }
}
