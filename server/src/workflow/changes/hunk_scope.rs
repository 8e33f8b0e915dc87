//! Which content is to be undone where hunks are named, and which hunks a rollback passes over.

use std::collections::{BTreeMap, BTreeSet};

use super::files::Changes;
use super::hunks::Hunks;
use super::publishes::{Publish, in_effect};
use super::rollback_scope::{KeptHunks, NamedHunks, Scope, made_folders};
use super::rolled_back::RollbackRequest;
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::workflow::run::error::StartError;
use crate::workspace::{self, Edit, Image, LineHunk, ReversalKind, Workspace};

/// The hunks that a request names, as the files stand.
pub(super) fn of_hunks(
    store: &Store,
    workspace: &Workspace,
    journal: Vec<Publish>,
    kept: &BTreeSet<(RepoPath, String)>,
    request: &RollbackRequest,
) -> Result<Scope, StartError> {
    if request.task.is_some() || request.undo || request.workflow.is_some() {
        let why = "hunks are of the workflow at hand: give no workflow, no task and no undo with them";
        return Err(StartError::Usage(why.to_owned()));
    }
    let changes = Changes::in_journal(store, workspace, &journal, |_| true)?;
    let hunks = Hunks::of(&changes, &journal, kept);
    let mut chosen: BTreeMap<&RepoPath, Vec<&LineHunk>> = BTreeMap::new();
    for id in &request.hunks {
        let (path, hunk) = hunks.find(id, request.file.as_ref())?;
        let of_file = chosen.entry(path).or_default();
        if !of_file.contains(&&hunk.lines) {
            of_file.push(&hunk.lines);
        }
    }
    let mut named = BTreeMap::new();
    for (path, mut lines) in chosen {
        lines.sort_by_key(|hunk| hunk.new.start);
        let lines: Vec<LineHunk> = lines.into_iter().cloned().collect();
        // Hunks are only of changed files.
        let Some(file) = changes.file(path) else { continue };
        let without = workspace::without_hunks(file.before.as_deref(), file.now.as_deref(), &lines);
        let mode_now = workspace::read_exact(workspace, path).ok().flatten().map(|state| state.mode);
        let mode = mode_now.or(file.mode_before).unwrap_or(0o644);
        let image = |bytes: Vec<u8>| Image { sha256: workspace::sha256(&bytes), bytes: Ok(bytes), mode, owner: None };
        let ids = lines.into_iter().map(|hunk| hunk.id).collect();
        let is_all = without == file.before;
        let mode_before = if is_all { file.mode_before.unwrap_or(mode) } else { mode };
        let before = without.map(image).map(|image| Image { mode: mode_before, ..image });
        let edit = Edit { before, after: file.now.clone().map(image) };
        named.insert(path.clone(), NamedHunks { ids, edit, is_all });
    }
    let paths: Vec<RepoPath> = named.keys().cloned().collect();
    let file = match paths.as_slice() {
        [one] => Some(one.clone()),
        _ => request.file.clone(),
    };
    Ok(Scope {
        kind: ReversalKind::Rollback,
        task: None,
        file,
        paths,
        made_folders: made_folders(&journal),
        publishes: in_effect(journal).into_iter().map(|publish| (true, publish)).collect(),
        hunks: named,
        kept: kept_in(&changes, kept),
    })
}

/// What the user keeps of the files that a workflow changed, by its journal.
pub(super) fn kept_of(
    store: &Store,
    workspace: &Workspace,
    journal: &[Publish],
    kept: &BTreeSet<(RepoPath, String)>,
) -> Result<BTreeMap<RepoPath, KeptHunks>, StartError> {
    if kept.is_empty() {
        return Ok(BTreeMap::new());
    }
    Ok(kept_in(&Changes::in_journal(store, workspace, journal, |_| true)?, kept))
}

fn kept_in(changes: &Changes, kept: &BTreeSet<(RepoPath, String)>) -> BTreeMap<RepoPath, KeptHunks> {
    let mut all = BTreeMap::new();
    for file in changes.files() {
        let ids: BTreeSet<String> =
            kept.iter().filter(|(path, _)| *path == file.path).map(|(_, id)| id.clone()).collect();
        if !ids.is_empty() {
            all.insert(file.path.clone(), KeptHunks { before: file.before.clone(), ids });
        }
    }
    all
}
