use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Handoff, lenient_timestamp, null_as_default};

/// `accepted.json`: a person takes the work as it is, whatever this very review asks for. Void when the review's bytes
/// change, and moved to history with the review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// SHA-256 of the bytes of review.json, in hex.
    pub review_sha256: String,
    /// Why, in the person's words.
    #[serde(default)]
    pub because: Option<String>,
    /// When.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Message authentication code under the user's own key; an acceptance without a right one counts as absent.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub mac: String,
}

impl Handoff for Acceptance {
    const NAME: &'static str = "accepted";
    const FILE: &'static str = "accepted.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}
