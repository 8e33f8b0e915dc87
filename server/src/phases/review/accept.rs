//! What is taken from a reviewer.

use serde_json::Value;

use super::criteria::{self, Judged};
use super::earlier::Earlier;
use crate::agents::{fault_text, submit_tool};
use crate::contracts::{Answer, AnswerState, RecommendedAction, ReviewOutput, Severity, Verdict, parse};
use crate::models::ToolSpec;
use crate::phases::placing::{self, Texts};

/// The tool the reviewer ends with.
pub(super) fn submit() -> ToolSpec {
    submit_tool::<ReviewOutput>("submit_review", "Hand on your judgement. Ends your work.")
}

/// The same for a diff nobody planned: it has no criteria.
pub(super) fn submit_unplanned() -> ToolSpec {
    let mut tool = submit();
    if let Some(properties) = tool.input_schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.shift_remove("criteria");
    }
    if let Some(required) = tool.input_schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "criteria");
    }
    tool
}

/// Take a submission about a diff nobody planned: there is no plan to leave, or to make again. Without the files, issues are
/// taken whether or not they have a place.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept_unplanned(input: Value, texts: Option<&Texts<'_>>) -> Result<ReviewOutput, Vec<String>> {
    let mut review = read(input)?;
    let mut faults = contradictions(&review, &Earlier::default());
    faults.extend(texts.iter().flat_map(|texts| placing::faults(&review.issues, texts)));
    if review.recommended_action == RecommendedAction::RePlan {
        faults.push(
            "/recommended_action: there is no plan to make again; with verdict \"rejected\" recommend \
             escalate_to_human, and say in the summary what is wrong at the root"
                .to_owned(),
        );
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    review.plan_drift_detected = false;
    review.drift_details.clear();
    review.criteria.clear();
    Ok(review)
}

/// Take a submission: its shape, that verdict and action go together, that issues have a place, that every criterion is
/// answered, and that quotes which show one to be met are copied well.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept(
    input: Value,
    work: &Judged,
    earlier: &Earlier,
    texts: &Texts<'_>,
) -> Result<ReviewOutput, Vec<String>> {
    let mut review = read(input)?;
    let mut faults = contradictions(&review, earlier);
    faults.extend(placing::faults(&review.issues, texts));
    faults.extend(criteria::faults(&review, work, earlier));
    faults.extend(criteria::evidence_faults(&review, work, texts));
    if !faults.is_empty() {
        return Err(faults);
    }
    criteria::complete(&mut review, work, texts);
    Ok(review)
}

/// Take the last submission that the reviewer can make: issues without a place are kept, and criteria that are not answered
/// are unproven.
///
/// # Errors
/// What is wrong with it otherwise.
pub(super) fn accept_last(
    input: Value,
    work: &Judged,
    earlier: &Earlier,
    texts: &Texts<'_>,
) -> Result<ReviewOutput, Vec<String>> {
    let mut review = read(input)?;
    let faults = contradictions(&review, earlier);
    if !faults.is_empty() {
        return Err(faults);
    }
    criteria::complete(&mut review, work, texts);
    Ok(review)
}

fn read(mut input: Value) -> Result<ReviewOutput, Vec<String>> {
    clean_issues(&mut input);
    for criterion in input.get_mut("criteria").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(evidence) = criterion.get_mut("evidence") {
            clamp(evidence, "line");
        }
    }
    let mut review: ReviewOutput = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    review.recommended = None;
    Ok(review)
}

/// What of a judgement contradicts itself.
fn contradictions(review: &ReviewOutput, earlier: &Earlier) -> Vec<String> {
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
    faults
}

/// Make issues of a model what they can be: a line number that no file has is no reason to lose a finding, as its place is
/// set by its quote, or clamped; and what only the server knows is taken out.
pub(in crate::phases) fn clean_issues(input: &mut Value) {
    for issue in input.get_mut("issues").and_then(Value::as_array_mut).into_iter().flatten() {
        clamp(issue, "line");
        clamp(issue, "end_line");
        if let Some(issue) = issue.as_object_mut() {
            issue.shift_remove("placed");
            issue.shift_remove("refuted");
        }
    }
}

fn clamp(value: &mut Value, field: &str) {
    let Some(number) = value.get(field).and_then(Value::as_f64) else { return };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what u32 holds")]
    let tame = number.clamp(1.0, f64::from(u32::MAX)) as u32;
    value[field] = tame.into();
}
