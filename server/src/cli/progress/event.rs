//! What both views take from an event.

use std::time::Duration;

use jiff::Timestamp;

use crate::contracts::Verdict;
use crate::text;
use crate::workflow::{EventPhase, EventStatus, Outcome, PhaseEvent, REVIEW};

/// The time between; none when the clock was set back.
pub(super) fn time_between(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or_default()
}

/// How a run ended, in a few words: what follows on standard output says the rest.
pub(in crate::cli) fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        // By the review, or by the user.
        Outcome::Merged => "finished",
        Outcome::Done => "done",
        Outcome::Escalated => "needs you",
        Outcome::Rejected => "plan rejected",
        Outcome::Waiting => "plan waits for you",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "stopped",
        Outcome::RolledBack => "undone",
    }
}

/// The status that an event is marked by. What came to its end without success is not ticked: a plan that was rejected, and a
/// review that did not approve, which its message begins with.
pub(super) fn marked_status(event: &PhaseEvent) -> EventStatus {
    let unapproved = [Verdict::ChangesRequested, Verdict::Rejected].map(|verdict| verdict.as_str().replace('_', " "));
    let is_unapproved = event.phase == EventPhase::Phase(REVIEW)
        && unapproved.iter().any(|verdict| event.message.starts_with(verdict.as_str()));
    match event.status {
        EventStatus::Done if is_unapproved || event.outcome == Some(Outcome::Rejected) => EventStatus::Cancelled,
        status => status,
    }
}

/// Progress that keeps a line of its own in either view, since it happens once and what follows does not tell of it: what the
/// user told an agent, a second attempt by another model, and warnings.
pub(super) fn is_lasting(event: &PhaseEvent) -> bool {
    event.status == EventStatus::Progress
        && ["told ", "second attempt", "no second attempt", "warning: "]
            .iter()
            .any(|first| event.message.starts_with(first))
}

/// The message of an event and, where it says more, of its error.
pub(super) fn message_of(event: &PhaseEvent) -> String {
    let message = text::safe_line(&event.message);
    match event.error.as_ref().map(|error| text::safe_line(&error.message)) {
        Some(error) if message.is_empty() => error,
        Some(error) if !message.contains(&error) => format!("{message}: {error}"),
        _ => message,
    }
}
