//! What becomes of each file in a rollback.

use super::publishes::Publish;
use super::rollback_scope::Scope;
use super::rolled_back::{RollbackNote, RollbackOutcome, RollbackReport, RolledBack};
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::workspace::{self, Edit, Image, PublishedFile, Reversal, StagedChange, TakeBack, TakenBack, Workspace};

/// What becomes of each file.
pub(super) struct Plan {
    pub(super) files: Vec<RolledBack>,
    pub(super) changes: Vec<StagedChange>,
    pub(super) reversal: Reversal,
}

impl Plan {
    pub(super) fn make(store: &Store, workspace: &Workspace, scope: &Scope) -> Self {
        let Scope { kind, task, file, paths, publishes, .. } = scope;
        let reversal = Reversal { kind: *kind, task: task.clone(), file: file.clone(), of: Vec::new() };
        let mut plan = Self { files: Vec::new(), changes: Vec::new(), reversal };
        for path in paths {
            let outcome = match workspace::take_back(workspace, path, &edits(&chain(publishes, path))) {
                TakeBack::Unchanged => RollbackOutcome::Unchanged,
                TakeBack::Restore(change) => {
                    let deleted = change.after.is_none();
                    plan.changes.push(change);
                    if deleted { RollbackOutcome::Deleted } else { RollbackOutcome::Restored }
                }
                TakeBack::Merge(change) => {
                    plan.changes.push(change);
                    RollbackOutcome::Merged
                }
                TakeBack::LeaveAlone { why } => left_alone(store, publishes, path, why),
            };
            plan.files.push(RolledBack { path: path.clone(), outcome });
        }
        for (path, why) in workspace::blocked(workspace, &plan.changes) {
            plan.changes.retain(|change| change.path != path);
            if let Some(file) = plan.files.iter_mut().find(|file| file.path == path) {
                file.outcome = left_alone(store, publishes, &path, why);
            }
        }
        let is_taken = |file: &&RolledBack| !matches!(file.outcome, RollbackOutcome::LeftAlone { .. });
        for path in plan.files.iter().filter(is_taken).map(|file| file.path.clone()).collect::<Vec<_>>() {
            plan.take(publishes, &path);
        }
        plan
    }

    /// Note that a file is taken back from every publish that is to be.
    fn take(&mut self, publishes: &[(bool, Publish)], path: &RepoPath) {
        let of = &mut self.reversal.of;
        for (_, Publish { run, record, .. }) in publishes.iter().filter(|(chosen, _)| *chosen) {
            // A rollback may have taken back files that it found as they were, and so did not touch.
            let named = record.reversal.iter().flat_map(|reversal| &reversal.of).flat_map(|publish| &publish.paths);
            if !record.paths().chain(named).any(|known| known == path) {
                continue;
            }
            let same = |known: &&mut TakenBack| {
                known.run == run.as_str() && known.task == record.task && known.round == record.round
            };
            match of.iter_mut().find(same) {
                Some(known) => known.paths.push(path.clone()),
                None => of.push(TakenBack {
                    run: run.to_string(),
                    task: record.task.clone(),
                    round: record.round,
                    paths: vec![path.clone()],
                }),
            }
        }
    }

    pub(super) fn report(self, run: Option<String>, notes: impl IntoIterator<Item = RollbackNote>) -> RollbackReport {
        RollbackReport { run, files: self.files, notes: notes.into_iter().collect() }
    }

    /// What is to be said where files had to be left alone.
    pub(super) fn unfinished(&self) -> Option<RollbackNote> {
        let is_left = |file: &RolledBack| matches!(file.outcome, RollbackOutcome::LeftAlone { .. });
        self.files.iter().any(is_left).then_some(RollbackNote::Unfinished)
    }
}

/// What was done to one file, oldest first.
pub(super) type Chain<'a> = Vec<(bool, &'a Publish, &'a PublishedFile)>;

fn chain<'a>(publishes: &'a [(bool, Publish)], path: &RepoPath) -> Chain<'a> {
    let of = |(chosen, publish): &'a (bool, Publish)| {
        let file = publish.record.files.iter().find(|file| file.path == *path)?;
        Some((*chosen, publish, file))
    };
    publishes.iter().filter_map(of).collect()
}

/// The edits that are to be undone, newest first. Those that follow on each other are one: the fewer merges, the
/// fewer conflicts.
fn edits(chain: &Chain<'_>) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut newer: Option<&PublishedFile> = None;
    for (index, (chosen, publish, file)) in chain.iter().enumerate().rev() {
        if !chosen {
            newer = None;
            continue;
        }
        let before = before(publish, file);
        match (newer.is_some_and(|newer| newer.sha256_before == file.sha256_after), edits.last_mut()) {
            (true, Some(edit)) => edit.before = before,
            _ => edits.push(Edit { before, after: after(publish, file, chain.get(index + 1)) }),
        }
        newer = Some(file);
    }
    edits
}

fn before(publish: &Publish, file: &PublishedFile) -> Option<Image> {
    let sha256 = file.sha256_before.clone()?;
    let bytes = match file.before(&publish.folder) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err("its content from before was not kept".to_owned()),
        Err(error) => Err(format!("its content from before cannot be read: {error}")),
    };
    Some(Image { sha256, bytes, mode: file.mode_before.unwrap_or(file.mode), owner: file.owner_before })
}

/// What a publish put in place: its own copy, or what the next one found.
fn after(publish: &Publish, file: &PublishedFile, next: Option<&(bool, &Publish, &PublishedFile)>) -> Option<Image> {
    let sha256 = file.sha256_after.clone()?;
    let found = || {
        let (_, publish, next) = next.filter(|(_, _, next)| next.sha256_before.as_ref() == Some(&sha256))?;
        next.before(&publish.folder).ok()?
    };
    let bytes = match file.after(&publish.folder) {
        Ok(bytes) => Ok(bytes.unwrap_or_default()),
        Err(error) => found().ok_or_else(|| format!("your edits cannot be told apart: {error}")),
    };
    Some(Image { sha256, bytes, mode: file.mode, owner: file.owner })
}

fn left_alone(store: &Store, publishes: &[(bool, Publish)], path: &RepoPath, why: String) -> RollbackOutcome {
    RollbackOutcome::LeftAlone { why, before_image: before_image(store, &chain(publishes, path)) }
}

/// The content a file had before all that is to be undone.
fn before_image(store: &Store, chain: &Chain<'_>) -> Option<String> {
    let (_, publish, file) = chain.iter().find(|(chosen, ..)| *chosen)?;
    let image = file.before_image.as_ref()?;
    Some(store.name(&format!("runs/{}/{image}", publish.run)))
}
