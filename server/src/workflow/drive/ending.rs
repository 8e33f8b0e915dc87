//! The end of a run: its outcome, and a message about what was done and what was not.

use super::summary;
use crate::agents::AgentError;
use crate::contracts::{PhaseName, RecommendedAction, ReviewOutput};
use crate::memory::{Memory, MemoryError};
use crate::text;
use crate::workflow::changes::files::Changes;
use crate::workflow::run::activity::{told_name, told_words};
use crate::workflow::run::end::RunEnd;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::NewEvent;
use crate::workflow::run::events::{EventErrorKind, EventPhase, EventStatus};
use crate::workflow::run::goal::Goal;
use crate::workflow::run::outcome::Outcome;
use crate::workflow::run::phase::Run;

pub(crate) fn end_after(run: &Run, phase: PhaseName) -> Option<RunEnd> {
    let message = || match run.goal {
        Goal::Checks => summary::checks(&run.store.inspect().map(|(memory, _)| memory).unwrap_or_default()),
        _ => format!("The {phase} phase is done."),
    };
    (run.goal.last_phase() == Some(phase)).then(|| RunEnd {
        outcome: Outcome::Done,
        message: message(),
        error: None,
        no_conclusion: false,
        review: None,
        usage: run.context.budget.used(),
        workflow_usage: run.context.budget.used_by_workflow(),
        turns: run.context.budget.turns(),
        workflow_turns: run.context.budget.turns_of_workflow(),
        changed_files: 0,
    })
}

pub(crate) fn failed_end(run: &Run, phase: EventPhase, error: &PhaseError) -> RunEnd {
    let kind = error.kind();
    let memory = run.store.inspect().map(|(memory, _)| memory).unwrap_or_default();
    let (outcome, message) = match kind {
        EventErrorKind::Cancelled => (Outcome::Cancelled, summary::stopped(summary::phase_of(phase), &memory)),
        EventErrorKind::Budget => (Outcome::Escalated, error.to_string()),
        // A person has to choose another model, or a smaller task.
        _ if is_window_full(error) => (Outcome::Escalated, error.to_string()),
        _ => (Outcome::Failed, error.to_string()),
    };
    if phase != EventPhase::Workflow {
        run.emit_failure(phase, error);
    }
    let no_conclusion = match error {
        PhaseError::Agent(AgentError::Cancelled | AgentError::Budget(_) | AgentError::Window { .. }) => false,
        PhaseError::Agent(error) => !matches!(error, AgentError::Journal(_) | AgentError::Memory(_)),
        _ => false,
    };
    RunEnd {
        error: (kind != EventErrorKind::Cancelled).then(|| error.event()),
        no_conclusion,
        ..run_end(run, &memory, outcome, message)
    }
}

/// Whether a conversation that had begun, and a fresh one after it, did not fit the model's window.
fn is_window_full(error: &PhaseError) -> bool {
    matches!(error, PhaseError::Agent(AgentError::Window { is_first: false, .. }))
}

pub(crate) fn run_end(run: &Run, memory: &Memory, outcome: Outcome, message: String) -> RunEnd {
    RunEnd {
        outcome,
        message,
        error: None,
        no_conclusion: false,
        review: visible_review(memory),
        usage: run.context.budget.used(),
        workflow_usage: run.context.budget.used_by_workflow(),
        turns: run.context.budget.turns(),
        workflow_turns: run.context.budget.turns_of_workflow(),
        changed_files: 0,
    }
}

/// The review as people are shown it: without the issues they dismissed.
fn visible_review(memory: &Memory) -> Option<ReviewOutput> {
    memory.review.as_ref().map(|review| without_dismissed(review, memory))
}

pub(crate) fn without_dismissed(review: &ReviewOutput, memory: &Memory) -> ReviewOutput {
    let mut review = review.clone();
    review.issues.retain(|issue| !memory.is_dismissed(&issue.id));
    review
}

/// Complete the end of a run and emit its last event.
pub(crate) fn finish(run: &Run, mut end: RunEnd) -> RunEnd {
    // A review against a commit belongs to no workflow, and changes no file.
    let is_of_base = matches!(run.goal, Goal::ReviewAgainst { .. });
    if end.review.is_none() && !is_of_base {
        end.review = match run.store.inspect() {
            Ok((memory, _)) => visible_review(&memory),
            Err(MemoryError::Faulty(_)) => None,
            Err(error) => {
                tracing::warn!(%error, "cannot read the review");
                None
            }
        };
    }
    let not_taken = not_taken(run);
    if !not_taken.is_empty() {
        end.message = format!("{} {not_taken}", end.message);
    }
    end.usage = run.context.budget.used();
    end.workflow_usage = run.context.budget.used_by_workflow();
    end.turns = run.context.budget.turns();
    end.workflow_turns = run.context.budget.turns_of_workflow();
    end.changed_files = if is_of_base { 0 } else { changed_files(run) };
    let status = match end.outcome {
        Outcome::Merged | Outcome::Done | Outcome::Rejected | Outcome::RolledBack => EventStatus::Done,
        Outcome::Escalated | Outcome::Waiting => EventStatus::Waiting,
        Outcome::Failed => EventStatus::Failed,
        Outcome::Cancelled => EventStatus::Cancelled,
    };
    run.bus.emit(NewEvent {
        error: end.error.clone(),
        usage: Some(end.usage),
        outcome: Some(end.outcome),
        ..NewEvent::new(EventPhase::Workflow, status, end.message.clone())
    });
    end
}

/// What the user told agents that no request took; empty where there is none.
fn not_taken(run: &Run) -> String {
    let missed = run.context.tells.close();
    let missed: Vec<String> =
        missed.iter().map(|(agent, text)| format!("{}: \"{}\"", told_name(agent), told_words(run, text))).collect();
    if missed.is_empty() {
        return String::new();
    }
    format!("You told agents what no answer of theirs took up any more ({}).", missed.join("; "))
}

/// How many files differ from what they were before the workflow.
pub(crate) fn changed_files(run: &Run) -> usize {
    Changes::load(&run.store, &run.workspace).map_or_else(
        |error| {
            tracing::warn!(%error, "cannot tell what the workflow has changed");
            0
        },
        |changes| changes.files().count(),
    )
}

/// The message after a round for chosen issues whose review does not end the workflow.
pub(crate) fn fixed_message(memory: &Memory) -> String {
    let Some(review) = &memory.review else { return String::new() };
    if review.recommended_action == RecommendedAction::RePlan {
        return format!("The round is done, and its review wants a new plan: {}", review.summary);
    }
    let open = review.open_issues(&memory.dismissed).count();
    let are = if open == 1 { "is" } else { "are" };
    format!("The round is done; {} {are} open.", text::count(open, "issue"))
}
