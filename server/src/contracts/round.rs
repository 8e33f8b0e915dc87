use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Handoff, null_as_default};

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

impl Handoff for Round {
    const NAME: &'static str = "round";
    const FILE: &'static str = "round.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}

pub(super) fn first_round() -> u32 {
    1
}

pub(super) fn round_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    // Some tools count from 0. A round before the first one could never be entered.
    let number: Option<u32> = Option::deserialize(deserializer)?;
    Ok(number.unwrap_or_else(first_round).max(first_round()))
}

#[cfg(test)]
mod tests {
    use crate::contracts::{Findings, ReviewOutput, read};

    #[test]
    fn a_round_is_counted_from_one_whatever_a_file_says() {
        for (said, round) in [("0", 1), ("null", 1), ("1", 1), ("3", 3)] {
            assert_eq!(read::<Findings>(&format!(r#"{{"round": {said}, "summary": "s"}}"#)).unwrap().round, round);
            let review =
                format!(r#"{{"round": {said}, "verdict": "approved", "summary": "s", "recommended_action": "merge"}}"#);
            assert_eq!(read::<ReviewOutput>(&review).unwrap().round, round);
        }
    }
}
