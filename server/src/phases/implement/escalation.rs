//! A task that its model failed at is done once more by the model of the next tier, on the edits that were made, before anything
//! of it is published.

use std::sync::{Arc, PoisonError};

use super::assignment::Assignment;
use super::claims::{SharedStaging, listed, with_note};
use crate::agents::{AgentError, section};
use crate::contracts::{Attempt, TaskResult, TaskStatus};
use crate::memory::TranscriptLine;
use crate::models::{Block, Model, Tier};
use crate::text::{short_line, tokens};
use crate::workflow::{EventStatus, IMPLEMENT, PhaseError, Run, attempt_cost, task_agent};
use crate::workspace::Staging;

/// What the first attempt came to.
pub(super) type Submitted = Result<TaskResult, AgentError>;

/// A second attempt that is due.
pub(super) struct Escalation {
    pub(super) tier: Tier,
    pub(super) model: Arc<dyn Model>,
    /// What its agent is told of the first attempt.
    pub(super) note: String,
    first: Submitted,
    /// The edits that the first attempt left.
    edits: Staging,
}

/// Whether the next tier is to do a task once more, after this came of the first attempt, which is handed back where it is not.
///
/// # Errors
/// When a check cannot be tried on the files as they were.
pub(super) async fn escalation(
    run: &Arc<Run>,
    assignment: &Assignment,
    first: Submitted,
    staging: &SharedStaging,
) -> Result<Result<Escalation, Submitted>, PhaseError> {
    let Some(why) = reason(run, assignment, &first).await? else { return Ok(Err(first)) };
    let Some(tier) = assignment.tier.next() else { return Ok(Err(first)) };
    let Ok(model) = run.model(tier) else { return Ok(Err(first)) };
    let task = assignment.task.id.as_str();
    let say = |message: String| run.emit_for_task(IMPLEMENT, EventStatus::Progress, Some(task), message);
    if model.id() == assignment.model.id() {
        say(format!("no second attempt: {why}, and the {} tier has the same model", tier.as_str()));
        return Ok(Err(first));
    }
    let edits = staging.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let note = note(&first, &edits, assignment.model.id());
    // One that has begun goes on with what is left.
    if let Err(rest) = has_budget(run, assignment, model.id())
        && !has_begun(run, task, &model.masked(&note))
    {
        say(format!("no second attempt by the {} tier: {why}, and {rest}", tier.as_str()));
        return Ok(Err(first));
    }
    say(format!("second attempt by the {} tier ({}): {why}", tier.as_str(), model.id()));
    Ok(Ok(Escalation { tier, model, note, first, edits }))
}

impl Escalation {
    /// What counts of the two attempts, and both of them. Where the second failed, the edits of a first one that did part of the
    /// work are back in place.
    pub(super) fn settle(
        self,
        run: &Run,
        assignment: &Assignment,
        second: Submitted,
        staging: &SharedStaging,
    ) -> (Submitted, Vec<Attempt>) {
        let task = assignment.task.id.as_str();
        let attempts = vec![
            Attempt::new(assignment.tier.as_str(), assignment.model.id(), status_of(&self.first)),
            Attempt::new(self.tier.as_str(), self.model.id(), status_of(&second)),
        ];
        let has_failed = second.as_ref().map_or(true, |result| result.status.has_failed());
        let is_partial = self.first.as_ref().is_ok_and(|result| result.status == TaskStatus::Partial);
        let counts = match (self.first, second) {
            // Nothing more is to be done or written then; the second attempt can be resumed.
            (
                _,
                Err(
                    error @ (AgentError::Cancelled
                    | AgentError::Journal(_)
                    | AgentError::Memory(_)
                    | AgentError::Budget(_)),
                ),
            ) => Err(error),
            (Ok(first), second) if is_partial && has_failed => {
                let why = second.map_or_else(|error| error.to_string(), |result| result.notes);
                let message = format!("second attempt failed, and the first counts: {}", short_line(&why, 200));
                run.emit_for_task(IMPLEMENT, EventStatus::Progress, Some(task), message);
                *staging.lock().unwrap_or_else(PoisonError::into_inner) = self.edits;
                Ok(first)
            }
            (_, Ok(second)) => Ok(second),
            (Ok(first), Err(error)) => {
                let why = error.to_string();
                let why = why.trim_end_matches('.');
                let notes =
                    with_note(&first.notes, &format!("The second attempt, by {}, failed: {why}.", self.model.id()));
                Ok(TaskResult { notes, ..first })
            }
            // That a model cannot be asked, or has too small a window, is told as such.
            (Err(_), Err(error @ (AgentError::Model(_) | AgentError::Window { .. }))) => Err(error),
            (Err(_), Err(error)) => Ok(TaskResult {
                task_id: task.to_owned(),
                changes: Vec::new(),
                notes: String::new(),
                blockers: vec![error.to_string()],
                status: TaskStatus::Failed,
                attempts: Vec::new(),
            }),
        };
        (counts, attempts)
    }
}

/// Why the first attempt is not enough; `None` where it is, or where no other model would help.
async fn reason(run: &Run, assignment: &Assignment, first: &Submitted) -> Result<Option<String>, PhaseError> {
    let result = match first {
        Ok(result) => result,
        // What it handed on was wrong each time.
        Err(AgentError::Contract { .. }) => return Ok(Some("what it handed on was never valid".to_owned())),
        Err(_) => return Ok(None),
    };
    match result.status {
        TaskStatus::Failed => Ok(Some("failed".to_owned())),
        TaskStatus::Partial => {
            let Some(tries) = &assignment.tries else { return Ok(None) };
            let last = assignment.last_tries.lock().unwrap_or_else(PoisonError::into_inner).clone();
            for (name, _) in last.iter().filter(|(_, has_failed)| **has_failed) {
                let Some(check) = tries.checks.iter().find(|check| check.name == *name) else { continue };
                if tries.passes_at_base(run, check).await? {
                    return Ok(Some(format!("partly done, and check {name} fails that passed before")));
                }
            }
            Ok(None)
        }
        TaskStatus::Completed | TaskStatus::Blocked => Ok(None),
    }
}

/// Whether an earlier run left a conversation about the task open that began with this note.
fn has_begun(run: &Run, task: &str, note: &str) -> bool {
    let begins_so = |line: &TranscriptLine| {
        let TranscriptLine::Turn { messages, .. } = line else { return false };
        let first = messages.first().map(|message| message.content.as_slice()).unwrap_or_default();
        first.iter().filter_map(Block::as_text).any(|text| text.contains(note))
    };
    run.context.transcript.left_open(&task_agent(task)).iter().any(begins_so)
}

/// Whether the budget's rest holds another attempt.
///
/// # Errors
/// What it would need, in words.
fn has_budget(run: &Run, assignment: &Assignment, model: &str) -> Result<(), String> {
    let shared: usize = assignment.system.iter().map(String::len).sum();
    let catalog = run.models.as_ref().map(|models| Arc::clone(&models.catalog)).unwrap_or_default();
    let cost = attempt_cost(&catalog, &run.workspace, model, &assignment.task, shared as u64);
    if run.context.budget.holds(cost.usd, cost.tokens) {
        return Ok(());
    }
    let about = cost.usd.map_or_else(|| format!("{} tokens", tokens(cost.tokens)), |usd| format!("${usd:.2}"));
    Err(format!("it may take about {about}, and the budget has less left"))
}

fn status_of(submitted: &Submitted) -> TaskStatus {
    submitted.as_ref().map_or(TaskStatus::Failed, |result| result.status)
}

/// What the second agent is told of the first.
fn note(first: &Submitted, edits: &Staging, model: &str) -> String {
    let changed: Vec<String> = edits.changes().iter().map(|change| change.path.to_string()).collect();
    let stands = match changed.as_slice() {
        [] => "It changed no file.".to_owned(),
        changed => format!("Its edits of {} are in place: your tools show these files so.", listed(changed)),
    };
    let (handed_on, notes) = match first {
        Ok(result) => {
            let blockers = result.blockers.iter().map(String::as_str);
            let notes: Vec<&str> =
                [result.notes.as_str()].into_iter().chain(blockers).filter(|note| !note.trim().is_empty()).collect();
            (format!("handed it on as {}", result.status.as_str()), notes.join("\n"))
        }
        Err(error) => ("handed nothing on that was valid".to_owned(), error.to_string()),
    };
    let said = match notes.is_empty() {
        true => String::new(),
        false => format!("\nWhat it said, which may be wrong:\n{}", section("notes_of_the_first", &notes)),
    };
    format!(
        "Another model ({model}) did this task before you and {handed_on}. {stands} Nothing of it is published yet. Look at what \
         stands, keep what is right, mend or replace the rest, and hand on the whole task.{said}"
    )
}
