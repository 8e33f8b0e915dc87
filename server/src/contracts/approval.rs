use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Handoff, lenient_timestamp, null_as_default};

/// A person's (or `approval = "auto"`'s) answer to one very plan. Void when the plan's bytes change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// SHA-256 of the bytes of plan.json that were answered, in hex.
    pub plan_sha256: String,
    /// Yes or no.
    pub decision: Decision,
    /// Who answered.
    pub by: ApprovedBy,
    /// The tasks that were approved; null for all.
    #[serde(default)]
    pub tasks: Option<Vec<String>>,
    /// When.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Its number among the answers given in this workspace: only the last one counts. Missing in an answer from before
    /// they were numbered, which counts until one with a number is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// Message authentication code under the user's own key; an approval without a right one counts as absent.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub mac: String,
}

/// Yes or no to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Go on.
    Approved,
    /// Stop.
    Rejected,
}

/// Who answered at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApprovedBy {
    /// A person who saw the plan.
    Person,
    /// The setting or flag that approves by itself.
    Auto,
}

/// The scope of the implement round at hand, written before anything moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Round {
    /// Number of the round within the workflow, from 1.
    #[serde(default = "first_round", deserialize_with = "round_number")]
    #[schemars(with = "Option<u32>")]
    pub n: u32,
    /// Why there is a round.
    pub kind: RoundKind,
    /// Ids of the tasks in scope.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub tasks: Vec<String>,
    /// Ids of the issues to fix.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub issues: Vec<String>,
}

/// Why there is an implement round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoundKind {
    /// The plan is implemented.
    First,
    /// Review issues are fixed.
    Fix,
    /// Failing checks are repaired.
    Repair,
}

/// The issues the user dismissed, by id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Dismissed(pub Vec<String>);

impl Handoff for Approval {
    const NAME: &'static str = "approval";
    const FILE: &'static str = "approval.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}

impl Handoff for Round {
    const NAME: &'static str = "round";
    const FILE: &'static str = "round.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}

impl Handoff for Dismissed {
    const NAME: &'static str = "dismissed";
    const FILE: &'static str = "dismissed.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}

pub(super) fn first_round() -> u32 {
    1
}

pub(super) fn round_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(first_round))
}
