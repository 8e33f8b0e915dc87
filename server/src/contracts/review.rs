use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::schema::{Handoff, lenient_timestamp, null_as_default};
use super::{Dismissal, Dismissed};
use crate::text;

/// The reviewer's judgement of what was implemented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReviewOutput {
    /// When the review was written. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// The implement round it judges, from 1. The server fills it.
    #[serde(default = "super::round::first_round", deserialize_with = "super::round::round_number")]
    #[schemars(with = "Option<u32>")]
    pub round: u32,
    /// A re-review's word on issues that were open before. Taken in, never written.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Answer>>")]
    pub answers: Vec<Answer>,
    /// What is wrong, each at its place.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Issue>>")]
    pub issues: Vec<Issue>,
    /// What became of every acceptance criterion of the tasks that were reviewed.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<CriterionResult>>")]
    pub criteria: Vec<CriterionResult>,
    /// How the changes left the plan; empty where they did not.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub drift_details: String,
    /// Whether the changes left the plan. The server joins what it computes with what the reviewer says.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<bool>")]
    pub plan_drift_detected: bool,
    /// The judgement in a few sentences.
    pub summary: String,
    /// The judgement in a word.
    pub verdict: Verdict,
    /// What should happen next.
    pub recommended_action: RecommendedAction,
    /// What the reviewer recommended, where the server took something else. The server fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommended: Option<Recommended>,
    /// Branch the review was made on; null on a detached HEAD or without git. The server fills it.
    #[serde(default)]
    pub branch: Option<String>,
    /// Commit the review was made on; null without one. The server fills it.
    #[serde(default)]
    pub head: Option<String>,
    /// For a review of a diff nobody planned: the commit it compares with. The server fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// What the reviewer recommended before the server took something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recommended {
    /// Its verdict.
    pub verdict: Verdict,
    /// Its action.
    pub action: RecommendedAction,
}

/// What became of one acceptance criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CriterionResult {
    /// The task's id in the plan.
    pub task_id: String,
    /// Which of the task's criteria, from 1.
    pub criterion: u32,
    /// What shows that it is met: a check that ran and passed, or a line of the code or of a test. Null where nothing does.
    #[serde(default)]
    pub evidence: Option<Evidence>,
    /// Whether it is met.
    pub state: CriterionState,
}

/// What shows that a criterion is met: the name of a check, or a line that is quoted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Name of a check that ran and passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Path relative to the workspace root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The exact text of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

/// Whether a criterion is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CriterionState {
    /// It is, and the evidence shows it.
    Met,
    /// It is not.
    Unmet,
    /// Nothing shows whether it is.
    Unproven,
}

/// The review of a diff nobody planned. It stands beside a workflow and drives none, and names the commit that it
/// compares with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(transform = require_base)]
pub struct BaseReview(pub ReviewOutput);

/// The judgement in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Good as it is.
    Approved,
    /// Good once the issues are fixed.
    ChangesRequested,
    /// Wrong at its root.
    Rejected,
}

/// What should happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecommendedAction {
    /// Done.
    Merge,
    /// The owners of the files mend the issues, and a review follows.
    FixAndReReview,
    /// The plan itself was wrong.
    RePlan,
    /// A person must decide.
    EscalateToHuman,
}

/// One finding of a review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// Path relative to the workspace root.
    pub file: String,
    /// First line, from 1.
    #[serde(default = "first_line", deserialize_with = "line")]
    #[schemars(with = "Option<u32>")]
    pub line: u32,
    /// Last line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// The exact text of the line, from which the server finds the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// What is wrong and why it matters.
    pub description: String,
    /// How to mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggested_fix: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The task it belongs to; missing means the owner of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// Whether its place was found; missing means yes. The server fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<bool>,
    /// Why it was found not to hold. The server fills it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuted: Option<Refuted>,
    /// Fingerprint of file, quoted line and description. The server fills it.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub id: String,
}

/// That another model looked at an issue and found that it does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refuted {
    /// The model that looked.
    pub by: String,
    /// Why it does not hold.
    pub reason: String,
    /// The severity that the reviewer gave it.
    pub severity: Severity,
}

/// How bad an issue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Data loss, a security hole, a crash, or the task not done.
    Critical,
    /// Wrong behaviour in a case that will happen.
    Major,
    /// Worth mending, nothing breaks.
    Minor,
    /// A matter of taste, with a reason.
    Suggestion,
}

/// What a re-review says of an issue that was open before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The issue's id.
    pub id: String,
    /// Whether it still stands.
    pub state: AnswerState,
}

/// Whether an earlier issue still stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerState {
    /// It is gone.
    Fixed,
    /// It is still there.
    Open,
}

impl ReviewOutput {
    /// The issues that the user has not dismissed.
    pub fn open_issues(&self, dismissed: &[Dismissal]) -> impl Iterator<Item = &Issue> {
        self.issues.iter().filter(|issue| !Dismissed::has(dismissed, &issue.id))
    }

    /// Whether it judges a working tree against a commit, and so drives no workflow.
    pub fn is_of_base(&self) -> bool {
        self.base.is_some()
    }

    /// The beginning of the commit that it compares with, safe to show; empty for the review of a workflow.
    pub fn short_base(&self) -> String {
        short_commit(self.base.as_deref().unwrap_or_default())
    }
}

impl Verdict {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::ChangesRequested => "changes_requested",
            Self::Rejected => "rejected",
        }
    }
}

impl RecommendedAction {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::FixAndReReview => "fix_and_re_review",
            Self::RePlan => "re_plan",
            Self::EscalateToHuman => "escalate_to_human",
        }
    }
}

impl Issue {
    /// Whether it stands at a place that was found.
    pub fn is_placed(&self) -> bool {
        self.placed != Some(false)
    }
}

impl Refuted {
    /// As people are told: `refuted: the line above checks it`.
    pub fn words(&self) -> String {
        format!("refuted: {}", self.reason.trim())
    }
}

impl CriterionState {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Unmet => "unmet",
            Self::Unproven => "unproven",
        }
    }
}

impl Severity {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Suggestion => "suggestion",
        }
    }
}

impl Handoff for ReviewOutput {
    const NAME: &'static str = "review";
    const FILE: &'static str = "review.json";
    const SERVER_FILLED: &'static [&'static str] = &[
        "timestamp",
        "round",
        "issues.placed",
        "issues.refuted",
        "issues.id",
        "recommended",
        "branch",
        "head",
        "base",
    ];

    fn complete(mut value: Value, assume: &mut dyn FnMut(String, String)) -> Value {
        let said = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (verdict, action) = (said("verdict"), said("recommended_action"));
        let mut missing = Vec::new();
        match (verdict.as_deref(), action.as_deref()) {
            (Some("approved"), None) => missing.push(("recommended_action", "merge")),
            (Some("changes_requested"), None) => missing.push(("recommended_action", "fix_and_re_review")),
            (None, Some("merge")) => missing.push(("verdict", "approved")),
            (None, Some("fix_and_re_review")) => missing.push(("verdict", "changes_requested")),
            (None, Some("re_plan" | "escalate_to_human")) => missing.push(("verdict", "rejected")),
            _ => {}
        }
        if said("summary").is_none() {
            missing.push(("summary", ""));
        }
        for (name, taken) in missing {
            // A word that is none of ours is a mistake, and stays one.
            if value.get(name).is_none_or(Value::is_null) && value.is_object() {
                assume(String::new(), format!("\"{name}\" is missing and was taken as {taken:?}"));
                value[name] = Value::from(taken);
            }
        }
        value
    }
}

impl Handoff for BaseReview {
    const NAME: &'static str = "base_review";
    const FILE: &'static str = "base_review.json";
    const SERVER_FILLED: &'static [&'static str] = ReviewOutput::SERVER_FILLED;
}

fn require_base(schema: &mut schemars::Schema) {
    if let Some(base) = schema.pointer_mut("/properties/base").and_then(|base| base.as_object_mut()) {
        base.shift_remove("default");
        base.insert("type".to_owned(), "string".into());
    }
    if let Some(required) = schema.pointer_mut("/required").and_then(|required| required.as_array_mut()) {
        required.push("base".into());
    }
}

/// The beginning of a commit's id, as people know it, safe to show.
pub fn short_commit(commit: &str) -> String {
    text::safe_line(commit).chars().take(10).collect()
}

/// The fingerprint of an issue: the same finding at the same text has the same id, wherever its line moved.
///
/// `text` is the quoted line, or the line the issue stands on; white space around it does not count.
pub fn issue_id(file: &str, text: &str, description: &str) -> String {
    let mut hash = Sha256::new();
    for part in [file, text.trim(), description.trim()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn first_line() -> u32 {
    1
}

fn line<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(first_line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::read;
    use super::*;

    #[test]
    fn an_issue_is_open_until_it_is_dismissed() {
        let issue = |id: &str| json!({ "severity": "minor", "file": "a.rs", "description": "d", "id": id });
        let review: ReviewOutput = serde_json::from_value(json!({
            "verdict": "changes_requested", "summary": "s", "recommended_action": "fix_and_re_review",
            "issues": [issue("i1"), issue("i2")]
        }))
        .unwrap();
        let open: Vec<&str> = review.open_issues(&["i1".into()]).map(|issue| issue.id.as_str()).collect();
        assert_eq!(open, ["i2"]);
        assert_eq!(review.open_issues(&[]).count(), 2);
        assert!(!review.is_of_base());
    }

    #[test]
    fn a_review_against_a_commit_names_it() {
        let review = json!({ "verdict": "approved", "summary": "s", "recommended_action": "merge" });
        for base in [json!(null), json!(7)] {
            let mut without = review.clone();
            without["base"] = base;
            assert_eq!(read::<BaseReview>(&without.to_string()).unwrap_err()[0].pointer, "/base");
        }
        let missing = read::<BaseReview>(&review.to_string()).unwrap_err();
        assert!(missing[0].message.contains("\"base\" is a required property"), "{missing:?}");
        let mut against = review;
        against["base"] = json!("0123456789abcdef\u{1b}[2J");
        let BaseReview(against) = read(&against.to_string()).unwrap();
        assert_eq!(against.short_base(), "0123456789");
        assert_eq!(json!(BaseReview(against.clone())), json!(against));
    }

    #[test]
    fn judgements_are_called_as_in_the_json() {
        for verdict in [Verdict::Approved, Verdict::ChangesRequested, Verdict::Rejected] {
            assert_eq!(json!(verdict), verdict.as_str());
        }
        let actions = [RecommendedAction::Merge, RecommendedAction::FixAndReReview, RecommendedAction::RePlan];
        for action in actions.into_iter().chain([RecommendedAction::EscalateToHuman]) {
            assert_eq!(json!(action), action.as_str());
        }
        for severity in [Severity::Critical, Severity::Major, Severity::Minor, Severity::Suggestion] {
            assert_eq!(json!(severity), severity.as_str());
        }
        for state in [CriterionState::Met, CriterionState::Unmet, CriterionState::Unproven] {
            assert_eq!(json!(state), state.as_str());
        }
    }
}
