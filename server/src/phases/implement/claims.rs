//! What an implementer says that it did, held against what it did.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::brief;
use crate::agents::SubmitTry;
use crate::contracts::{FileKeys, Task, TaskResult, TaskStatus};
use crate::workflow::{Changes, PhaseError, Run, changed_elsewhere};
use crate::workspace::{Staging, Workspace};

/// The edits of a task, which its tools make and others look at.
pub(super) type SharedStaging = Arc<Mutex<Staging>>;

/// What the submissions of one conversation are held against.
pub(super) struct Claims {
    task: Task,
    workspace: Workspace,
    staging: SharedStaging,
    /// Files of the task that earlier rounds of the workflow changed, or others before them.
    earlier: Vec<String>,
    /// Whether a completed task without a change was sent back.
    was_empty: AtomicBool,
}

impl Claims {
    /// The claims about a task whose edits are in `staging`.
    ///
    /// # Errors
    /// When it cannot be read what the task changed in earlier rounds.
    pub(super) fn new(run: &Run, task: &Task, staging: SharedStaging) -> Result<Self, PhaseError> {
        let changes = Changes::of_task(&run.store, &run.workspace, &task.id)?;
        let mut changed: Vec<String> = changes.files().map(|file| file.path.to_string()).collect();
        changed.extend(changed_elsewhere(&run.store, &task.id)?);
        let keys = run.workspace.file_keys_of(changed.iter().map(String::as_str).chain(task.files()));
        // A task of this id in an earlier plan may have written other files.
        let earlier = changed.into_iter().filter(|file| task.lists(file, &keys)).collect();
        let workspace = run.workspace.clone();
        Ok(Self { task: task.clone(), workspace, staging, earlier, was_empty: AtomicBool::new(false) })
    }

    /// Take a submission. A change that is claimed and not made is sent back at every try, and once also a completed task
    /// that changed none of its files; the next time that one is blocked.
    ///
    /// # Errors
    /// What is wrong with it, for the model.
    pub(super) fn accept(&self, input: Value, submit_try: SubmitTry) -> Result<TaskResult, Vec<String>> {
        let mut result = brief::accept(input, &self.task.id)?;
        let staged = self.staged();
        let names = result.changes.iter().map(|change| change.path.as_str());
        let keys = self.workspace.file_keys_of(names.chain(staged.iter().chain(&self.earlier).map(String::as_str)));
        let false_claims = self.false_claims(&result, &staged, &keys);
        let is_recorded = submit_try.ends_recording();
        if !false_claims.is_empty() && !is_recorded {
            return Err(false_claims.into_iter().map(|(index, path)| not_made(index, &path, &staged)).collect());
        }
        for (_, path) in false_claims {
            result.notes = with_note(&result.notes, &format!("It said that it changed {path}, and did not."));
        }
        let is_empty = result.status == TaskStatus::Completed && staged.is_empty() && self.earlier.is_empty();
        if !is_empty || self.task.files().next().is_none() {
            return Ok(result);
        }
        let files = listed(&self.task.files().collect::<Vec<_>>());
        if is_recorded {
            result.status = TaskStatus::Partial;
            result.notes =
                with_note(&result.notes, &format!("It was handed on as completed without a change of {files}."));
        } else if self.was_empty.swap(true, Ordering::Relaxed) || submit_try.is_last {
            result.status = TaskStatus::Blocked;
            result
                .blockers
                .insert(0, format!("it was handed on as completed, but none of its files was changed ({files})"));
        } else {
            return Err(vec![format!(
                "/status: \"completed\", but none of the task's files is changed ({files}). Do the task; if it cannot be \
                 done, or needs no change, hand it on as \"blocked\" and say in blockers what you found"
            )]);
        }
        Ok(result)
    }

    /// The files that differ from what they were before the task.
    fn staged(&self) -> Vec<String> {
        let staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        staging.changes().into_iter().map(|change| change.path.to_string()).collect()
    }

    /// The claims of a change that was made neither now nor in an earlier round, with their numbers.
    fn false_claims(&self, result: &TaskResult, staged: &[String], keys: &FileKeys) -> Vec<(usize, String)> {
        let is_made = |path: &str| staged.iter().chain(&self.earlier).any(|changed| keys.is_same(changed, path));
        let claims = result.changes.iter().enumerate().map(|(index, change)| (index, change.path.clone()));
        claims.filter(|(_, path)| !is_made(path)).collect()
    }
}

fn not_made(index: usize, path: &str, staged: &[String]) -> String {
    let really = match staged {
        [] => "you have changed no file".to_owned(),
        staged => format!("you have changed {}", listed(staged)),
    };
    format!(
        "/changes/{index}/path: {path} is as it was before you began; {really}. Make the change, or leave it out and say \
         in notes what is missing"
    )
}

/// The first names of many.
pub(super) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 10;
    let mut shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let more = format!("and {} more", names.len().saturating_sub(SHOWN));
    if names.len() > SHOWN {
        shown.push(&more);
    }
    shown.join(", ")
}

/// Notes of an agent, and what the server adds to them.
pub(super) fn with_note(notes: &str, added: &str) -> String {
    let notes = notes.trim();
    let stop = if notes.ends_with(char::is_alphanumeric) { "." } else { "" };
    match (notes, added) {
        (notes, "") => notes.to_owned(),
        ("", added) => added.to_owned(),
        (notes, added) => format!("{notes}{stop} {added}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_added_as_a_sentence_of_its_own() {
        for (notes, added, all) in [
            ("could not ", "It failed.", "could not. It failed."),
            ("Could not.", "It failed.", "Could not. It failed."),
            ("", "It failed.", "It failed."),
            ("could not", "", "could not"),
        ] {
            assert_eq!(with_note(notes, added), all);
        }
    }
}
