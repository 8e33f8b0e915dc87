//! Results that nothing confirms: they count as none, and their tasks are implemented here.

use std::sync::Arc;

use super::find::{find_foreign_work, foreign_work};
use super::work::{ForeignWork, are, were};
use crate::agents::AgentError;
use crate::contracts::{Handoff, ReviewOutput, Round, RoundKind};
use crate::memory::{Memory, SetAside, Store};
use crate::text;
use crate::workflow::decide::next::{Next, relies_on_results};
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::{Phases, Run};
use crate::workflow::run::phase_names::IMPLEMENT;

/// Discounts unconfirmed results: answers with what comes next without them, and with the warnings for people. Such
/// results, and a review of them, are taken out of `memory`.
///
/// # Errors
/// When a journal or a file cannot be read.
pub(crate) fn without_unconfirmed(
    phases: &Phases,
    store: &Store,
    memory: &mut Memory,
    next: Next,
) -> Result<(Next, Vec<String>), PhaseError> {
    if next != Next::Gate && !relies_on_results(phases, &next) {
        return Ok((next, Vec::new()));
    }
    let found = find_foreign_work(store, store.workspace(), memory, &|| false)?;
    if !found.unconfirmed.is_empty() {
        memory.review = None;
        memory.findings.clear();
        if let Some(report) = &mut memory.report {
            report.results.retain(|result| !found.unconfirmed.contains(&result.task_id));
        }
        memory.report = memory.report.take().filter(|report| !report.results.is_empty());
    }
    if next == Next::Gate {
        return Ok((next, found.gate_warnings()));
    }
    let mut warnings = Vec::new();
    if !found.tasks.is_empty() {
        warnings.push(format!("{} {} done elsewhere, not by Baton.", found.tasks.join(", "), were(&found.tasks)));
    }
    if found.unconfirmed.is_empty() {
        return Ok((next, warnings));
    }
    warnings.push(redo_message(&found));
    Ok((Next::Phase(IMPLEMENT), warnings))
}

/// Take unconfirmed results out of the report, so that their tasks are implemented. Answers whether there were any.
///
/// # Errors
/// When files cannot be read or written.
pub(crate) async fn remove_unconfirmed_results(run: &Arc<Run>, memory: &Memory) -> Result<bool, PhaseError> {
    let found = foreign_work(run, memory).await?;
    if found.unconfirmed.is_empty() {
        return Ok(false);
    }
    run.emit(IMPLEMENT, EventStatus::Progress, redo_message(&found));
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
            report.results.retain(|result| !found.unconfirmed.contains(&result.task_id));
            report.checks.clear();
            run.store.start_next_round(SetAside::Retry, &report)?;
        }
        None => drop(run.store.set_aside(SetAside::Retry, &[ReviewOutput::FILE])?),
    }
    Ok(true)
}

fn redo_message(found: &ForeignWork) -> String {
    let count = found.unconfirmed.len();
    format!(
        "{}: said to be done, and {}. There is nothing to review; the {} {} implemented here.",
        found.unconfirmed.join(", "),
        found.why_unconfirmed(),
        text::plural(count, "task"),
        are(&found.unconfirmed),
    )
}

/// The warnings for the gate of a run. The question is asked also where something cannot be read; that is logged.
///
/// # Errors
/// When the run was cancelled.
pub(crate) async fn warnings_at_gate(run: &Arc<Run>, memory: &Memory) -> Result<Vec<String>, PhaseError> {
    match foreign_work(run, memory).await {
        Ok(found) => Ok(found.gate_warnings()),
        Err(error @ PhaseError::Agent(AgentError::Cancelled)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "cannot tell what was done elsewhere");
            Ok(Vec::new())
        }
    }
}
