//! What was done in a round, as reviewing agents are shown it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::attached;
use crate::agents::Opening;
use crate::contracts::{ImplReport, Issue, PlanOutput, RepoPath, ReviewOutput};
use crate::memory::Memory;
use crate::text::cut;
use crate::tools::Toolbox;
use crate::workflow::{Changes, EditorFinding, ForeignWork, PhaseError, Run, foreign_work};

/// The changes of a workflow, by our agents and by others.
pub(super) struct WorkDone {
    /// What our agents changed, as it stands in the editor.
    pub(super) changes: Changes,
    /// What was done by others.
    pub(super) foreign: ForeignWork,
    /// One line a changed file, with what its agent says of it.
    pub(super) summaries: Vec<String>,
    /// The diff as it is attached to a first message.
    pub(super) diff: Opening,
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
        let mut summaries = changes.without(|path| foreign.has(path)).summaries();
        summaries.extend(foreign.summaries());
        if let Some(report) = &memory.report {
            add_words(&mut summaries, report);
        }
        let editor = run.editor.findings(&files(&changes, &foreign), &run.context.cancel).await;
        let diffs = diffs(&changes, &foreign);
        let toolbox = Toolbox::reviewer(run.workspace.clone(), run.store.path().clone(), diffs.clone());
        let diff = attached::diff(&toolbox, &diffs, &run.context.cancel).await?;
        Ok(Self { changes, foreign, summaries, diff, editor })
    }

    /// Each changed file with its diff.
    pub(super) fn diffs(&self) -> Vec<(RepoPath, String)> {
        diffs(&self.changes, &self.foreign)
    }
}

/// Add to the line of each file what the tasks' agents say of their change.
fn add_words(lines: &mut [String], report: &ImplReport) {
    const LONGEST: usize = 400;
    let mut words: HashMap<&str, Vec<String>> = HashMap::new();
    for change in report.results.iter().flat_map(|result| &result.changes) {
        let summary = change.summary.split_whitespace().collect::<Vec<_>>().join(" ").replace("</", "< /");
        if !summary.is_empty() {
            words.entry(&change.path).or_default().push(cut(&summary, LONGEST).into_owned());
        }
    }
    for line in lines {
        let said = line.split_once(": ").and_then(|(path, _)| words.get(path));
        if let Some(said) = said.map(|said| said.join("; ")) {
            line.push_str(": ");
            line.push_str(&said);
        }
    }
}

/// The report as reviewing agents are shown it: without what they are told elsewhere (the changed files), and without what
/// says nothing to them (hashes, times, names of logs).
pub(super) fn report_told(report: &ImplReport) -> Value {
    let results = report.results.iter().map(|result| {
        json!({
            "task_id": result.task_id, "status": result.status, "notes": result.notes, "blockers": result.blockers,
        })
    });
    let checks = report.checks.iter().map(|check| {
        let mut told = json!(check);
        if let Some(told) = told.as_object_mut() {
            told.retain(|name, value| !value.is_null() && !matches!(name.as_str(), "log" | "elapsed_ms"));
        }
        told
    });
    json!({ "results": results.collect::<Vec<_>>(), "checks": checks.collect::<Vec<_>>() })
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
