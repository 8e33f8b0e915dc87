//! What becomes of each file in a rollback.

use super::publishes::Publish;
use super::rollback_scope::Scope;
use super::rolled_back::{KeptIn, RollbackNote, RollbackOutcome, RollbackReport, RolledBack};
use super::spared::{renamed, spare};
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::text::{self, count};
use crate::workspace::{
    self, Edit, Image, PublishedFile, Reversal, StagedChange, TakeBack, TakenBack, UndoneHunk, Workspace,
};

/// What becomes of each file.
pub(super) struct Plan {
    pub(super) files: Vec<RolledBack>,
    pub(super) changes: Vec<StagedChange>,
    pub(super) reversal: Reversal,
    kept: Vec<KeptIn>,
}

impl Plan {
    pub(super) fn make(store: &Store, workspace: &Workspace, scope: &Scope) -> Self {
        let Scope { kind, task, file, paths, publishes, .. } = scope;
        let reversal = Reversal {
            kind: *kind,
            task: task.clone(),
            file: file.clone(),
            of: Vec::new(),
            hunks: Vec::new(),
            by_hunk: !scope.hunks.is_empty(),
        };
        let mut plan = Self { files: Vec::new(), changes: Vec::new(), reversal, kept: Vec::new() };
        for path in paths {
            let taken_back = match scope.hunks.get(path) {
                Some(named) => workspace::take_back(workspace, path, std::slice::from_ref(&named.edit)),
                None => {
                    let all = workspace::take_back(workspace, path, &edits(&chain(publishes, path)));
                    plan.without_kept(scope, path, all)
                }
            };
            let outcome = match taken_back {
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
            plan.files.push(RolledBack { path: path.clone(), outcome, hunks: Vec::new() });
        }
        for (path, why) in workspace::blocked(workspace, &plan.changes) {
            plan.changes.retain(|change| change.path != path);
            if let Some(file) = plan.files.iter_mut().find(|file| file.path == path) {
                file.outcome = left_alone(store, publishes, &path, why);
            }
        }
        plan.note_hunks(scope);
        let is_taken = |file: &&RolledBack| {
            let is_part = match scope.hunks.get(&file.path) {
                Some(named) => !named.is_all,
                None => plan.kept.iter().any(|kept| kept.path == file.path),
            };
            !is_part && !matches!(file.outcome, RollbackOutcome::LeftAlone { .. })
        };
        for path in plan.files.iter().filter(is_taken).map(|file| file.path.clone()).collect::<Vec<_>>() {
            plan.take(publishes, &path);
        }
        plan
    }

    /// What becomes of a file without the hunks that the user keeps.
    fn without_kept(&mut self, scope: &Scope, path: &RepoPath, taken_back: TakeBack) -> TakeBack {
        let spared = scope.kept.get(path).and_then(|of_file| spare(path, of_file, &taken_back));
        let Some(spared) = spared else { return taken_back };
        self.kept.push(KeptIn { path: path.clone(), hunks: spared.kept });
        self.reversal.hunks.extend(spared.undone);
        spared.outcome
    }

    /// Note which hunks are undone in files whose publishes stand.
    fn note_hunks(&mut self, scope: &Scope) {
        let is_changed = |changes: &[StagedChange], path: &RepoPath| changes.iter().any(|change| change.path == *path);
        self.reversal.hunks.retain(|hunk| is_changed(&self.changes, &hunk.path));
        let named = scope.hunks.iter().filter(|(path, _)| is_changed(&self.changes, path));
        let named = named.flat_map(|(path, named)| named.ids.iter().map(|id| (path.clone(), id.clone())));
        self.reversal.hunks.extend(named.map(|(path, id)| UndoneHunk { path, id }));
        for file in &mut self.files {
            let of_file = self.reversal.hunks.iter().filter(|hunk| hunk.path == file.path);
            file.hunks = of_file.map(|hunk| hunk.id.clone()).collect();
            let is_all = scope.hunks.get(&file.path).is_some_and(|named| named.is_all);
            if !file.hunks.is_empty() && !is_all && file.outcome != RollbackOutcome::Deleted {
                file.outcome = RollbackOutcome::InPart;
            }
        }
    }

    /// Whether nothing would be undone.
    pub(super) fn is_nothing(&self) -> bool {
        self.reversal.of.is_empty() && self.reversal.hunks.is_empty()
    }

    /// The new ids of kept hunks that get others by this.
    pub(super) fn kept_anew(&self, scope: &Scope) -> Vec<(RepoPath, Vec<String>)> {
        let renamed = self.changes.iter().filter_map(|change| {
            let ids = renamed(&change.path, scope.kept.get(&change.path)?, change);
            (!ids.is_empty()).then(|| (change.path.clone(), ids))
        });
        renamed.collect()
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
        let kept = kept_note(&self.kept).map(RollbackNote::Other);
        RollbackReport { run, files: self.files, kept: self.kept, notes: kept.into_iter().chain(notes).collect() }
    }

    /// What is to be said where files had to be left alone.
    pub(super) fn unfinished(&self) -> Option<RollbackNote> {
        let is_left = |file: &RolledBack| matches!(file.outcome, RollbackOutcome::LeftAlone { .. });
        self.files.iter().any(is_left).then_some(RollbackNote::Unfinished)
    }
}

/// Which files have kept hunks, for people.
fn kept_note(kept: &[KeptIn]) -> Option<String> {
    let files: Vec<String> =
        kept.iter().map(|of| format!("{} in {}", count(of.hunks.len(), "change"), of.path)).collect();
    let files = files.join(", ");
    (!kept.is_empty()).then(|| format!("What you keep stays as it is: {}.", text::cut(&files, 500)))
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
