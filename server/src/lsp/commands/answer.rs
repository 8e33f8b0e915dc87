//! Answers to the gate by command; the run that waits, in this process or another, continues.

use std::sync::Arc;

use serde_json::{Value, json};

use super::start;
use super::table::{ApproveArguments, DiscardArguments, NoteArgument, NotesArguments, PlanArguments};
use crate::contracts::Decision;
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::files::unsaved_plan::{unsaved_notes, unsaved_plan};
use crate::lsp::folder::Folder;
use crate::lsp::run::runs;
use crate::lsp::run::start::Start;
use crate::memory::Store;
use crate::workflow::{self, Answer, Answered, CheckAnswer, ChecksAnswered, NO_NOTES, StartError};

/// Approve the plan, or some tasks of it; where no run waits, one is started.
pub(super) async fn approve(folder: &Arc<Folder>, arguments: ApproveArguments) -> Result<Value, Refused> {
    let ApproveArguments { tasks, plan_sha256, trust_checks, remember_checks } = arguments;
    let checks = CheckAnswer { trust: trust_checks.unwrap_or_default(), remember: remember_checks };
    let answered = answer(folder, Answer { decision: Decision::Approved, tasks, plan_sha256, checks }).await?;
    let run = if answered.is_locked { None } else { Some(runs::start(folder, Start::default()).await?) };
    let ChecksAnswered { trusted, remembered } = answered.checks;
    Ok(json!({
        "unsent_notes": answered.notes.len(), "run": run, "plan_version": answered.plan_version, "tasks": answered.tasks,
        "trusted_checks": trusted, "remembered_checks": remembered,
    }))
}

/// Reject the plan.
pub(super) async fn reject(folder: &Arc<Folder>) -> Result<Value, Refused> {
    let answered = answer(folder, Answer::of(Decision::Rejected)).await?;
    Ok(json!({ "plan_version": answered.plan_version }))
}

/// Plan again: the answer "revise" to a gate that waits, else the plan phase again.
pub(super) async fn plan(folder: &Arc<Folder>, arguments: PlanArguments) -> Result<Value, Refused> {
    let Some(feedback) = arguments.feedback else { return start::plan(folder, None).await };
    if feedback.trim().is_empty() {
        return Err(Refused::EmptyFeedback);
    }
    revise(folder, feedback).await
}

/// Plan again with the notes in plan.md.
pub(super) async fn send_notes(folder: &Arc<Folder>, arguments: NotesArguments) -> Result<Value, Refused> {
    let added = arguments.notes.unwrap_or_default();
    let of = folder.clone();
    let is_empty = added.is_empty();
    folder
        .with_files(move |files| {
            let store = files.memory()?.ok_or(Refused::NoPlan)?;
            check_saved(&of, files, &store)?;
            match store.inspect()?.0.notes.is_empty() && is_empty {
                true => Err(Refused::Usage(NO_NOTES.to_owned())),
                false => Ok(()),
            }
        })
        .await?;
    revise(folder, as_feedback(&added)).await
}

/// Take notes out of plan.md.
pub(super) async fn discard_notes(folder: &Arc<Folder>, arguments: DiscardArguments) -> Result<Value, Refused> {
    let of = folder.clone();
    let discarded = folder.with_files(move |files| {
        let store = files.memory()?.ok_or(Refused::NoPlan)?;
        check_saved(&of, files, &store)?;
        Ok(store.discard_plan_notes(arguments.lines.as_deref())?)
    });
    Ok(json!({ "discarded": discarded.await? }))
}

/// Notes are sent as they are on the disk, so what a person sees must be that.
fn check_saved(folder: &Folder, files: &Files, store: &Store) -> Result<(), Refused> {
    match unsaved_notes(&folder.documents, folder.path(), files, store) {
        Some(path) => Err(Refused::UnsavedNotes(path)),
        None => Ok(()),
    }
}

/// Notes that a client's own interface took, in the words that those in plan.md are sent in.
fn as_feedback(notes: &[NoteArgument]) -> String {
    let quoted = |note: &NoteArgument| match &note.task {
        Some(task) => format!("On {task}: {}", note.text.trim()),
        None => note.text.trim().to_owned(),
    };
    notes.iter().map(quoted).collect::<Vec<_>>().join("\n\n")
}

async fn revise(folder: &Arc<Folder>, feedback: String) -> Result<Value, Refused> {
    let revision = feedback.clone();
    let waiting = folder.with_files(move |files| {
        let (store, run) = gate(files)?;
        let Some(run) = run else { return Ok(None) };
        Ok(workflow::revise_waiting_plan(&store, &revision)?.map(|notes| (run, notes)))
    });
    match waiting.await? {
        Some((run, notes)) => Ok(json!({ "run": run, "notes": notes })),
        None => start::plan(folder, Some(feedback)).await,
    }
}

async fn answer(folder: &Arc<Folder>, answer: Answer) -> Result<Answered, Refused> {
    let of = folder.clone();
    let answered = folder.with_files(move |files| {
        let (store, _) = gate(files)?;
        let unsaved = unsaved_plan(&of.documents, of.path(), files, &store);
        if let (Decision::Approved, Some(path)) = (answer.decision, unsaved) {
            return Err(Refused::UnsavedPlan(path));
        }
        of.with_gate(files, |sources| {
            workflow::answer_plan(sources, answer).map_err(|error| match error {
                StartError::StalePlan { file } => Refused::StalePlan(of.path().join(file)),
                error => error.into(),
            })
        })
    });
    answered.await?.ok_or(Refused::NoPlan)
}

/// The memory with a plan to answer, and the run that waits for the answer, if one does.
fn gate(files: &Files) -> Result<(Store, Option<String>), Refused> {
    let store = files.memory()?.ok_or(Refused::NoPlan)?;
    let memory = store.load_for_repair()?;
    let run = store.workflow_holder().map(|holder| holder.run);
    match (&run, memory.has_plan(), memory.approval.is_some()) {
        (None, false, _) => Err(Refused::NoPlan),
        (Some(run), false, _) => Err(Refused::NoPlanYet(run.clone())),
        (Some(run), true, true) => Err(Refused::Answered(run.clone())),
        _ => Ok((store, run)),
    }
}
