//! A review of the working tree against a commit: the same reviewer, with no plan and no edits. It is no part of a
//! workflow, and drives none.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::accept::{accept_unplanned, submit_unplanned};
use super::brief::{Unplanned, guidance_section, unplanned_message};
use super::earlier::Earlier;
use super::finish::{Facts, finish, verdict_and_count};
use super::validate::{Grounds, validate};
use crate::agents::AgentError;
use crate::contracts::{Issue, RecommendedAction, RepoPath, ReviewOutput, Verdict, short_commit};
use crate::memory::{Memory, MemoryError};
use crate::models::ToolSpec;
use crate::phases::attached;
use crate::phases::placing::{Texts, use_names_on_disk};
use crate::phases::run_one::{OneAgent, Work, run_one, toolbox};
use crate::text::count;
use crate::workflow::{Phase, PhaseError, Run};
use crate::workspace::{self, Base, BaseDiff, BaseError, BaseFile, Compared, Head};

/// Judge what differs from a commit. Answers with the final message.
///
/// # Errors
/// When the working tree cannot be compared, the reviewer hands nothing on, or the run is cancelled.
pub(super) async fn review(phase: &dyn Phase, run: &Arc<Run>, base: &Base) -> Result<String, PhaseError> {
    let against = AgainstBase { phase, base, name: name_of(base) };
    // Faults of the workflow's files do not stand in the way.
    let (memory, _faults) = run.store.inspect()?;
    let (_, material) = run_one(&against, run, &memory).await?;
    let files = count(material.diff.files.len(), "file");
    Ok(format!("Reviewed {files} against {}; nothing was changed.", against.name))
}

/// `origin/main (since 1a2b3c4d5e)`
fn name_of(base: &Base) -> String {
    let short = short_commit(&base.commit);
    if base.commit.starts_with(&base.reference) { short } else { format!("{} (since {short})", base.reference) }
}

/// The same for the reviewer, to whom a hash says nothing.
fn told_name_of(base: &Base) -> String {
    match base.commit.starts_with(&base.reference) {
        true => "the commit that the user named".to_owned(),
        false => format!("{} (since the last commit that both have)", base.reference),
    }
}

struct AgainstBase<'a> {
    phase: &'a dyn Phase,
    base: &'a Base,
    name: String,
}

struct Material {
    head: Option<Head>,
    diff: BaseDiff,
    /// The same as models are shown it, by file.
    diffs: Vec<(RepoPath, String)>,
    earlier: Earlier,
}

#[async_trait]
impl OneAgent for AgainstBase<'_> {
    type Handoff = ReviewOutput;
    type Material = Material;

    fn phase(&self) -> &dyn Phase {
        self.phase
    }

    fn begin(&self, _run: &Run, _memory: &Memory) -> Result<String, PhaseError> {
        Ok(format!("Reviewing against {}", self.name))
    }

    async fn gather(&self, run: &Arc<Run>, memory: &Memory) -> Result<(Work<ReviewOutput>, Material), PhaseError> {
        let head = workspace::head(&run.workspace);
        let diff = compared(run, self.base).await?;
        let earlier = dismissed_before(run, memory)?;
        if diff.files.is_empty() {
            return Ok((
                Work::Nothing(nothing_to_review(&self.name, &diff)),
                Material { head, diff, diffs: Vec::new(), earlier },
            ));
        }
        let (files, diffs) = files_and_diffs(&diff.files);
        let compared: Vec<Compared<'_>> = diff.files.iter().map(BaseFile::compared).collect();
        let changed = workspace::change_summaries(&compared, &|_| String::new());
        let toolbox = toolbox(run, self.phase, "", diffs.clone());
        let first_message = unplanned_message(Unplanned {
            base: &told_name_of(self.base),
            branch: head.as_ref().and_then(|head| head.branch.as_deref()),
            commits: &commit_lines(&diff),
            changed: &changed,
            diff: attached::diff(&toolbox, &diffs, &run.context.cancel).await?,
            left_out: &diff.left_out,
            earlier: &earlier,
            dismissals: &memory.dismissed,
            guidance: &guidance_section(&run.workspace),
            findings: &run.editor.findings(&files, &run.context.cancel).await,
        });
        Ok((Work::ask(first_message, toolbox), Material { head, diff, diffs, earlier }))
    }

    fn submit(&self) -> ToolSpec {
        submit_unplanned()
    }

    fn accept(&self, run: &Run, _material: &Material, input: Value) -> Result<ReviewOutput, Vec<String>> {
        accept_unplanned(input, Some(&Texts::of(run)))
    }

    fn accept_last(&self, _run: &Run, _material: &Material, input: Value) -> Result<ReviewOutput, Vec<String>> {
        accept_unplanned(input, None)
    }

    fn complete(
        &self,
        run: &Run,
        _memory: &Memory,
        material: &Material,
        mut review: ReviewOutput,
    ) -> Result<ReviewOutput, PhaseError> {
        use_names_on_disk(&run.workspace, &mut review.issues);
        let head = material.head.as_ref();
        let facts = Facts {
            now: Timestamp::now(),
            round: 1,
            branch: head.and_then(|head| head.branch.clone()),
            head: head.and_then(|head| head.commit.clone()),
            base: Some(self.base.commit.clone()),
            drift: Vec::new(),
        };
        Ok(finish(review, facts, &material.earlier, &Texts::of(run)))
    }

    async fn check(
        &self,
        run: &Arc<Run>,
        memory: &Memory,
        material: &Material,
        review: ReviewOutput,
    ) -> Result<(ReviewOutput, Vec<String>), PhaseError> {
        let grounds = Grounds { before: &[], diffs: &material.diffs, has_broken_check: false };
        validate(run, memory, review, &grounds).await
    }

    fn write(&self, run: &Run, review: &ReviewOutput) -> Result<(), PhaseError> {
        Ok(run.store.write_base_review(review)?)
    }

    fn done(&self, material: &Material, review: &ReviewOutput) -> String {
        let dismissed = &material.earlier.dismissed;
        let is_shown = |issue: &&Issue| dismissed.iter().all(|known| known.id != issue.id);
        verdict_and_count(review, review.issues.iter().filter(is_shown))
    }
}

/// What differs, found on the blocking pool.
async fn compared(run: &Arc<Run>, base: &Base) -> Result<BaseDiff, PhaseError> {
    let (working, base) = (run.clone(), base.clone());
    let compared = tokio::task::spawn_blocking(move || {
        let stopped = || working.context.cancel.is_cancelled();
        workspace::diff_with(&working.workspace, working.store.path(), &base, &stopped)
    });
    // Whoever cancels does not wait for git, which only reads.
    let compared = tokio::select! {
        compared = compared => compared,
        () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    match compared {
        Ok(Ok(diff)) => Ok(diff),
        Ok(Err(BaseError::Stopped)) => Err(AgentError::Cancelled.into()),
        Ok(Err(BaseError::Workspace(error))) => Err(error.into()),
        Ok(Err(error)) => Err(PhaseError::Base(error)),
        Err(error) => Err(PhaseError::Internal(format!("the comparison broke off: {error}"))),
    }
}

/// What the user dismissed of all reviews against a commit before this one: none of it is to be raised again.
fn dismissed_before(run: &Run, memory: &Memory) -> Result<Earlier, MemoryError> {
    let mut dismissed = if memory.dismissed.is_empty() { Vec::new() } else { run.store.base_issues(memory)? };
    dismissed.retain(|issue| memory.is_dismissed(&issue.id));
    Ok(Earlier { dismissed, ..Earlier::default() })
}

/// The files that are there, and every diff.
fn files_and_diffs(files: &[BaseFile]) -> (Vec<RepoPath>, Vec<(RepoPath, String)>) {
    let there = files.iter().filter(|file| file.now.is_some()).map(|file| file.path.clone());
    let compared: Vec<Compared<'_>> = files.iter().map(BaseFile::compared).collect();
    (there.collect(), workspace::diffs(&compared, true))
}

/// The commits as they are told, and how many were left out.
fn commit_lines(diff: &BaseDiff) -> Vec<String> {
    let mut lines = diff.commits.clone();
    lines.extend(diff.passed_over.words().map(|words| format!("({words})")));
    lines
}

/// Where nothing differs no model is asked.
fn nothing_to_review(against: &str, diff: &BaseDiff) -> ReviewOutput {
    let mut summary = format!("There is nothing to review: nothing differs from {against}.");
    if !diff.left_out.is_empty() {
        summary.push_str(&format!(" Not looked at: {}.", diff.left_out.join("; ")));
    }
    ReviewOutput {
        timestamp: None,
        round: 1,
        verdict: Verdict::Approved,
        summary,
        issues: Vec::new(),
        plan_drift_detected: false,
        drift_details: String::new(),
        recommended_action: RecommendedAction::Merge,
        branch: None,
        head: None,
        base: None,
        answers: Vec::new(),
        criteria: Vec::new(),
        recommended: None,
    }
}
