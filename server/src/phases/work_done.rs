//! What was done in a round, as reviewing agents are shown it.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::attached;
use super::named::{For, Named};
use crate::agents::Opening;
use crate::contracts::{ImplReport, Issue, PlanOutput, RepoPath, ReviewOutput, TaskResult};
use crate::memory::Memory;
use crate::tools::Toolbox;
use crate::workflow::{Changes, EditorFinding, ForeignWork, PhaseError, Run, foreign_work};

/// The changes of a workflow, by our agents and by others.
pub(super) struct WorkDone {
    /// What our agents changed, as it stands in the editor.
    pub(super) changes: Changes,
    /// What was done by others.
    pub(super) foreign: ForeignWork,
    /// One line a changed file that the report does not tell of, or not as it is.
    pub(super) summaries: Vec<String>,
    /// The diff as it is attached to a first message.
    pub(super) diff: Opening,
    /// The lines that the context names and the diff does not show.
    pub(super) ranges: Opening,
    /// What the editor's language tools say of the changed files.
    pub(super) editor: Vec<EditorFinding>,
}

impl WorkDone {
    /// Look it up, and keep the diff of the workflow in the run's folder.
    ///
    /// # Errors
    /// When journals or files cannot be read or the diff not be written, and when the run was cancelled.
    pub(super) async fn look_up(run: &Arc<Run>, memory: &Memory) -> Result<Self, PhaseError> {
        let changes = Changes::load(&run.store, &run.workspace)?;
        // The run that implemented may have been killed before it could.
        changes.write_diff(run)?;
        let changes = changes.as_open(&run.workspace);
        let foreign = foreign_work(run, memory).await?;
        let reported = || memory.report.iter().flat_map(|report| &report.results).flat_map(|result| &result.changes);
        let named = reported().map(|change| change.path.as_str());
        let keys = run.workspace.file_keys_of(named.chain(changes.files().map(|file| file.path.as_str())));
        let reported: HashSet<String> = reported().filter_map(|change| keys.key_of(&change.path)).collect();
        let unreadable: HashSet<&RepoPath> =
            changes.files().filter(|file| file.unreadable.is_some()).map(|file| &file.path).collect();
        let is_told = |path: &RepoPath| foreign.has(path) || reported.contains(&keys.key(path));
        let mut summaries = changes.without(|path| is_told(path) && !unreadable.contains(path)).summaries();
        summaries.extend(foreign.summaries());
        let editor = run.editor.findings(&files(&changes, &foreign), &run.context.cancel).await;
        let diffs = diffs(&changes, &foreign);
        let toolbox = Toolbox::reviewer(run.workspace.clone(), run.store.path().clone(), diffs.clone());
        let diff = attached::diff(&toolbox, &diffs, &run.context.cancel).await?;
        let named = memory.context.as_ref().map(|context| Named::of(context, &run.workspace, &changes));
        let named = named.unwrap_or_default().without_shown(&diffs);
        let ranges = named.attached(&toolbox, For::Review, &run.context.cancel).await?;
        Ok(Self { changes, foreign, summaries, diff, ranges, editor })
    }

    /// Each changed file with its diff.
    pub(super) fn diffs(&self) -> Vec<(RepoPath, String)> {
        diffs(&self.changes, &self.foreign)
    }
}

/// The report as reviewing agents are shown it, without what says nothing to them: hashes, times, names of logs. Of files that
/// others changed too, what differs is told instead of what the report says.
pub(super) fn report_told(report: &ImplReport, foreign: &ForeignWork) -> Value {
    let is_told = |path: &str| RepoPath::parse(path).is_ok_and(|path| !foreign.has(&path));
    let results = report.results.iter().map(|result| {
        let mut result = result.clone();
        result.changes.retain(|change| is_told(&change.path));
        result
    });
    let checks = report.checks.iter().map(|check| {
        let mut told = json!(check);
        if let Some(told) = told.as_object_mut() {
            told.retain(|name, value| !value.is_null() && !matches!(name.as_str(), "log" | "elapsed_ms"));
        }
        told
    });
    let (results, checks): (Vec<TaskResult>, Vec<Value>) = (results.collect(), checks.collect());
    json!({ "round": report.round, "results": results, "checks": checks })
}

fn diffs(changes: &Changes, foreign: &ForeignWork) -> Vec<(RepoPath, String)> {
    let ours = changes.without(|path| foreign.has(path)).diffs();
    ours.into_iter().chain(foreign.diffs()).collect()
}

/// The changed files that are there, sorted.
fn files(changes: &Changes, foreign: &ForeignWork) -> Vec<RepoPath> {
    let ours = changes.files().filter(|file| file.now.is_some()).map(|file| &file.path);
    let theirs = foreign.files.iter().filter(|theirs| theirs.file.now.is_some()).map(|theirs| &theirs.file.path);
    let mut files: Vec<RepoPath> = ours.chain(theirs).cloned().collect();
    files.sort();
    files.dedup();
    files
}

/// What was changed since the review before that of this round, each file with its diff; `None` where there was no review.
///
/// # Errors
/// When a journal or a file cannot be read.
pub(super) fn diffs_since_review(run: &Run, round: u32) -> Result<Option<Vec<(RepoPath, String)>>, PhaseError> {
    let Some(before) = run.store.review_before(round) else { return Ok(None) };
    let changes = Changes::after_round(&run.store, &run.workspace, before.round)?;
    Ok(Some(changes.as_open(&run.workspace).diffs()))
}

/// The plan and the report that a reviewing phase works on.
///
/// # Errors
/// When there are none: the phase was due too early.
pub(super) fn implemented(memory: &Memory) -> Result<(&PlanOutput, &ImplReport), PhaseError> {
    match (&memory.plan, &memory.report) {
        (Some(plan), Some(report)) => Ok((&plan.plan, report)),
        _ => Err(PhaseError::Internal("a review was due without a plan and a report".to_owned())),
    }
}

/// The issues of these reviews and of further phases that the user dismissed.
///
/// # Errors
/// When the history cannot be read.
pub(super) fn dismissed_issues(run: &Run, memory: &Memory, reviews: &[ReviewOutput]) -> Result<Vec<Issue>, PhaseError> {
    let mut dismissed: Vec<Issue> = Vec::new();
    if memory.dismissed.is_empty() {
        return Ok(dismissed);
    }
    let earlier = run.store.earlier_findings()?;
    let found = earlier.iter().chain(memory.findings.values()).flat_map(|found| &found.issues);
    for issue in reviews.iter().flat_map(|review| &review.issues).chain(found) {
        if memory.is_dismissed(&issue.id) && dismissed.iter().all(|known| known.id != issue.id) {
            dismissed.push(issue.clone());
        }
    }
    Ok(dismissed)
}

/// What a reviewing phase lacks to be run by name.
pub(super) fn lacks_work(memory: &Memory) -> Option<&'static str> {
    implemented(memory).is_err().then_some("an implementation: run --phase implement first")
}

/// The plan as far as it was approved: a review covers nothing else.
pub(super) fn approved_part(plan: &PlanOutput, memory: &Memory) -> PlanOutput {
    let mut plan = plan.clone();
    let Some(approval) = &memory.approval else { return plan };
    let ids = approval.task_ids(&plan);
    plan.tasks.retain(|task| ids.contains(&task.id));
    for group in &mut plan.parallel_groups {
        group.retain(|id| ids.contains(id));
    }
    plan.parallel_groups.retain(|group| !group.is_empty());
    plan
}
