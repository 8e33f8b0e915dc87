//! The end of a run: its outcome, and a message about what was done and what was not.

use crate::agents::AgentError;
use crate::contracts::{ImplReport, PhaseName, RecommendedAction, ReviewOutput, TaskStatus};
use crate::memory::{Memory, MemoryError, Store};
use crate::text;
use crate::workflow::changes::files::Changes;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::NewEvent;
use crate::workflow::run::events::{EventErrorKind, EventPhase, EventStatus};
use crate::workflow::run::outcome::{Outcome, RunEnd};
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::IMPLEMENT;

pub(crate) fn end_after(run: &Run, phase: PhaseName) -> Option<RunEnd> {
    (run.goal.last_phase() == Some(phase)).then(|| RunEnd {
        outcome: Outcome::Done,
        message: format!("The {phase} phase is done."),
        error: None,
        no_conclusion: false,
        review: None,
        usage: run.context.budget.used(),
        changed_files: 0,
    })
}

pub(crate) fn failed_end(run: &Run, phase: EventPhase, error: &PhaseError) -> RunEnd {
    let kind = error.kind();
    let memory = run.store.inspect().map(|(memory, _)| memory).unwrap_or_default();
    let (outcome, message) = match kind {
        EventErrorKind::Cancelled => (Outcome::Cancelled, stopped_message(phase, &memory)),
        EventErrorKind::Budget => (Outcome::Escalated, error.to_string()),
        _ => (Outcome::Failed, error.to_string()),
    };
    if phase != EventPhase::Workflow {
        run.emit_failure(phase, error);
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

/// The message for a rejected plan, which begins with `what`: files that an earlier round wrote stay as they are.
pub fn rejected_message(what: &str, store: &Store) -> String {
    let stands = match Changes::load(store, store.workspace()).map(|changes| changes.files().count()) {
        Ok(0) => return format!("{what}; nothing was written. `baton reset` starts over."),
        Ok(1) => {
            "The 1 file that was changed before stands: `baton diff` shows it, `baton rollback` undoes it.".to_owned()
        }
        Ok(files) => format!(
            "The {files} files that were changed before stand: `baton diff` shows them, `baton rollback` undoes them."
        ),
        Err(error) => format!("What was changed before stands, and cannot be told: {error}."),
    };
    format!("{what}. {stands} `baton reset` starts over and leaves your files as they are.")
}

pub(crate) fn run_end(run: &Run, memory: &Memory, outcome: Outcome, message: String) -> RunEnd {
    RunEnd {
        outcome,
        message,
        error: None,
        no_conclusion: false,
        review: visible_review(memory),
        usage: run.context.budget.used(),
        changed_files: 0,
    }
}

/// The review as people are shown it: without the issues they dismissed.
fn visible_review(memory: &Memory) -> Option<ReviewOutput> {
    let mut review = memory.review.clone()?;
    review.issues.retain(|issue| !memory.is_dismissed(&issue.id));
    Some(review)
}

/// Complete the end of a run and emit its last event.
pub(crate) fn finish(run: &Run, mut end: RunEnd) -> RunEnd {
    if end.review.is_none() {
        end.review = match run.store.inspect() {
            Ok((memory, _)) => visible_review(&memory),
            Err(MemoryError::Faulty(_)) => None,
            Err(error) => {
                tracing::warn!(%error, "cannot read the review");
                None
            }
        };
    }
    end.usage = run.context.budget.used();
    end.changed_files = changed_files(run);
    let status = match end.outcome {
        Outcome::Merged | Outcome::Done | Outcome::Rejected => EventStatus::Done,
        Outcome::Escalated | Outcome::Waiting => EventStatus::Waiting,
        Outcome::Failed => EventStatus::Failed,
        Outcome::Cancelled => EventStatus::Cancelled,
    };
    run.bus.emit(NewEvent {
        phase: EventPhase::Workflow,
        status,
        task: None,
        message: end.message.clone(),
        error: end.error.clone(),
        usage: Some(end.usage),
    });
    end
}

fn changed_files(run: &Run) -> usize {
    Changes::load(&run.store, &run.workspace).map_or_else(
        |error| {
            tracing::warn!(%error, "cannot tell what the workflow has changed");
            0
        },
        |changes| changes.files().count(),
    )
}

pub(crate) fn merged_message(run: &Run, memory: &Memory) -> String {
    // Foreign work is in no journal; only the report knows of it.
    let has_reported_changes =
        memory.report.iter().flat_map(|report| &report.results).any(|result| !result.changes.is_empty());
    let mut message = match has_reported_changes || memory.report.is_none() || changed_files(run) > 0 {
        true => "Approved. Changes are in your working tree; nothing was committed.".to_owned(),
        false => "Approved, and no file was changed: everything is as it was.".to_owned(),
    };
    if let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval) {
        let rest: Vec<&str> = plan.plan.task_ids().filter(|id| !approval.covers(id)).collect();
        if !rest.is_empty() {
            message.push_str(&format!(" Not approved and so not done: {}.", rest.join(", ")));
        }
    }
    message
}

/// The message after a round for chosen issues whose review does not end the workflow.
pub(crate) fn fixed_message(memory: &Memory) -> String {
    let Some(review) = &memory.review else { return String::new() };
    if review.recommended_action == RecommendedAction::RePlan {
        return format!(
            "The round is done, and its review wants a new plan: {} `baton run` makes one.",
            review.summary
        );
    }
    let open = review.open_issues(&memory.dismissed).count();
    let (noun, are) = (text::plural(open, "issue"), if open == 1 { "is" } else { "are" });
    format!("The round is done; {open} {noun} {are} open. `baton run` goes on to fix all that are.")
}

/// The message after a cancel: which tasks were written and which were not.
fn stopped_message(phase: EventPhase, memory: &Memory) -> String {
    let place = match phase {
        EventPhase::Workflow => "Stopped.".to_owned(),
        EventPhase::Phase(name) => format!("Stopped in {name}."),
    };
    let written = memory.report.as_ref().map(written).unwrap_or_default();
    let ids: Vec<&str> = written.iter().map(|(id, _)| id.as_str()).collect();
    let files: usize = written.iter().map(|(_, files)| files).sum();
    let untouched: Vec<&str> = match (&memory.plan, phase) {
        (Some(plan), EventPhase::Phase(IMPLEMENT)) => plan.plan.task_ids().filter(|id| !ids.contains(id)).collect(),
        _ => Vec::new(),
    };
    let noun = text::plural(files, "file");
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
