//! The loop of a run: what comes next, until there is an outcome.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::against_base::review_and_end;
use super::ending::{changed_files, end_after, failed_end, finish, fixed_message, run_end};
use super::summary;
use crate::agents::AgentError;
use crate::contracts::PhaseName;
use crate::memory::Memory;
use crate::text::{count, plural};
use crate::workflow::changes::checkpoints;
use crate::workflow::changes::unverified::unverified_or_log;
use crate::workflow::changes::written::Written;
use crate::workflow::checks::changed_since::files_changed_since;
use crate::workflow::checks::sandbox::{forget_unconfirmed, sandbox};
use crate::workflow::decide::next::{FixScope, Next, RepairScope, next_phase, relies_on_results};
use crate::workflow::decide::rounds;
use crate::workflow::foreign::assumed::assumed_words;
use crate::workflow::foreign::discount::remove_unconfirmed_results;
use crate::workflow::foreign::find::foreign_work;
use crate::workflow::gate::ask::{GateEnd, gate};
use crate::workflow::gate::checks::waiting_checks;
use crate::workflow::gate::content::GateSources;
use crate::workflow::run::end::RunEnd;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::{EventPhase, EventStatus};
use crate::workflow::run::goal::Goal;
use crate::workflow::run::outcome::Outcome;
use crate::workflow::run::phase::{Phases, Policy, Run};
use crate::workflow::run::phase_kinds::PhaseEnd;
use crate::workflow::run::phase_names::{CONTEXT, IMPLEMENT, PLAN, QUICK, REVIEW};
use crate::workspace::Base;

/// Take steps until there is an outcome. With a `base` the run is the review against it, and no workflow.
pub(crate) async fn drive(run: &Arc<Run>, base: Option<&Base>) -> RunEnd {
    let accounts = match (&run.goal, &run.models) {
        (Goal::Accept { .. }, _) => vec!["Accepting the work as it is".to_owned()],
        (Goal::Checks, _) => vec!["Running the checks on the work as it is".to_owned()],
        (_, Ok(models)) => models.accounts(),
        (_, Err(_)) => vec!["No model is set up".to_owned()],
    };
    for (index, account) in accounts.into_iter().enumerate() {
        let status = if index == 0 { EventStatus::Started } else { EventStatus::Progress };
        run.emit(EventPhase::Workflow, status, account);
    }
    tell_windows(run).await;
    if base.is_none() && !matches!(run.goal, Goal::Accept { .. }) && !run.checks().is_empty() {
        sandbox(run).await;
    }
    if base.is_none() {
        for warning in unverified_or_log(&run.store).warnings.into_iter().chain(assumed_words(&run.store)) {
            run.emit(EventPhase::Workflow, EventStatus::Progress, warning);
        }
    }
    if let Goal::Fix { issues } = &run.goal {
        let message = format!("Fixing {}: {}", count(issues.len(), "chosen issue"), issues.join(", "));
        run.emit(EventPhase::Workflow, EventStatus::Progress, message);
    }
    if let Some(base) = base {
        let end = review_and_end(run, base).await;
        return finish(run, end);
    }
    let mut is_fresh = false;
    let end = loop {
        let memory = match run.store.load_for_repair() {
            Ok(mut memory) => {
                forget_unconfirmed(run, &mut memory);
                memory
            }
            Err(error) => break failed_end(run, EventPhase::Workflow, &error.into()),
        };
        let next = next(run, &memory, is_fresh);
        is_fresh = next == Next::Phase(CONTEXT);
        match step(run, &memory, next).await {
            Ok(Some(end)) => break end,
            // A step that only moves files has no other point at which the run can be dropped.
            Ok(None) => tokio::task::yield_now().await,
            Err((phase, error)) => break failed_end(run, phase, &error),
        }
    };
    finish(run, end)
}

/// Say how large the windows of models are whose size depends on a server or on settings.
async fn tell_windows(run: &Run) {
    let takes_no_turn = matches!(run.goal, Goal::Accept { .. } | Goal::Checks);
    let Some(models) = run.models.as_ref().ok().filter(|_| !takes_no_turn) else { return };
    for window in run.context.cancel.run_until_cancelled(models.windows()).await.unwrap_or_default() {
        run.emit(EventPhase::Workflow, EventStatus::Progress, window);
    }
}

type Step = Result<Option<RunEnd>, (EventPhase, PhaseError)>;

/// What comes next. A context that the step before gathered is never stale, or a very short `context_staleness` would have
/// it gathered for ever.
fn next(run: &Run, memory: &Memory, is_fresh: bool) -> Next {
    // The gate may have added some since the start.
    let mut policy = Policy { checks: run.checks(), ..run.policy.clone() };
    if is_fresh {
        policy.context_staleness = SignedDuration::MAX;
    }
    match run.goal.last_phase() {
        Some(phase) => next_of_named(&policy.phases, phase, memory),
        None => next_phase(memory, &policy, Timestamp::now()),
    }
}

async fn step(run: &Arc<Run>, memory: &Memory, next: Next) -> Step {
    if run.context.cancel.is_cancelled() {
        return Err((EventPhase::Workflow, AgentError::Cancelled.into()));
    }
    if run.goal.last_phase().is_none()
        && relies_on_results(&run.policy.phases, &next)
        && in_phase(IMPLEMENT, remove_unconfirmed_results(run, memory).await)?
    {
        return Ok(None);
    }
    let end = |outcome, message: String| Ok(Some(run_end(run, memory, outcome, message)));
    match next {
        // Only an edit of the files between the start of the run and here.
        next if matches!(run.goal, Goal::Accept { .. }) && next != Next::Merged => end(
            Outcome::Escalated,
            "The review or its issues changed just now, so the work is not accepted. Look at them, and accept again."
                .to_owned(),
        ),
        Next::Phase(name) => run_phase(run, memory, name).await,
        Next::Gate => match in_phase(PLAN, gate(run, memory).await)? {
            GateEnd::Continue => Ok(None),
            GateEnd::Waiting(message) => end(Outcome::Waiting, message),
        },
        Next::Fix(_) | Next::RePlan if matches!(run.goal, Goal::Fix { .. }) => {
            end(Outcome::Done, fixed_message(memory))
        }
        Next::EnterRound => in_phase(IMPLEMENT, rounds::enter_round(run, memory).map_err(Into::into)).map(|()| None),
        Next::Fix(scope) => in_phase(IMPLEMENT, begin_fix(run, memory, &scope)).map(|()| None),
        Next::Repair(scope) => in_phase(IMPLEMENT, begin_repair(run, memory, &scope)).map(|()| None),
        Next::RePlan => in_phase(PLAN, begin_re_plan(run, memory)).map(|()| None),
        Next::Failed { tasks } => {
            // Results of an earlier run: those of this run would have ended it.
            run.emit(IMPLEMENT, EventStatus::Progress, format!("Trying again: {}", tasks.join(", ")));
            in_phase(IMPLEMENT, rounds::retry_tasks(run, memory, &tasks).map_err(Into::into)).map(|()| None)
        }
        Next::Merged if Written::of(&run.store).is_ok_and(Written::is_all_rolled_back) => {
            end(Outcome::RolledBack, summary::UNDONE.to_owned())
        }
        Next::Merged => {
            let found = in_phase(REVIEW, foreign_work(run, memory).await)?;
            let offered = waiting_checks(&run.store, &run.settings).offered;
            let changed_since = files_changed_since(&run.store, memory);
            let message = summary::merged(memory, changed_files(run), changed_since, &offered);
            end(Outcome::Merged, found.end_message(message))
        }
        Next::Rejected => end(Outcome::Rejected, summary::rejected(changed_files(run))),
        Next::Escalated { reason } => {
            let found = in_phase(REVIEW, foreign_work(run, memory).await)?;
            end(Outcome::Escalated, found.end_message(summary::escalated(&reason)))
        }
        Next::NeedTask => end(Outcome::Failed, "There is no task.".into()),
    }
}

/// Run a phase, and end the run where it was asked for this one.
async fn run_phase(run: &Arc<Run>, memory: &Memory, name: PhaseName) -> Step {
    let phases = &run.policy.phases;
    // A phase that is asked for by name is that phase.
    let acting = if run.goal.last_phase().is_some() { phases.get(name) } else { phases.acting(name, memory) };
    let Some(phase) = acting else {
        return in_phase(name, Err(PhaseError::Internal(format!("there is no phase {name}"))));
    };
    let is_quick = phase.name() == QUICK;
    // What stands for several phases begins with the first of them.
    let name = if is_quick { CONTEXT } else { name };
    let end = phase.run(run, memory).await;
    // Also after a failure, which leaves what was published by then.
    if phase.has_checkpoint() && (end.is_ok() || phase.changes_files()) {
        checkpoints::record(run, if is_quick { PLAN } else { name }).await;
    }
    match in_phase(name, end)? {
        PhaseEnd::Done => {
            show_results(run, memory);
            Ok(end_after(run, name))
        }
        PhaseEnd::Failed { message, no_conclusion } => {
            Ok(Some(RunEnd { no_conclusion, ..run_end(run, memory, Outcome::Failed, message) }))
        }
    }
}

/// Bring plan.md up to date with what the phase found out of the plan's work. The handoffs have it too, so that the run goes
/// on where plan.md cannot be written.
fn show_results(run: &Run, memory: &Memory) {
    if memory.plan.is_some()
        && let Err(error) = GateSources::of(run).refresh_plan_markdown()
    {
        tracing::warn!(%error, "plan.md does not show the last results");
    }
}

/// A phase asked for by name runs whatever comes next; one that changes files does so behind the gate only.
fn next_of_named(phases: &Phases, name: PhaseName, memory: &Memory) -> Next {
    let changes_files = phases.get(name).is_some_and(|phase| phase.changes_files());
    match &memory.approval {
        None if changes_files => Next::Gate,
        Some(approval) if changes_files && approval.is_rejected() => Next::Rejected,
        _ => Next::Phase(name),
    }
}

fn in_phase<T>(phase: impl Into<EventPhase>, result: Result<T, PhaseError>) -> Result<T, (EventPhase, PhaseError)> {
    result.map_err(|error| (phase.into(), error))
}

fn begin_fix(run: &Run, memory: &Memory, scope: &FixScope) -> Result<(), PhaseError> {
    let count = scope.issues.len();
    let who = if scope.unowned.is_empty() {
        scope.tasks.join(", ")
    } else {
        [&scope.tasks[..], &["FIX".into()]].concat().join(", ")
    };
    let noun = plural(count, "issue");
    run.emit(EventPhase::Workflow, EventStatus::Progress, format!("The review wants {count} {noun} fixed: {who}"));
    Ok(rounds::begin_fix(&run.store, &run.workspace, memory, scope)?)
}

fn begin_repair(run: &Run, memory: &Memory, scope: &RepairScope) -> Result<(), PhaseError> {
    let (checks, tasks) = (scope.checks.join(", "), scope.tasks.join(", "));
    let (what, them) = match scope.checks.len() {
        1 => ("Check", ("fails", "it")),
        _ => ("Checks", ("fail", "them")),
    };
    let repair = if scope.tasks.len() == 1 { "repairs" } else { "repair" };
    let message = format!("{what} {checks} {}: {tasks} {repair} {}", them.0, them.1);
    run.emit(EventPhase::Workflow, EventStatus::Progress, message);
    Ok(rounds::begin_repair(&run.store, memory, scope)?)
}

fn begin_re_plan(run: &Run, memory: &Memory) -> Result<(), PhaseError> {
    let why = memory.review.as_ref().map(|review| review.summary.clone()).unwrap_or_default();
    run.emit(EventPhase::Workflow, EventStatus::Progress, format!("The review wants a new plan: {why}"));
    Ok(rounds::begin_re_plan(run, memory)?)
}
