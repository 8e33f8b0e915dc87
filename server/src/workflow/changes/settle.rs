//! What finished rollbacks mean for the memory folder.

use std::collections::BTreeSet;

use super::files::real_changes;
use super::publishes::{Publish, journal};
use crate::contracts::{ImplReport, RepoPath};
use crate::memory::{LoadedPlan, RunId, Store};
use crate::workflow::run::error::StartError;
use crate::workspace::{Reversal, ReversalKind, Workspace};

/// Bring the memory folder in line with finished rollbacks, also with those after which a kill came. Answers with notes for
/// the user.
pub(crate) fn settle_rollbacks(store: &Store, workspace: &Workspace) -> Result<Vec<String>, StartError> {
    let mut notes = Vec::new();
    for Publish { run, record, .. } in journal(store)? {
        let Some(reversal) = &record.reversal else { continue };
        if !store.is_settled(&run)? {
            notes = settle_one(store, workspace, &run, reversal)?;
            store.settle(&run)?;
        }
    }
    Ok(notes)
}

fn settle_one(
    store: &Store,
    workspace: &Workspace,
    run: &RunId,
    reversal: &Reversal,
) -> Result<Vec<String>, StartError> {
    const GATE: &str = "The plan waits for an answer again: `baton run` asks for it, `baton reset` starts over.";
    const UNDO: &str = "`baton rollback --undo` takes this back.";
    let (memory, _) = store.inspect()?;
    let mut notes: Vec<String> = Vec::new();
    match reversal.kind {
        ReversalKind::Rollback => {
            let whole = reversal.task.is_none() && reversal.file.is_none();
            let rest = memory.report.clone().filter(|_| !whole).map(|report| rest(store, workspace, reversal, report));
            let judged_still = reversal.file.is_some();
            store.set_aside_for_rollback(run, rest.as_ref(), judged_still)?;
            if let (Some(task), false) = (&reversal.task, judged_still) {
                notes.extend(built_on(task, memory.plan.as_ref()));
            }
            if !judged_still {
                notes.push(GATE.to_owned());
            }
            notes.push(UNDO.to_owned());
        }
        ReversalKind::Undo => {
            let undone: BTreeSet<&str> = reversal.of.iter().map(|publish| publish.run.as_str()).collect();
            for rollback in undone.into_iter().filter_map(RunId::parse) {
                if !store.restore_rolled_back(&rollback)? {
                    notes.push("The plan has changed since, so its report and review stay in history.".to_owned());
                }
            }
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

/// The report as it still holds: without the task that was rolled back, and with the changes that are left.
fn rest(store: &Store, workspace: &Workspace, reversal: &Reversal, mut report: ImplReport) -> ImplReport {
    if reversal.file.is_none() {
        report.results.retain(|result| Some(&result.task_id) != reversal.task.as_ref());
    }
    let reported = report.results.iter().flat_map(|result| &result.changes).map(|change| change.path.as_str());
    let taken_back = || reversal.of.iter().flat_map(|publish| &publish.paths);
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
