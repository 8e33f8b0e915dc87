//! Results that nothing confirms: they count as none, and their tasks are implemented here.

use std::sync::Arc;

use super::find::{find, look};
use super::work::{Elsewhere, are, were};
use crate::agents::AgentError;
use crate::contracts::{Handoff, ReviewOutput, Round, RoundKind};
use crate::memory::{Memory, SetAside, Store};
use crate::text;
use crate::workflow::decide::next::{Next, takes_for_done};
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::{Phases, Run};
use crate::workflow::run::phase_names::IMPLEMENT;

/// What comes next where a result that nothing bears out counts as none, and what people are told of it. Such results, and
/// a review of them, go from `memory`.
///
/// # Errors
/// When a journal or a file cannot be read.
pub(crate) fn borne_out(
    phases: &Phases,
    store: &Store,
    memory: &mut Memory,
    next: Next,
) -> Result<(Next, Vec<String>), PhaseError> {
    if next != Next::Gate && !takes_for_done(phases, &next) {
        return Ok((next, Vec::new()));
    }
    let found = find(store, store.workspace(), memory, &|| false)?;
    if !found.unseen.is_empty() {
        memory.review = None;
        memory.findings.clear();
        if let Some(report) = &mut memory.report {
            report.results.retain(|result| !found.unseen.contains(&result.task_id));
        }
        memory.report = memory.report.take().filter(|report| !report.results.is_empty());
    }
    if next == Next::Gate {
        return Ok((next, found.at_the_gate()));
    }
    let mut told = Vec::new();
    if !found.tasks.is_empty() {
        told.push(format!("{} {} done elsewhere, not by Baton.", found.tasks.join(", "), were(&found.tasks)));
    }
    if found.unseen.is_empty() {
        return Ok((next, told));
    }
    told.push(done_here(&found));
    Ok((Next::Phase(IMPLEMENT), told))
}

/// Take the results out that nothing bears out, so that their tasks are implemented. Answers whether there were any.
///
/// # Errors
/// When files cannot be read or written.
pub(crate) async fn take_out_unseen(run: &Arc<Run>, memory: &Memory) -> Result<bool, PhaseError> {
    let found = look(run, memory).await?;
    if found.unseen.is_empty() {
        return Ok(false);
    }
    run.say(IMPLEMENT, EventStatus::Progress, done_here(&found));
    if memory.round.is_none()
        && let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval)
    {
        // Else the review that is set aside would make it a later round than the results that stay.
        let n = memory.report.as_ref().map_or(memory.earlier_rounds + 1, |report| report.round);
        let tasks = approval.task_ids(&plan.plan);
        run.store.write(&Round { n, kind: RoundKind::First, tasks, issues: Vec::new() })?;
    }
    match memory.report.clone() {
        Some(mut report) => {
            report.results.retain(|result| !found.unseen.contains(&result.task_id));
            run.store.start_next_round(SetAside::Retry, &report)?;
        }
        None => drop(run.store.set_aside(SetAside::Retry, &[ReviewOutput::FILE])?),
    }
    Ok(true)
}

fn done_here(found: &Elsewhere) -> String {
    let count = found.unseen.len();
    format!(
        "{}: said to be done, and {}. There is nothing to review; the {} {} implemented here.",
        found.unseen.join(", "),
        found.why_unseen(),
        text::plural(count, "task"),
        are(&found.unseen),
    )
}

/// What the gate says of it. What cannot be read is no reason not to ask, and is logged.
///
/// # Errors
/// When the run was cancelled.
pub(crate) async fn gate_warnings(run: &Arc<Run>, memory: &Memory) -> Result<Vec<String>, PhaseError> {
    match look(run, memory).await {
        Ok(found) => Ok(found.at_the_gate()),
        Err(error @ PhaseError::Agent(AgentError::Cancelled)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "cannot tell what was done elsewhere");
            Ok(Vec::new())
        }
    }
}
