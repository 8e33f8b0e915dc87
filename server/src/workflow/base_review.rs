//! A review of the working tree against a commit: the same reviewer, with no plan and no edits. It is no part of a
//! workflow, and drives none.

use std::sync::Arc;

use jiff::Timestamp;

use super::editor::findings;
use super::ending::{failed, run_end};
use super::engine::Request;
use super::error::{PhaseError, StartError};
use super::events::{EventPhase, EventStatus};
use super::next::{Next, Policy, next_phase};
use super::outcome::{Outcome, RunEnd};
use super::phase::Phase;
use super::phases::{brief, by_disk_names, close, handed_on, plural, text, toolbox};
use super::run::Run;
use crate::agents::review::{Earlier, Facts, Unplanned};
use crate::agents::{self, AgentError};
use crate::contracts::{Handoff, Issue, RecommendedAction, RepoPath, ReviewOutput, Verdict};
use crate::memory::{Memory, SetAside};
use crate::workspace::{self, Base, BaseDiff, BaseError, BaseFile, Workspace};

/// Whether a review against a commit may begin, and against which.
///
/// # Errors
/// When a workflow is unfinished, more is asked for, or there is nothing to compare with; the message says what to do.
pub(super) fn begin(
    workspace: &Workspace,
    memory: &Memory,
    request: &Request,
    policy: &Policy,
    reference: &str,
) -> Result<Base, StartError> {
    let usage = |message: String| Err(StartError::Usage(message));
    let more = [
        request.task.is_some(),
        request.phase.is_some(),
        request.only.is_some(),
        request.feedback.is_some(),
        request.fix.is_some(),
        request.reset,
    ];
    if more.contains(&true) {
        return usage(
            "a review against a commit goes with no task, phase, tasks, feedback, issues or reset".to_owned(),
        );
    }
    if reference.trim().is_empty() {
        return usage("name the commit to compare with, such as origin/main".to_owned());
    }
    if is_unfinished(memory, policy) {
        return usage(
            "a workflow is unfinished here, and its review must stay; go on with it by `baton run`, or set it aside by \
             `baton reset`, then review"
                .to_owned(),
        );
    }
    workspace::find_base(workspace, reference.trim()).map_err(|error| StartError::Usage(error.to_string()))
}

/// Whether there is a workflow that has begun and is neither approved nor rejected.
fn is_unfinished(memory: &Memory, policy: &Policy) -> bool {
    memory.is_begun() && !matches!(next_phase(memory, policy, Timestamp::now()), Next::Merged | Next::Rejected)
}

/// Review, and end.
pub(super) async fn drive(run: &Arc<Run>, base: &Base) -> RunEnd {
    match review(run, base).await {
        Ok(message) => {
            let memory = run.store.inspect().map(|(memory, _)| memory).unwrap_or_default();
            run_end(run, &memory, Outcome::Done, message)
        }
        Err(error) => {
            let mut end = failed(run, EventPhase::Review, &error);
            if end.outcome == Outcome::Cancelled {
                end.message = "Stopped in review. Nothing was changed.".to_owned();
            }
            end
        }
    }
}

/// Judge what differs. Answers with what is said at the end.
async fn review(run: &Arc<Run>, base: &Base) -> Result<String, PhaseError> {
    let phase = Phase::Review;
    let short: String = base.commit.chars().take(10).collect();
    let against = if base.commit.starts_with(&base.reference) {
        short.clone()
    } else {
        format!("{} (since {short})", base.reference)
    };
    run.say(EventPhase::Review, EventStatus::Started, format!("Reviewing against {against}"));
    let head = workspace::head(&run.workspace);
    let diff = compared(run, base).await?;
    let earlier = Arc::new(dismissed_before(&run.store.load_for_repair()?));
    let mut judged = if diff.files.is_empty() {
        nothing_to_review(&against, &diff)
    } else {
        let (files, diffs) = shown(&diff.files);
        let changed: Vec<String> = diff.files.iter().map(summary).collect();
        let findings = findings(run, &files).await;
        let work = Unplanned {
            base: &against,
            branch: head.as_ref().and_then(|head| head.branch.as_deref()),
            commits: &diff.commits,
            changed: &changed,
            left_out: &diff.left_out,
            earlier: &earlier,
            findings: &findings,
        };
        let message = agents::review::unplanned_message(&work);
        let toolbox = toolbox(run, phase, diffs);
        let brief = brief(run, phase, vec![run.prompts.review.clone()], message, toolbox, agents::review::submit())?;
        let accept = move |input| agents::review::accept_unplanned(input);
        handed_on(run, phase, &brief, &accept).await?
    };
    let facts = Facts {
        now: Timestamp::now(),
        round: 1,
        branch: head.as_ref().and_then(|head| head.branch.clone()),
        head: head.and_then(|head| head.commit),
        base: Some(base.commit.clone()),
        drift: Vec::new(),
    };
    by_disk_names(&run.workspace, &mut judged);
    let review = agents::review::finish(judged, facts, &earlier, &|path| text(&run.workspace, path));
    make_room(run)?;
    run.store.write(&review)?;
    close(run, phase.as_str())?;
    let issues =
        review.issues.iter().filter(|issue| earlier.dismissed.iter().all(|known| known.id != issue.id)).count();
    let message = format!("{}, {issues} {}", review.verdict.as_str().replace('_', " "), plural(issues, "issue"));
    run.say(EventPhase::Review, EventStatus::Done, message);
    let files = diff.files.len();
    Ok(format!("Reviewed {files} {} against {against}; nothing was changed.", plural(files, "file")))
}

/// What differs, found where it stalls nobody.
async fn compared(run: &Arc<Run>, base: &Base) -> Result<BaseDiff, PhaseError> {
    let (working, base) = (run.clone(), base.clone());
    let compared = tokio::task::spawn_blocking(move || {
        let stopped = || working.desk.cancel.is_cancelled();
        workspace::diff_with(&working.workspace, working.store.path(), &base, &stopped)
    });
    // Whoever cancels does not wait for git, which only reads.
    let compared = tokio::select! {
        compared = compared => compared,
        () = run.desk.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    match compared {
        Ok(Ok(diff)) => Ok(diff),
        Ok(Err(BaseError::Stopped)) => Err(AgentError::Cancelled.into()),
        Ok(Err(BaseError::Workspace(error))) => Err(error.into()),
        Ok(Err(error)) => Err(PhaseError::Base(error)),
        Err(error) => Err(PhaseError::Internal(format!("the comparison broke off: {error}"))),
    }
}

/// Set aside what stands where the review will: a finished workflow as a whole, an earlier review by itself, so that
/// what was dismissed of it stays dismissed. A task that nobody began stays.
fn make_room(run: &Run) -> Result<(), PhaseError> {
    let memory = run.store.load_to_mend()?;
    if memory.is_begun() {
        run.store.set_workflow_aside(SetAside::Finished)?;
    } else {
        run.store.set_aside(SetAside::Phase, &[ReviewOutput::FILE])?;
    }
    Ok(())
}

/// What the user dismissed of the review against a commit before this one.
fn dismissed_before(memory: &Memory) -> Earlier {
    let before = memory.review.iter().filter(|review| review.is_of_base());
    let dismissed = before.flat_map(|review| &review.issues).filter(|issue| memory.is_dismissed(&issue.id));
    Earlier { dismissed: dismissed.cloned().collect::<Vec<Issue>>(), ..Earlier::default() }
}

/// The files that are there, and every diff.
fn shown(files: &[BaseFile]) -> (Vec<RepoPath>, Vec<(RepoPath, String)>) {
    let there = files.iter().filter(|file| file.now.is_some()).map(|file| file.path.clone());
    let diff = |file: &BaseFile| workspace::unified_masked(&file.path, file.before.as_deref(), file.now.as_deref());
    (there.collect(), files.iter().map(|file| (file.path.clone(), diff(file))).collect())
}

/// `src/a.rs: modified, +3 -1`
fn summary(file: &BaseFile) -> String {
    let kind = match (&file.before, &file.now) {
        (None, _) => "created",
        (_, None) => "deleted",
        _ => "modified",
    };
    let (added, removed) = workspace::counts(file.before.as_deref(), file.now.as_deref());
    format!("{}: {kind}, +{added} -{removed}", file.path)
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
    }
}
