use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::review::Issue;
use super::schema::{Handoff, lenient_timestamp, null_as_default};

/// `<phase>.json`: what a further reviewing phase found in the work of a round. It decides nothing: the reviewer is
/// given it, and people see its issues as diagnostics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// When it was written. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// The implement round whose work it is about, from 1. The server fills it.
    #[serde(default = "super::round::first_round", deserialize_with = "super::round::round_number")]
    #[schemars(with = "Option<u32>")]
    pub round: u32,
    /// What is wrong, each at its place.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<Issue>>")]
    pub issues: Vec<Issue>,
    /// What was found, in a few sentences.
    pub summary: String,
}

/// Its file is named after the phase: see [`HandoffFile::findings`](super::HandoffFile::findings).
impl Handoff for Findings {
    const NAME: &'static str = "findings";
    const FILE: &'static str = "findings.json";
    const SERVER_FILLED: &'static [&'static str] =
        &["timestamp", "round", "issues.placed", "issues.refuted", "issues.id"];
}
