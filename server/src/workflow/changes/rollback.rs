//! Undoing what agents did to the files, from the before-images in the publish journals, and undoing that again.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::files::{PUBLISH, real_changes};
use super::publishes::{Publish, journal, journal_with_unfinished, standing, standing_paths};
use super::recover::recover;
use super::unverified::uncounted_or_none;
use crate::contracts::{ImplReport, RepoPath};
use crate::memory::{EventLog, LoadedPlan, RunDir, RunId, Store};
use crate::text::count;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{Bus, EventError, EventErrorKind, EventPhase, EventStatus, PhaseEvent, Said};
use crate::workspace::{
    self, Edit, Image, PublishError, PublishedFile, Reversal, ReversalKind, StagedChange, TakeBack, TakenBack,
    Workspace,
};

/// What is to be undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollbackRequest {
    /// Only what this task did.
    pub task: Option<String>,
    /// Only what was done to this file.
    pub file: Option<RepoPath>,
    /// Only tell what would happen.
    pub dry_run: bool,
    /// Undo the last rollback instead; goes with no task and no file.
    pub undo: bool,
}

/// What became of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RollbackReport {
    /// The run that the rollback is journaled as; `None` when nothing was done.
    pub run: Option<String>,
    /// The files, by path.
    pub files: Vec<RolledBack>,
    /// What this means for the workflow, one sentence each.
    pub notes: Vec<String>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The file, relative to the workspace root.
    pub path: RepoPath,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RollbackOutcome,
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RollbackOutcome {
    /// It is as it was.
    Restored,
    /// It was created, and is gone.
    Deleted,
    /// What agents did is undone, and the user's edits since are kept.
    Merged,
    /// It cannot be told apart whose is what; it was not touched.
    LeftAlone {
        /// Why.
        why: String,
        /// Its content from before, relative to the workspace root; `None` when it did not exist.
        before_image: Option<String>,
    },
    /// It was as it should be already.
    Unchanged,
}

impl RollbackReport {
    /// The files that a person has to look at.
    pub fn left_alone(&self) -> impl Iterator<Item = &RolledBack> {
        self.files.iter().filter(|file| matches!(file.outcome, RollbackOutcome::LeftAlone { .. }))
    }
}

/// How often a file may change under the rollback's hands before it gives up.
const TRIES: usize = 3;

/// Undo what the workflow, one task, or the last rollback did. Blocks.
///
/// # Errors
/// When a run is at work, there is no such task, file or rollback, or files cannot be written. The files are then as
/// they were.
pub fn rollback(store: &Store, workspace: &Workspace, request: &RollbackRequest) -> Result<RollbackReport, StartError> {
    let (_lock, id) = store.lock(Timestamp::now())?;
    if !request.dry_run {
        recover(workspace, store)?;
    }
    let journal = if request.dry_run { journal_with_unfinished(store)? } else { journal(store)? };
    let absent = uncounted_or_none(store);
    let scope = if request.undo { of_undo(journal) } else { of_rollback(workspace, journal, request) };
    let scope = scope.map_err(|error| match error {
        StartError::Usage(why) => StartError::Usage([&[why], &absent[..]].concat().join(".\n")),
        other => other,
    })?;
    let mut plan = Plan::make(store, workspace, &scope);
    if request.dry_run || plan.reversal.of.is_empty() {
        return Ok(plan.report(None, absent));
    }
    let RunDir { dir, events, .. } = store.begin_run(&id)?;
    let bus = bus(&id, events);
    let sign = |content: &[u8]| store.seal().sign(PUBLISH, content);
    let mut tries = 1;
    loop {
        let done = workspace::publish_reversal(workspace, &dir, plan.reversal.clone(), &plan.changes, &sign);
        match done {
            Ok(_) => break,
            Err(PublishError::Conflict { .. } | PublishError::Unsaved { .. }) if tries < TRIES => {
                tries += 1;
                plan = Plan::make(store, workspace, &scope);
            }
            Err(error) => {
                tell(&bus, EventStatus::Failed, error.to_string(), true);
                return Err(error.into());
            }
        }
    }
    remove_folders(workspace, &scope, &plan);
    let notes = settle(store, workspace)?.into_iter().chain(absent).collect();
    let report = plan.report(Some(id.to_string()), notes);
    tell(&bus, EventStatus::Done, summary(&report, request), false);
    Ok(report)
}

/// Make the memory folder say what finished rollbacks led to, where a kill came between. Sentences for the user.
pub(crate) fn settle(store: &Store, workspace: &Workspace) -> Result<Vec<String>, StartError> {
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

/// What the report still tells truly: without the task that was rolled back, and of the files as they are now.
fn rest(store: &Store, workspace: &Workspace, reversal: &Reversal, mut report: ImplReport) -> ImplReport {
    if reversal.file.is_none() {
        report.results.retain(|result| Some(&result.task_id) != reversal.task.as_ref());
    }
    let said = report.results.iter().flat_map(|result| &result.changes).map(|change| change.path.as_str());
    let taken_back = || reversal.of.iter().flat_map(|publish| &publish.paths);
    let keys = workspace.file_keys_of(said.chain(taken_back().map(RepoPath::as_str)));
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
            // The report is then a little wrong, and the rollback no less done.
            Err(error) => tracing::warn!(%error, task = result.task_id, "its changes cannot be counted"),
        }
    }
    report
}

/// What is to be taken back, and in the light of what.
struct Scope {
    kind: ReversalKind,
    task: Option<String>,
    file: Option<RepoPath>,
    /// The files.
    paths: Vec<RepoPath>,
    /// What stands, oldest first; of it the marked publishes are to be taken back.
    publishes: Vec<(bool, Publish)>,
    /// Folders that publishes of the workflow made.
    made_folders: BTreeSet<RepoPath>,
}

fn of_rollback(workspace: &Workspace, journal: Vec<Publish>, request: &RollbackRequest) -> Result<Scope, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    let made_folders = made_folders(&journal);
    let standing = standing(journal);
    let RollbackRequest { task, file, .. } = request;
    if standing.is_empty() {
        return usage("there is nothing to roll back: no file is as an agent of this workflow left it".to_owned());
    }
    let tasks: BTreeSet<&str> = standing.iter().map(|publish| publish.record.task.as_str()).collect();
    if let Some(task) = task
        && !tasks.contains(task.as_str())
    {
        let known: Vec<&str> = tasks.into_iter().collect();
        return usage(format!("there is nothing of {task} to roll back; files were written by {}", known.join(", ")));
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
        return usage(format!("{file} was not changed by {who}; `baton diff` shows what was"));
    }
    paths.sort();
    paths.dedup();
    let (task, file) = (task.clone(), file.clone());
    Ok(Scope { kind: ReversalKind::Rollback, task, file, paths, publishes, made_folders })
}

/// The last rollback, as long as no agent has written since.
fn of_undo(journal: Vec<Publish>) -> Result<Scope, StartError> {
    let made_folders = made_folders(&journal);
    for publish in journal.iter().rev() {
        let Some(reversal) = &publish.record.reversal else {
            return Err(StartError::Usage(
                "there is no rollback to undo: agents have written since, or none was made".to_owned(),
            ));
        };
        let mut paths = standing_paths(&journal, publish);
        if reversal.kind == ReversalKind::Rollback && !paths.is_empty() {
            paths.sort();
            let (task, file) = (reversal.task.clone(), reversal.file.clone());
            let publishes = vec![(true, publish.clone())];
            return Ok(Scope { kind: ReversalKind::Undo, task, file, paths, publishes, made_folders });
        }
    }
    Err(StartError::Usage("there is no rollback to undo".to_owned()))
}

fn made_folders(journal: &[Publish]) -> BTreeSet<RepoPath> {
    journal.iter().flat_map(|publish| publish.record.created_folders.iter().cloned()).collect()
}

/// What becomes of each file.
struct Plan {
    files: Vec<RolledBack>,
    changes: Vec<StagedChange>,
    reversal: Reversal,
}

impl Plan {
    fn make(store: &Store, workspace: &Workspace, scope: &Scope) -> Self {
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

    fn report(self, run: Option<String>, notes: Vec<String>) -> RollbackReport {
        RollbackReport { run, files: self.files, notes }
    }
}

/// What was done to one file, oldest first.
type Chain<'a> = Vec<(bool, &'a Publish, &'a PublishedFile)>;

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

fn bus(id: &RunId, log: EventLog) -> Bus {
    let bus = Bus::new(
        id.to_string(),
        Arc::new(move |event: &PhaseEvent| {
            if let Err(error) = log.append(event) {
                tracing::error!(%error, "cannot write events.jsonl");
            }
        }),
    );
    tell(&bus, EventStatus::Started, "Rolling back".to_owned(), false);
    bus
}

fn tell(bus: &Bus, status: EventStatus, message: String, failed: bool) {
    let error = failed.then(|| EventError { kind: EventErrorKind::Workspace, message: message.clone() });
    bus.emit(Said { phase: EventPhase::Workflow, status, task: None, message, error, usage: None });
}

fn summary(report: &RollbackReport, request: &RollbackRequest) -> String {
    let left = report.left_alone().count();
    let done = report.files.len() - left;
    let what = if request.undo { "The rollback was undone" } else { "Rolled back" };
    let rest = if left > 0 { format!("; {} left alone", count(left, "file")) } else { String::new() };
    format!("{what}: {}{rest}", count(done, "file"))
}
