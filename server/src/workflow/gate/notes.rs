//! The user's notes in plan.md as an answer to the plan: they go to the planner with the feedback, whoever gives it.

use crate::contracts::{MAX_PLAN_NOTES_BYTES, PlanNote, notes_as_feedback};
use crate::memory::{Memory, Store};
use crate::text::count;
use crate::workflow::run::error::StartError;

/// Where a revision was asked for without words and without notes.
pub const NO_NOTES: &str = "there are no notes to send; write some into plan.md, each in lines that begin with \">\"";

/// The feedback with all notes, each quoted with what it is about.
///
/// # Errors
/// When there is neither a word nor a note, or the notes are too long.
pub(crate) fn with_notes(memory: &Memory, feedback: &str) -> Result<String, StartError> {
    let (feedback, notes) = (feedback.trim(), &memory.notes);
    if notes.is_empty() && feedback.is_empty() {
        return Err(StartError::Usage(NO_NOTES.to_owned()));
    }
    if notes.is_empty() {
        return Ok(feedback.to_owned());
    }
    let bytes: usize = notes.iter().map(|note| note.text.len()).sum();
    if bytes > MAX_PLAN_NOTES_BYTES {
        return Err(StartError::Usage(format!(
            "the notes in plan.md have {} KB and {} at most are sent; shorten them",
            bytes.div_ceil(1024),
            MAX_PLAN_NOTES_BYTES / 1024
        )));
    }
    let plan = memory.plan.as_ref().map(|loaded| &loaded.plan);
    let notes = notes_as_feedback(notes, plan);
    Ok(if feedback.is_empty() { notes } else { format!("{feedback}\n\n{notes}") })
}

/// Set the plan aside for one that answers to the feedback and all notes. Answers how many notes go along.
///
/// # Errors
/// As [`with_notes`], and when the plan cannot be moved.
pub(crate) fn revise(store: &Store, memory: &Memory, feedback: &str) -> Result<usize, StartError> {
    store.revise_plan(&with_notes(memory, feedback)?)?;
    Ok(memory.notes.len())
}

/// How many notes an approval left, for people; `None` without any.
pub fn left_notes(notes: &[PlanNote]) -> Option<String> {
    let were = if notes.len() == 1 { "was" } else { "were" };
    (!notes.is_empty()).then(|| format!("{} in plan.md {were} not sent to the planner", count(notes.len(), "note")))
}
