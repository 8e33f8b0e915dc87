//! What finished rollbacks mean for the memory folder.

use std::collections::BTreeSet;

use super::files::real_changes;
use super::publishes::{Publish, in_effect, journal};
use super::rolled_back::RollbackNote;
use crate::contracts::{ImplReport, RepoPath};
use crate::memory::{LoadedPlan, RunId, Store};
use crate::workflow::run::error::StartError;
use crate::workspace::{Reversal, ReversalKind, Workspace};

/// Bring the memory folder in line with finished rollbacks, also with those after which a kill came. Answers with notes for
/// the user.
pub(crate) fn settle_rollbacks(store: &Store, workspace: &Workspace) -> Result<Vec<RollbackNote>, StartError> {
    let mut notes = Vec::new();
    let journal = journal(store)?;
    for Publish { run, record, .. } in &journal {
        let Some(reversal) = &record.reversal else { continue };
        if !store.is_settled(run)? {
            notes = match reversal.kind {
                ReversalKind::Rollback => settle_rollback(store, workspace, run, reversal, &journal)?,
                ReversalKind::Undo => settle_undo(store, reversal)?,
            };
            store.settle(run)?;
        }
    }
    Ok(notes)
}

/// A rollback of everything that had to leave files alone is not whole: what was judged stands until the rest is undone too,
/// so that it is never taken for a workflow that changed nothing. What was not judged yet waits at its gate, and tasks that
/// lost files are done again.
fn settle_rollback(
    store: &Store,
    workspace: &Workspace,
    run: &RunId,
    reversal: &Reversal,
    journal: &[Publish],
) -> Result<Vec<RollbackNote>, StartError> {
    let (memory, _) = store.inspect()?;
    let is_single = reversal.file.is_some() || reversal.by_hunk;
    let of_all = reversal.task.is_none() && !is_single;
    let is_part = of_all && !in_effect(journal.to_vec()).is_empty();
    let judged_still = is_single || (is_part && memory.review.is_some());
    let redone = match (&reversal.task, judged_still) {
        (_, true) => BTreeSet::new(),
        (Some(task), false) => BTreeSet::from([task.as_str()]),
        (None, false) => reversal.of.iter().map(|publish| publish.task.as_str()).collect(),
    };
    let rest = memory.report.clone().filter(|_| !of_all || is_part);
    let rest = rest.map(|report| rest_of(store, workspace, reversal, &redone, report));
    // A rejection stands until the plan is revised or set aside.
    store.set_aside_for_rollback(run, rest.as_ref(), judged_still, memory.is_rejected())?;
    let mut notes: Vec<RollbackNote> = Vec::new();
    if let (Some(task), false) = (&reversal.task, judged_still) {
        notes.extend(built_on(task, memory.plan.as_ref()).map(RollbackNote::Other));
    }
    if !judged_still && !memory.is_rejected() {
        notes.push(RollbackNote::GateAgain);
    }
    notes.push(RollbackNote::CanBeUndone);
    Ok(notes)
}

fn settle_undo(store: &Store, reversal: &Reversal) -> Result<Vec<RollbackNote>, StartError> {
    const PLAN_CHANGED: &str = "The plan has changed since, so its report and review stay in history.";
    let mut notes = Vec::new();
    let undone: BTreeSet<&str> = reversal.of.iter().map(|publish| publish.run.as_str()).collect();
    for rollback in undone.into_iter().filter_map(RunId::parse) {
        if !store.restore_rolled_back(&rollback)? {
            notes.push(RollbackNote::Other(PLAN_CHANGED.to_owned()));
        }
    }
    Ok(notes)
}

fn built_on(task: &str, plan: Option<&LoadedPlan>) -> Option<String> {
    let tasks = plan.iter().flat_map(|plan| &plan.plan.tasks);
    let dependents: Vec<&str> =
        tasks.filter(|other| other.depends_on.iter().any(|id| id == task)).map(|task| task.id.as_str()).collect();
    let (verb, stays) =
        if dependents.len() == 1 { ("builds", "stays as it is") } else { ("build", "stay as they are") };
    (!dependents.is_empty()).then(|| format!("{} {verb} on {task} and {stays}.", dependents.join(", ")))
}

/// The report as it still holds: without the tasks that are to be done again, and with the changes that are left.
fn rest_of(
    store: &Store,
    workspace: &Workspace,
    reversal: &Reversal,
    redone: &BTreeSet<&str>,
    mut report: ImplReport,
) -> ImplReport {
    report.results.retain(|result| !redone.contains(result.task_id.as_str()));
    let reported = report.results.iter().flat_map(|result| &result.changes).map(|change| change.path.as_str());
    let in_part = || reversal.hunks.iter().map(|hunk| &hunk.path);
    let taken_back = || reversal.of.iter().flat_map(|publish| &publish.paths).chain(in_part());
    let keys = workspace.file_keys_of(reported.chain(taken_back().map(RepoPath::as_str)));
    let gone: BTreeSet<String> = taken_back().map(|path| keys.key(path)).collect();
    let affected = |path: &str| keys.key_of(path).is_some_and(|key| gone.contains(&key));
    for result in &mut report.results {
        if !result.changes.iter().any(|change| affected(&change.path)) {
            continue;
        }
        match real_changes(store, workspace, &result.task_id, &result.changes) {
            Ok(changes) => {
                let now = changes.into_iter().filter(|change| affected(&change.path));
                result.changes.retain(|change| !affected(&change.path));
                result.changes.extend(now);
                result.changes.sort_by(|a, b| a.path.cmp(&b.path));
            }
            // The rollback is done; only the counts in the report are outdated.
            Err(error) => tracing::warn!(%error, task = result.task_id, "its changes cannot be counted"),
        }
    }
    report
}
