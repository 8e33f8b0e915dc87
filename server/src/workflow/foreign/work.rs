//! Work that a report tells of and that no journal of this user bears out: done by another tool, or by nobody. It is known
//! by what the working tree has that HEAD has not, and never passes for work of our own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::agents::AgentError;
use crate::contracts::{
    FileChange, FileKeys, Handoff, ImplReport, PlanOutput, RepoPath, ReviewOutput, Round, RoundKind, TaskResult,
};
use crate::memory::{Memory, SetAside, Store};
use crate::text;
use crate::workflow::changes::files::Changes;
use crate::workflow::changes::publishes::{Publish, journal, standing};
use crate::workflow::decide::next::{Next, takes_for_done};
use crate::workflow::decide::phase::{IMPLEMENT, Phases, REVIEW};
use crate::workflow::run::activity::task_agent;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::shared::Run;
use crate::workspace::{self, BaseDiff, BaseError, BaseFile, Workspace, sha256};

/// Files that nobody names and that are told of all the same, at most.
const MOST_OTHERS: usize = 100;

/// What of the workflow at hand was done elsewhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Elsewhere {
    /// Tasks with a result that is not ours and of whose work something can be seen, in plan order.
    pub(crate) tasks: Vec<String>,
    /// Tasks with such a result and nothing to see of it.
    pub(crate) unseen: Vec<String>,
    /// Whether there is a review and it is not ours.
    pub(crate) review: bool,
    /// Why nothing can be compared with HEAD.
    pub(crate) without: Option<String>,
    /// What differs from HEAD by other hands than ours in files that those tasks plan or report.
    pub(crate) files: Vec<ElsewhereFile>,
    /// What is told of and does not differ: the file, with what is said.
    pub(crate) only_said: Vec<(RepoPath, String)>,
    /// What differs by other hands and no task names.
    pub(crate) others: Vec<RepoPath>,
    /// Which of all these paths name one file.
    keys: FileKeys,
}

/// A file that other hands changed.
#[derive(Debug, Clone)]
pub(crate) struct ElsewhereFile {
    /// Against HEAD.
    pub(crate) file: BaseFile,
    /// The tasks that plan or report it.
    pub(crate) tasks: Vec<String>,
}

impl Elsewhere {
    /// Whether all that counts as done is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.unseen.is_empty()
    }

    /// Whether a file is one of theirs.
    pub(crate) fn has(&self, path: &RepoPath) -> bool {
        let key = self.keys.key(path);
        self.files.iter().any(|theirs| self.keys.key(&theirs.file.path) == key)
    }

    /// What a person is told at the gate.
    pub(crate) fn at_the_gate(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.tasks.is_empty() {
            told.push(format!(
                "The report tells of work that no journal of Baton bears out here: {}. It is not done again; approve, and it is reviewed by \
                 the diff of the working tree against HEAD.",
                self.tasks.join(", ")
            ));
        }
        if !self.unseen.is_empty() {
            told.push(format!(
                "The report says that {} {} done, and {}: approve, and {} implemented here.",
                self.unseen.join(", "),
                are(&self.unseen),
                self.why_unseen(),
                if self.unseen.len() == 1 { "it is" } else { "they are" }
            ));
        }
        told
    }

    fn why_unseen(&self) -> String {
        match &self.without {
            Some(why) => format!("nothing bears it out ({why})"),
            None => "nothing bears it out: no journal of Baton, and no difference from HEAD".to_owned(),
        }
    }

    /// The end of an approved workflow, with what was done by others.
    pub(crate) fn at_the_end(&self, message: String) -> String {
        let mut told = message;
        if !self.tasks.is_empty() {
            let by = if self.review { "and so was the review" } else { "reviewed by the diff against HEAD" };
            let (were, them) = if self.tasks.len() == 1 { ("was", "it") } else { ("were", "them") };
            told.push_str(&format!(
                " {} {were} done elsewhere, not by Baton, {by}; `baton rollback` does not undo {them}.",
                self.tasks.join(", ")
            ));
        } else if self.review {
            told.push_str(" The review was made elsewhere, not by Baton.");
        }
        told
    }

    /// What the reviewer is told; empty where all is ours.
    pub(crate) fn for_the_reviewer(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let ids = [&self.tasks[..], &self.unseen[..]].concat().join(", ");
        let seen = match &self.without {
            None => "What is listed and shown of them as changed is the real diff of the working tree against HEAD"
                .to_owned(),
            Some(why) => format!("There is no diff of them ({why}): read the files as they stand"),
        };
        let mut told = format!(
            "{ids}: done elsewhere, not by Baton's agents. {seen}. What the report says of them beyond that is a claim to \
             check, not a fact."
        );
        if !self.unseen.is_empty() && self.without.is_none() {
            told.push_str(&format!(" Of {} nothing differs from HEAD.", self.unseen.join(", ")));
        }
        if !self.others.is_empty() {
            let shown: Vec<&str> = self.others.iter().take(MOST_OTHERS).map(RepoPath::as_str).collect();
            let more = match self.others.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            told.push_str(&format!(
                "\nThese files differ from HEAD too, and neither a task nor the report names them; they may be the user's \
                 own edits: {}{more}.",
                shown.join(", ")
            ));
        }
        told
    }

    /// One line a file, for the list of what was changed.
    pub(crate) fn summaries(&self) -> Vec<String> {
        let seen = self.files.iter().map(|ElsewhereFile { file, tasks }| {
            let kind = match (&file.before, &file.now) {
                (None, _) => "created",
                (_, None) => "deleted",
                _ => "modified",
            };
            let (added, removed) = workspace::counts(file.before.as_deref(), file.now.as_deref());
            format!("{}: {kind}, +{added} -{removed} ({}, done elsewhere; against HEAD)", file.path, tasks.join(", "))
        });
        let said = self.only_said.iter().map(|(path, told)| format!("{path}: {told}"));
        seen.chain(said).collect()
    }

    /// Each file with its unified diff.
    pub(crate) fn diffs(&self) -> impl Iterator<Item = (RepoPath, String)> {
        self.files.iter().map(|ElsewhereFile { file, .. }| {
            (file.path.clone(), workspace::unified_masked(&file.path, file.before.as_deref(), file.now.as_deref()))
        })
    }

    /// The files that other hands changed, or that can't be told to be unchanged.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &RepoPath> {
        let said = self.only_said.iter().filter(|_| self.without.is_some()).map(|(path, _)| path);
        self.files.iter().map(|theirs| &theirs.file.path).chain(said)
    }
}

/// Look what was done elsewhere, where it stalls nobody.
pub(crate) async fn look(run: &Arc<Run>, memory: &Memory) -> Result<Elsewhere, PhaseError> {
    let (working, memory) = (run.clone(), memory.clone());
    let found = tokio::task::spawn_blocking(move || {
        let stopped = || working.desk.cancel.is_cancelled();
        find(&working.store, &working.workspace, &memory, &stopped)
    });
    // Whoever cancels does not wait for git, which only reads.
    let found = tokio::select! {
        found = found => found,
        () = run.desk.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
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
    let journaled: BTreeSet<String> = standing(journal).into_iter().map(|publish| publish.record.task).collect();
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
        for publish in standing(journal(store)?) {
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

/// What comes next where a result that nothing bears out counts as none, and what people are told of it. Such results, and
/// a review of them, go from `memory`.
///
/// # Errors
/// When a journal or a file cannot be read.
pub(crate) fn borne_out(
    phases: &Phases,
    store: &Store,
    memory: &mut Memory,
    next: Next,
) -> Result<(Next, Vec<String>), PhaseError> {
    if next != Next::Gate && !takes_for_done(phases, &next) {
        return Ok((next, Vec::new()));
    }
    let found = find(store, store.workspace(), memory, &|| false)?;
    if !found.unseen.is_empty() {
        memory.review = None;
        memory.findings.clear();
        if let Some(report) = &mut memory.report {
            report.results.retain(|result| !found.unseen.contains(&result.task_id));
        }
        memory.report = memory.report.take().filter(|report| !report.results.is_empty());
    }
    if next == Next::Gate {
        return Ok((next, found.at_the_gate()));
    }
    let mut told = Vec::new();
    if !found.tasks.is_empty() {
        told.push(format!("{} {} done elsewhere, not by Baton.", found.tasks.join(", "), were(&found.tasks)));
    }
    if found.unseen.is_empty() {
        return Ok((next, told));
    }
    told.push(done_here(&found));
    Ok((Next::Phase(IMPLEMENT), told))
}

/// Take the results out that nothing bears out, so that their tasks are implemented. Answers whether there were any.
///
/// # Errors
/// When files cannot be read or written.
pub(crate) async fn take_out_unseen(run: &Arc<Run>, memory: &Memory) -> Result<bool, PhaseError> {
    let found = look(run, memory).await?;
    if found.unseen.is_empty() {
        return Ok(false);
    }
    run.say(IMPLEMENT, EventStatus::Progress, done_here(&found));
    if memory.round.is_none()
        && let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval)
    {
        // Else the review that is set aside would make it a later round than the results that stay.
        let n = memory.report.as_ref().map_or(memory.earlier_rounds + 1, |report| report.round);
        let tasks = approval.task_ids(&plan.plan);
        run.store.write(&Round { n, kind: RoundKind::First, tasks, issues: Vec::new() })?;
    }
    match memory.report.clone() {
        Some(mut report) => {
            report.results.retain(|result| !found.unseen.contains(&result.task_id));
            run.store.start_next_round(SetAside::Retry, &report)?;
        }
        None => drop(run.store.set_aside(SetAside::Retry, &[ReviewOutput::FILE])?),
    }
    Ok(true)
}

fn done_here(found: &Elsewhere) -> String {
    let count = found.unseen.len();
    format!(
        "{}: said to be done, and {}. There is nothing to review; the {} {} implemented here.",
        found.unseen.join(", "),
        found.why_unseen(),
        text::plural(count, "task"),
        are(&found.unseen),
    )
}

fn are(ids: &[String]) -> &'static str {
    if ids.len() == 1 { "is" } else { "are" }
}

fn were(ids: &[String]) -> &'static str {
    if ids.len() == 1 { "was" } else { "were" }
}

/// What the gate says of it. What cannot be read is no reason not to ask, and is logged.
///
/// # Errors
/// When the run was cancelled.
pub(crate) async fn gate_warnings(run: &Arc<Run>, memory: &Memory) -> Result<Vec<String>, PhaseError> {
    match look(run, memory).await {
        Ok(found) => Ok(found.at_the_gate()),
        Err(error @ PhaseError::Agent(AgentError::Cancelled)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "cannot tell what was done elsewhere");
            Ok(Vec::new())
        }
    }
}
