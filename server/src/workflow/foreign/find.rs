//! How work done elsewhere is found: by what the working tree has that HEAD has not.

use crate::workflow::changes::publishes::in_effect;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::work::{Elsewhere, ElsewhereFile};
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

/// Look what was done elsewhere, where it stalls nobody.
pub(crate) async fn look(run: &Arc<Run>, memory: &Memory) -> Result<Elsewhere, PhaseError> {
    let (working, memory) = (run.clone(), memory.clone());
    let found = tokio::task::spawn_blocking(move || {
        let stopped = || working.context.cancel.is_cancelled();
        find(&working.store, &working.workspace, &memory, &stopped)
    });
    // Whoever cancels does not wait for git, which only reads.
    let found = tokio::select! {
        found = found => found,
        () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    found.unwrap_or_else(|error| Err(PhaseError::Internal(format!("the comparison broke off: {error}"))))
}

/// What was done elsewhere. Git is asked only where something was.
///
/// # Errors
/// When a journal or a file cannot be read, or it was stopped.
pub(crate) fn find(
    store: &Store,
    workspace: &Workspace,
    memory: &Memory,
    stopped: &dyn Fn() -> bool,
) -> Result<Elsewhere, PhaseError> {
    let Some(plan) = memory.plan.as_ref().map(|loaded| &loaded.plan) else { return Ok(Elsewhere::default()) };
    let said = said_done(memory);
    let has_review = memory.workflow_review().is_some();
    let journal = journal(store)?;
    let begun = begun_elsewhere(store, &journal)?;
    let journaled: BTreeSet<String> = in_effect(journal).into_iter().map(|publish| publish.record.task).collect();
    let is_known = |id: &String| journaled.contains(id) && !begun.contains(id);
    let unknown: Vec<String> = said.into_iter().filter(|id| !is_known(id)).collect();
    let mut found = Elsewhere::default();
    if unknown.is_empty() && !has_review {
        return Ok(found);
    }
    let heard = store.agents_heard()?;
    found.review = has_review && !heard.contains(REVIEW.as_str());
    let is_theirs = |id: &String| begun.contains(id) || !heard.contains(&task_agent(id));
    let theirs: Vec<String> = unknown.into_iter().filter(is_theirs).collect();
    if theirs.is_empty() {
        return Ok(found);
    }
    let diff = match against_head(store, workspace, stopped)? {
        Ok(diff) => diff,
        Err(why) => {
            found.without = Some(why);
            BaseDiff::default()
        }
    };
    sort_out(store, workspace, memory, plan, &theirs, diff, &mut found)?;
    // Where nothing is seen of what was made of them elsewhere and our agents worked on them since, they are ours.
    found.unseen.retain(|id| !heard.contains(&task_agent(id)));
    Ok(found)
}

/// Tasks of which an earlier report told changes that none of our journals of that time bears out: what was fixed of them
/// since does not make the rest ours.
fn begun_elsewhere(store: &Store, journal: &[Publish]) -> Result<BTreeSet<String>, PhaseError> {
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
fn said_done(memory: &Memory) -> Vec<String> {
    let ids = memory.approved_tasks();
    match &memory.report {
        Some(report) => ids.into_iter().filter(|id| report.is_done(id)).collect(),
        None if memory.workflow_review().is_some() => ids,
        None => Vec::new(),
    }
}

/// What differs from HEAD, or why that cannot be told.
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

/// Tell whose what differs is, and of which of these tasks something can be seen.
fn sort_out(
    store: &Store,
    workspace: &Workspace,
    memory: &Memory,
    plan: &PlanOutput,
    theirs: &[String],
    diff: BaseDiff,
    found: &mut Elsewhere,
) -> Result<(), PhaseError> {
    let files: BTreeMap<&String, Vec<RepoPath>> =
        theirs.iter().map(|id| (id, files_of(id, plan, memory.report.as_ref()))).collect();
    let ours = Ours::load(store, workspace)?;
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
            false => found.files.push(ElsewhereFile { file, tasks }),
            // What is ours too was planned by a task of ours.
            true if ours.touched(&key) => {}
            true => found.others.push(file.path),
        }
    }
    // A link, say, or what is too large to show: it differs all the same.
    let left_out: BTreeSet<String> = diff
        .left_out
        .iter()
        .filter_map(|told| told.rsplit_once(": "))
        .filter_map(|(path, _)| keys.key_of(path))
        .collect();
    for id in theirs {
        let shown = found.files.iter().any(|file| file.tasks.contains(id));
        let differs = || named.get(id).is_some_and(|files| files.iter().any(|file| left_out.contains(file)));
        let list = if shown || differs() { &mut found.tasks } else { &mut found.unseen };
        list.push(id.clone());
    }
    found.only_said = only_said(theirs, memory.report.as_ref(), found);
    Ok(())
}

/// The files that a task plans or reports.
fn files_of(id: &str, plan: &PlanOutput, report: Option<&ImplReport>) -> Vec<RepoPath> {
    let planned = plan.task(id).into_iter().flat_map(|task| task.files());
    let results = report.into_iter().flat_map(|report| &report.results).filter(|result| result.task_id == id);
    let reported = results.flat_map(|result| &result.changes).map(|change| change.path.as_str());
    planned.chain(reported).filter_map(|file| RepoPath::parse(file).ok()).collect()
}

/// What these tasks report as changed and nothing shows.
fn only_said(theirs: &[String], report: Option<&ImplReport>, found: &Elsewhere) -> Vec<(RepoPath, String)> {
    let mut files: Vec<(RepoPath, String)> = Vec::new();
    let results = report.into_iter().flat_map(|report| &report.results);
    for result in results.filter(|result| theirs.contains(&result.task_id)) {
        for FileChange { path, change_type, .. } in &result.changes {
            let Ok(path) = RepoPath::parse(path) else { continue };
            if found.has(&path) || files.iter().any(|(file, _)| found.keys.key(file) == found.keys.key(&path)) {
                continue;
            }
            let but = match found.without {
                Some(_) => "there is no diff of it",
                None => "it does not differ from HEAD",
            };
            files.push((path, format!("{} ({}), says the report; {but}", change_type.as_str(), result.task_id)));
        }
    }
    files
}

/// What our own agents did to files, by the key of each.
struct Ours<K> {
    changes: BTreeMap<K, Option<Vec<u8>>>,
    /// SHA-256 of what was put in place last; `None` for a deleted file.
    last: BTreeMap<K, Option<String>>,
}

impl Ours<RepoPath> {
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

    fn by_key(self, keys: &FileKeys) -> Ours<String> {
        let changes = self.changes.into_iter().map(|(path, before)| (keys.key(&path), before)).collect();
        let last = self.last.into_iter().map(|(path, after)| (keys.key(&path), after)).collect();
        Ours { changes, last }
    }
}

impl Ours<String> {
    fn touched(&self, key: &str) -> bool {
        self.last.contains_key(key)
    }

    /// Whether all that differs in a file is our agents' doing: it was as HEAD has it before, and is as they left it.
    fn explain(&self, key: &str, file: &BaseFile) -> bool {
        let before = self.changes.get(key).is_some_and(|before| *before == file.before);
        let after = self.last.get(key).is_some_and(|last| *last == file.now.as_ref().map(|bytes| sha256(bytes)));
        before && after
    }
}
