//! Undoing what agents did to the files, from the before-images in the publish journals, and undoing that again.

use jiff::Timestamp;

use super::hunk_scope::{kept_of, of_hunks};
use super::reversal::Plan;
use super::rollback_scope::{Scope, of_rollback, of_undo};
use super::rolled_back::{RollbackNote, RollbackReport, RollbackRequest};
use super::target::Target;
use crate::memory::{PUBLISH, RunDir, Store};
use crate::text::count;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{Bus, EventError, EventErrorKind, EventPhase, EventStatus, NewEvent};
use crate::workspace::{self, PublishError, Workspace};

/// Attempts where a file changes between the look and the write.
const TRIES: usize = 3;

/// Undo what the workflow at hand or an earlier one, one task, or the last rollback did. Blocks.
///
/// # Errors
/// When a run is at work, there is no such workflow, task, file or rollback, or files cannot be written. The files are then as
/// they were.
pub fn rollback(store: &Store, workspace: &Workspace, request: &RollbackRequest) -> Result<RollbackReport, StartError> {
    let (_lock, id) = store.lock(Timestamp::now())?;
    let target = Target::of(store, request)?;
    let journal = target.journal(store, workspace, request.dry_run)?;
    let absent = target.unverified(store);
    let scope = if !request.hunks.is_empty() {
        of_hunks(store, workspace, journal, &target.kept(store)?, request)
    } else if request.undo {
        of_undo(journal)
    } else {
        let kept = kept_of(store, workspace, &journal, &target.kept(store)?)?;
        of_rollback(workspace, journal, request).map(|scope| Scope { kept, ..scope })
    };
    let scope = scope.map_err(|error| match error {
        StartError::Usage(why) => StartError::Usage([&[why], &absent[..]].concat().join(".\n")),
        other => other,
    })?;
    let absent = absent.into_iter();
    let mut plan = Plan::make(store, workspace, &scope);
    if request.dry_run || plan.is_nothing() {
        let unfinished = plan.unfinished().filter(|_| !request.dry_run);
        return Ok(plan.report(None, unfinished.into_iter().chain(absent.map(RollbackNote::Other))));
    }
    let RunDir { dir, events, .. } = target.begin_run(store, &id)?;
    let bus = Bus::new(id.to_string(), store.workflow_of(&id)?.to_string(), events);
    emit(&bus, EventStatus::Started, "Rolling back".to_owned(), false);
    let sign = |content: &[u8]| store.seal().sign(PUBLISH, content);
    let mut tries = 1;
    loop {
        // Noted before: a hunk is never without it.
        for (path, hunks) in plan.kept_anew(&scope) {
            store.keep_hunks(&id, &path, &hunks)?;
        }
        let done = workspace::publish_reversal(workspace, &dir, plan.reversal.clone(), &plan.changes, &sign);
        match done {
            Ok(_) => break,
            Err(PublishError::Conflict { .. } | PublishError::Unsaved { .. }) if tries < TRIES => {
                tries += 1;
                plan = Plan::make(store, workspace, &scope);
            }
            Err(error) => {
                emit(&bus, EventStatus::Failed, error.to_string(), true);
                return Err(error.into());
            }
        }
    }
    remove_folders(workspace, &scope, &plan);
    let settled = target.settle(store, workspace, request.undo)?;
    let notes = plan.unfinished().into_iter().chain(settled).chain(absent.map(RollbackNote::Other));
    let report = plan.report(Some(id.to_string()), notes);
    emit(&bus, EventStatus::Done, summary(&report, request), false);
    Ok(report)
}

/// Folders that the workflow made go with the last file in them.
fn remove_folders(workspace: &Workspace, scope: &Scope, plan: &Plan) {
    for change in plan.changes.iter().filter(|change| change.after.is_none()) {
        let mut folder = change.path.parent();
        while let Some(path) = folder {
            if !scope.made_folders.contains(&path) || !workspace::remove_empty_folder(workspace, &path) {
                break;
            }
            folder = path.parent();
        }
    }
}

fn emit(bus: &Bus, status: EventStatus, message: String, failed: bool) {
    let error = failed.then(|| EventError::new(EventErrorKind::Workspace, message.clone()));
    bus.emit(NewEvent { error, ..NewEvent::new(EventPhase::Workflow, status, message) });
}

fn summary(report: &RollbackReport, request: &RollbackRequest) -> String {
    let left = report.left_alone().count();
    let done = report.files.len() - left;
    let what = if request.undo { "The rollback was undone" } else { "Rolled back" };
    let rest = if left > 0 { format!("; {} left alone", count(left, "file")) } else { String::new() };
    format!("{what}: {}{rest}", count(done, "file"))
}
