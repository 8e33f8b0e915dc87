//! Finds foreign work: results that no journal of ours confirms, and their files that differ from HEAD.

use crate::workflow::changes::publishes::in_effect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::work::{ForeignFile, ForeignWork};
use crate::agents::AgentError;
use crate::contracts::{FileChange, FileKeys, ImplReport, PlanOutput, RepoPath, TaskResult};
use crate::memory::{Memory, Store};
use crate::workflow::changes::files::Changes;
use crate::workflow::changes::publishes::{Publish, journal};
use crate::workflow::run::activity::task_agent;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::REVIEW;
use crate::workspace::{self, BaseDiff, BaseError, BaseFile, Workspace, sha256};

/// The foreign work of a workflow, found on the blocking pool.
pub(crate) async fn foreign_work(run: &Arc<Run>, memory: &Memory) -> Result<ForeignWork, PhaseError> {
    let (working, memory) = (run.clone(), memory.clone());
    let found = tokio::task::spawn_blocking(move || {
        let stopped = || working.context.cancel.is_cancelled();
        find_foreign_work(&working.store, &working.workspace, &memory, &stopped)
    });
    // Whoever cancels does not wait for git, which only reads.
    let found = tokio::select! {
        found = found => found,
        () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    found.unwrap_or_else(|error| Err(PhaseError::Internal(format!("the comparison broke off: {error}"))))
}

/// The foreign work of a workflow. Git is asked only where there is any.
///
/// # Errors
/// When a journal or a file cannot be read, or it was stopped.
pub(crate) fn find_foreign_work(
    store: &Store,
    workspace: &Workspace,
    memory: &Memory,
    stopped: &dyn Fn() -> bool,
) -> Result<ForeignWork, PhaseError> {
    let Some(plan) = memory.plan.as_ref().map(|loaded| &loaded.plan) else { return Ok(ForeignWork::default()) };
    let reported = reported_done(memory);
    let has_review = memory.review.is_some();
    let journal = journal(store)?;
    let begun = tasks_begun_elsewhere(store, &journal)?;
    let journaled: BTreeSet<String> = in_effect(journal).into_iter().map(|publish| publish.record.task).collect();
    let is_known = |id: &String| journaled.contains(id) && !begun.contains(id);
    let unknown: Vec<String> = reported.into_iter().filter(|id| !is_known(id)).collect();
    let mut found = ForeignWork::default();
    if unknown.is_empty() && !has_review {
        return Ok(found);
    }
    let own_agents = store.agents_heard()?;
    found.review = has_review && !own_agents.contains(REVIEW.as_str());
    let is_theirs = |id: &String| begun.contains(id) || !own_agents.contains(&task_agent(id));
    let theirs: Vec<String> = unknown.into_iter().filter(is_theirs).collect();
    if theirs.is_empty() {
        return Ok(found);
    }
    let diff = match against_head(store, workspace, stopped)? {
        Ok(diff) => diff,
        Err(why) => {
            found.no_diff_because = Some(why);
            BaseDiff::default()
        }
    };
    attribute(store, workspace, memory, plan, &theirs, diff, &mut found)?;
    // A task without a difference from HEAD on which our agents worked since is ours.
    found.unconfirmed.retain(|id| !own_agents.contains(&task_agent(id)));
    Ok(found)
}

/// Files that an earlier report says a task changed, where none of our agents did the task.
pub(crate) fn changed_elsewhere(store: &Store, task: &str) -> Result<Vec<String>, PhaseError> {
    if !tasks_begun_elsewhere(store, &journal(store)?)?.contains(task) {
        return Ok(Vec::new());
    }
    let reports = store.earlier_reports()?;
    let results = reports.iter().flat_map(|report| &report.results).filter(|result| result.task_id == task);
    Ok(results.flat_map(|result| &result.changes).map(|change| change.path.clone()).collect())
}

/// Tasks with changes in an earlier report that no journal of ours from that time confirms: fixes of our agents since do
/// not make the rest ours.
fn tasks_begun_elsewhere(store: &Store, journal: &[Publish]) -> Result<BTreeSet<String>, PhaseError> {
    let mut begun = BTreeSet::new();
    for ImplReport { round, results, .. } in store.earlier_reports()? {
        let is_ours = |result: &TaskResult| {
            let mut publishes = journal.iter().map(|publish| &publish.record);
            publishes.any(|record| record.reversal.is_none() && record.task == result.task_id && record.round <= round)
        };
        let theirs = results.into_iter().filter(|result| !result.changes.is_empty() && !is_ours(result));
        begun.extend(theirs.map(|result| result.task_id));
    }
    Ok(begun)
}

/// Ids of the approved tasks that count as done, in plan order: those with a result, or, where there is only a review from
/// elsewhere, all that it judged.
fn reported_done(memory: &Memory) -> Vec<String> {
    let ids = memory.approved_tasks();
    match &memory.report {
        Some(report) => ids.into_iter().filter(|id| report.is_done(id)).collect(),
        None if memory.review.is_some() => ids,
        None => Vec::new(),
    }
}

/// The diff against HEAD, or why there is none.
fn against_head(
    store: &Store,
    workspace: &Workspace,
    stopped: &dyn Fn() -> bool,
) -> Result<Result<BaseDiff, String>, PhaseError> {
    let found = workspace::find_base(workspace, "HEAD")
        .and_then(|base| workspace::diff_with(workspace, store.path(), &base, stopped));
    match found {
        Ok(diff) => Ok(Ok(diff)),
        Err(BaseError::Stopped) => Err(AgentError::Cancelled.into()),
        Err(BaseError::Workspace(error)) => Err(error.into()),
        Err(BaseError::NoRepository) => Ok(Err("without git there is nothing to compare with".to_owned())),
        Err(BaseError::NoCommit) => Ok(Err("there is no commit yet to compare with".to_owned())),
        Err(error) => Ok(Err(format!("it cannot be compared with HEAD: {error}"))),
    }
}

/// Attribute each difference from HEAD to our agents, to these tasks or to nobody, and sort the tasks into those with
/// a difference and those without.
fn attribute(
    store: &Store,
    workspace: &Workspace,
    memory: &Memory,
    plan: &PlanOutput,
    theirs: &[String],
    diff: BaseDiff,
    found: &mut ForeignWork,
) -> Result<(), PhaseError> {
    let files: BTreeMap<&String, Vec<RepoPath>> =
        theirs.iter().map(|id| (id, files_of(id, plan, memory.report.as_ref()))).collect();
    let ours = OwnChanges::load(store, workspace)?;
    let differing = diff.files.iter().map(|file| &file.path);
    found.keys = workspace.file_keys(files.values().flatten().chain(differing).chain(ours.paths()));
    let keys = found.keys.clone();
    let ours = ours.by_key(&keys);
    let named: BTreeMap<&String, BTreeSet<String>> =
        files.iter().map(|(id, files)| (*id, files.iter().map(|path| keys.key(path)).collect())).collect();
    for file in diff.files.into_iter().filter(|file| !ours.explain(&keys.key(&file.path), file)) {
        let key = keys.key(&file.path);
        let tasks: Vec<String> =
            theirs.iter().filter(|id| named.get(id).is_some_and(|files| files.contains(&key))).cloned().collect();
        match tasks.is_empty() {
            false => found.files.push(ForeignFile { file, tasks }),
            // A file that our agents wrote too was planned by a task of ours.
            true if ours.touched(&key) => {}
            true => found.unclaimed.push(file.path),
        }
    }
    // Links and files too large to show differ too.
    let left_out: BTreeSet<String> = diff
        .left_out
        .iter()
        .filter_map(|note| note.rsplit_once(": "))
        .filter_map(|(path, _)| keys.key_of(path))
        .collect();
    for id in theirs {
        let shown = found.files.iter().any(|file| file.tasks.contains(id));
        let differs = || named.get(id).is_some_and(|files| files.iter().any(|file| left_out.contains(file)));
        let list = if shown || differs() { &mut found.tasks } else { &mut found.unconfirmed };
        list.push(id.clone());
    }
    found.only_reported = only_reported(theirs, memory.report.as_ref(), found);
    Ok(())
}

/// The files that a task plans or reports.
fn files_of(id: &str, plan: &PlanOutput, report: Option<&ImplReport>) -> Vec<RepoPath> {
    let planned = plan.task(id).into_iter().flat_map(|task| task.files());
    let results = report.into_iter().flat_map(|report| &report.results).filter(|result| result.task_id == id);
    let reported = results.flat_map(|result| &result.changes).map(|change| change.path.as_str());
    planned.chain(reported).filter_map(|file| RepoPath::parse(file).ok()).collect()
}

/// The files that these tasks report as changed and that show no difference.
fn only_reported(theirs: &[String], report: Option<&ImplReport>, found: &ForeignWork) -> Vec<(RepoPath, String)> {
    let mut files: Vec<(RepoPath, String)> = Vec::new();
    let results = report.into_iter().flat_map(|report| &report.results);
    for result in results.filter(|result| theirs.contains(&result.task_id)) {
        for FileChange { path, change_type, .. } in &result.changes {
            let Ok(path) = RepoPath::parse(path) else { continue };
            if found.has(&path) || files.iter().any(|(file, _)| found.keys.key(file) == found.keys.key(&path)) {
                continue;
            }
            let but = match found.no_diff_because {
                Some(_) => "there is no diff of it",
                None => "it does not differ from HEAD",
            };
            files.push((path, format!("{} ({}), says the report; {but}", change_type.as_str(), result.task_id)));
        }
    }
    files
}

/// What our own agents did to files, by the key of each.
struct OwnChanges<K> {
    changes: BTreeMap<K, Option<Vec<u8>>>,
    /// SHA-256 of what was put in place last; `None` for a deleted file.
    last: BTreeMap<K, Option<String>>,
}

impl OwnChanges<RepoPath> {
    fn load(store: &Store, workspace: &Workspace) -> Result<Self, PhaseError> {
        let changes = Changes::load(store, workspace)?;
        let changes = changes.files().map(|file| (file.path.clone(), file.before.clone())).collect();
        let mut last = BTreeMap::new();
        for publish in in_effect(journal(store)?) {
            last.extend(publish.record.files.iter().map(|file| (file.path.clone(), file.sha256_after.clone())));
        }
        Ok(Self { changes, last })
    }

    fn paths(&self) -> impl Iterator<Item = &RepoPath> {
        self.changes.keys().chain(self.last.keys())
    }

    fn by_key(self, keys: &FileKeys) -> OwnChanges<String> {
        let changes = self.changes.into_iter().map(|(path, before)| (keys.key(&path), before)).collect();
        let last = self.last.into_iter().map(|(path, after)| (keys.key(&path), after)).collect();
        OwnChanges { changes, last }
    }
}

impl OwnChanges<String> {
    fn touched(&self, key: &str) -> bool {
        self.last.contains_key(key)
    }

    /// Whether our agents alone made a file differ: before them it was as in HEAD, and now it is as they left it.
    fn explain(&self, key: &str, file: &BaseFile) -> bool {
        let before = self.changes.get(key).is_some_and(|before| *before == file.before);
        let after = self.last.get(key).is_some_and(|last| *last == file.now.as_ref().map(|bytes| sha256(bytes)));
        before && after
    }
}
