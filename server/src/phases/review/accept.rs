//! What is taken from a reviewer.

use serde_json::Value;

use super::earlier::Earlier;
use crate::agents::{fault_text, submit_tool};
use crate::contracts::{Answer, AnswerState, RecommendedAction, RepoPath, ReviewOutput, Severity, Verdict, parse};
use crate::models::ToolSpec;

/// The tool the reviewer ends with.
pub(super) fn submit() -> ToolSpec {
    submit_tool::<ReviewOutput>("submit_review", "Hand on your judgement. Ends your work.")
}

/// Take a submission about a diff nobody planned: there is no plan to leave, or to make again.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept_unplanned(input: Value) -> Result<ReviewOutput, Vec<String>> {
    let mut review = accept(input, &Earlier::default())?;
    if review.recommended_action == RecommendedAction::RePlan {
        return Err(vec![
            "/recommended_action: there is no plan to make again; with verdict \"rejected\" recommend \
             escalate_to_human, and say in the summary what is wrong at the root"
                .to_owned(),
        ]);
    }
    review.plan_drift_detected = false;
    review.drift_details.clear();
    Ok(review)
}

/// Take a submission: its shape, and that verdict and action go together.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept(mut input: Value, earlier: &Earlier) -> Result<ReviewOutput, Vec<String>> {
    clamp_lines(&mut input);
    let review: ReviewOutput = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    let mut faults = Vec::new();
    let merge = review.recommended_action == RecommendedAction::Merge;
    if merge != (review.verdict == Verdict::Approved) {
        faults.push(format!(
            "/recommended_action: verdict {} and action {} contradict each other; \"approved\" goes with \"merge\", \
             and \"merge\" with nothing else",
            review.verdict.as_str(),
            review.recommended_action.as_str()
        ));
    }
    if merge && let Some(index) = review.issues.iter().position(|issue| issue.severity == Severity::Critical) {
        faults.push(format!("/issues/{index}/severity: a critical issue cannot be merged"));
    }
    let is_critical =
        |id: &str| earlier.open.iter().any(|issue| issue.id == id && issue.severity == Severity::Critical);
    let stays_open = |answer: &Answer| answer.state == AnswerState::Open && is_critical(&answer.id);
    if merge && let Some(index) = review.answers.iter().position(stays_open) {
        faults.push(format!("/answers/{index}: a critical issue that is still open cannot be merged"));
    }
    let unanswered = |id: &&String| is_critical(id) && !review.answers.iter().any(|answer| answer.id == **id);
    if merge && let Some(id) = earlier.left.iter().find(unanswered) {
        faults.push(format!(
            "/answers: the critical issue {id} was not to be fixed in this round and is open; answer it as fixed, or do \
             not merge"
        ));
    }
    for (index, issue) in review.issues.iter().enumerate() {
        if let Err(error) = RepoPath::parse(&issue.file) {
            faults.push(format!("/issues/{index}/file: {error}"));
        }
    }
    if faults.is_empty() { Ok(review) } else { Err(faults) }
}

/// A line number that no file has is no reason to lose a finding: its place is set by its quote, or clamped.
pub(in crate::phases) fn clamp_lines(review: &mut Value) {
    for issue in review.get_mut("issues").and_then(Value::as_array_mut).into_iter().flatten() {
        for field in ["line", "end_line"] {
            let Some(number) = issue.get(field).and_then(Value::as_f64) else { continue };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what u32 holds")]
            let tame = number.clamp(1.0, f64::from(u32::MAX)) as u32;
            issue[field] = tame.into();
        }
    }
}
