//! Which publishes and files a rollback is about.

use std::collections::{BTreeMap, BTreeSet};

use super::publishes::{Publish, in_effect, paths_in_effect};
use super::rolled_back::RollbackRequest;
use crate::contracts::RepoPath;
use crate::text;
use crate::workflow::run::error::StartError;
use crate::workspace::{Edit, ReversalKind, Workspace};

/// What is to be taken back, with all that is needed to judge it.
pub(super) struct Scope {
    pub(super) kind: ReversalKind,
    pub(super) task: Option<String>,
    pub(super) file: Option<RepoPath>,
    /// The files.
    pub(super) paths: Vec<RepoPath>,
    /// The publishes that have not been rolled back, oldest first; those marked `true` are to be.
    pub(super) publishes: Vec<(bool, Publish)>,
    /// Where hunks are named: those of each file. Only they are taken back then.
    pub(super) hunks: BTreeMap<RepoPath, NamedHunks>,
    /// What the user keeps of each file.
    pub(super) kept: BTreeMap<RepoPath, KeptHunks>,
    /// Folders that publishes of the workflow made.
    pub(super) made_folders: BTreeSet<RepoPath>,
}

/// Hunks of one file that are to be undone.
pub(super) struct NamedHunks {
    /// Their ids.
    pub(super) ids: Vec<String>,
    /// The edit that made them, as the file stands.
    pub(super) edit: Edit,
    /// Whether nothing of what the workflow changed in the file is left then.
    pub(super) is_all: bool,
}

/// What the user keeps of a file.
pub(super) struct KeptHunks {
    /// The content before the workflow; `None` when it did not exist.
    pub(super) before: Option<Vec<u8>>,
    /// The ids of the hunks.
    pub(super) ids: BTreeSet<String>,
}

pub(super) fn of_rollback(
    workspace: &Workspace,
    journal: Vec<Publish>,
    request: &RollbackRequest,
) -> Result<Scope, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    let made_folders = made_folders(&journal);
    let is_undone = journal.iter().any(|publish| publish.record.reversal.is_some());
    let standing = in_effect(journal);
    let RollbackRequest { task, file, .. } = request;
    if standing.is_empty() && is_undone && request.workflow.is_some() {
        return usage("everything that workflow wrote is undone already; it can be brought back".to_owned());
    }
    if standing.is_empty() && is_undone {
        return usage("everything is undone already; `baton rollback --undo` brings it back".to_owned());
    }
    if standing.is_empty() {
        return usage("there is nothing to undo: no file is as an agent of this workflow left it".to_owned());
    }
    let tasks: BTreeSet<&str> = standing.iter().map(|publish| publish.record.task.as_str()).collect();
    if let Some(task) = task
        && !tasks.contains(task.as_str())
    {
        let known: Vec<&str> = tasks.into_iter().collect();
        return usage(format!("there is nothing of {task} to undo; files were written by {}", known.join(", ")));
    }
    let publishes: Vec<(bool, Publish)> = standing
        .into_iter()
        .map(|publish| (task.as_ref().is_none_or(|task| *task == publish.record.task), publish))
        .collect();
    let chosen = || publishes.iter().filter(|(chosen, _)| *chosen).flat_map(|(_, publish)| publish.record.paths());
    // Where case is folded, a file that was moved to its own name in another case is taken back as a whole.
    let keys = workspace.file_keys(chosen().chain(file));
    let asked = |path: &&RepoPath| file.as_ref().is_none_or(|file| keys.key(file) == keys.key(path));
    let mut paths: Vec<RepoPath> = chosen().filter(asked).cloned().collect();
    if let (Some(file), true) = (file, paths.is_empty()) {
        let who = task.as_deref().unwrap_or("any agent of this workflow");
        let changed: BTreeSet<&str> = chosen().map(RepoPath::as_str).collect();
        let changed: Vec<&str> = changed.into_iter().collect();
        return usage(format!("{file} was not changed by {who}; changed: {}", text::cut(&changed.join(", "), 500)));
    }
    paths.sort();
    paths.dedup();
    let (task, file) = (task.clone(), file.clone());
    Ok(Scope {
        kind: ReversalKind::Rollback,
        task,
        file,
        paths,
        publishes,
        hunks: BTreeMap::new(),
        kept: BTreeMap::new(),
        made_folders,
    })
}

/// The last rollback, as long as no agent has written since.
pub(super) fn of_undo(journal: Vec<Publish>) -> Result<Scope, StartError> {
    let made_folders = made_folders(&journal);
    for publish in journal.iter().rev() {
        let Some(reversal) = &publish.record.reversal else {
            return Err(StartError::Usage(
                "there is nothing to bring back: nothing was undone, it was brought back already, or agents have written since".to_owned(),
            ));
        };
        let mut paths = paths_in_effect(&journal, publish);
        if reversal.kind == ReversalKind::Rollback && !paths.is_empty() {
            paths.sort();
            let (task, file) = (reversal.task.clone(), reversal.file.clone());
            let publishes = vec![(true, publish.clone())];
            return Ok(Scope {
                kind: ReversalKind::Undo,
                task,
                file,
                paths,
                publishes,
                hunks: BTreeMap::new(),
                kept: BTreeMap::new(),
                made_folders,
            });
        }
    }
    Err(StartError::Usage("there is nothing to bring back: nothing was undone".to_owned()))
}

pub(super) fn made_folders(journal: &[Publish]) -> BTreeSet<RepoPath> {
    journal.iter().flat_map(|publish| publish.record.created_folders.iter().cloned()).collect()
}
