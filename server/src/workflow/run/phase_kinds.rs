//! The values that a row of the table of phases is made of.

use crate::contracts::Complexity;
use crate::models::Tier;

/// What people call a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Titles {
    /// What it does, as the help of a command says it: "Judge what was written".
    pub help: &'static str,
    /// The subject of a sentence about it: "The review" (is done).
    pub subject: &'static str,
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseEnd {
    /// Its handoff is written.
    Done,
    /// Its handoff is written and says that something failed; the message tells what.
    Failed {
        /// What failed and what to do.
        message: String,
        /// Whether it was only that models could not be asked.
        no_conclusion: bool,
    },
}

/// The tools an agent has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolSet {
    /// Look only.
    Read,
    /// Look, and write a task's own files.
    Write,
    /// Look, also at what was changed.
    ReadDiff,
}

/// Which model serves a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierRule {
    /// Always this one.
    Always(Tier),
    /// By the task's complexity.
    ByComplexity,
}

impl TierRule {
    /// The tier for a task of this complexity; a phase without tasks passes any.
    pub fn tier(self, complexity: Complexity) -> Tier {
        match (self, complexity) {
            (Self::Always(tier), _) => tier,
            (Self::ByComplexity, Complexity::Simple) => Tier::Fast,
            (Self::ByComplexity, Complexity::Moderate | Complexity::Complex) => Tier::Balanced,
        }
    }
}
