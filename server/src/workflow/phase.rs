use std::fmt;
use std::str::FromStr;

use super::events::EventPhase;
use crate::contracts::{Complexity, ContextOutput, Handoff, ImplReport, PlanOutput, ReviewOutput};
use crate::models::Tier;

/// One of the four phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Gather what a planner must know.
    Context,
    /// Make small tasks with files of their own.
    Plan,
    /// Do the tasks.
    Implement,
    /// Judge what was done.
    Review,
}

/// What there is to know of a phase.
#[derive(Debug, Clone, Copy)]
pub struct PhaseRow {
    /// The phase.
    pub phase: Phase,
    /// Its word in commands, events and prompts' file names.
    pub name: &'static str,
    /// The handoff it writes, in the memory folder.
    pub handoff: &'static str,
    /// The tools its agent has besides its submit tool.
    pub tools: ToolSet,
    /// Which model serves it.
    pub tier: TierRule,
    /// Most tokens one answer may have.
    pub max_tokens: u32,
    /// The phase that takes its handoff.
    pub next: Option<Phase>,
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

/// The phases, in their order: the one table a new phase is added to.
pub const PHASES: [PhaseRow; 4] = [
    PhaseRow {
        phase: Phase::Context,
        name: "context",
        handoff: ContextOutput::FILE,
        tools: ToolSet::Read,
        tier: TierRule::Always(Tier::Fast),
        max_tokens: 8_000,
        next: Some(Phase::Plan),
    },
    PhaseRow {
        phase: Phase::Plan,
        name: "plan",
        handoff: PlanOutput::FILE,
        tools: ToolSet::Read,
        tier: TierRule::Always(Tier::Powerful),
        max_tokens: 16_000,
        next: Some(Phase::Implement),
    },
    PhaseRow {
        phase: Phase::Implement,
        name: "implement",
        handoff: ImplReport::FILE,
        tools: ToolSet::Write,
        tier: TierRule::ByComplexity,
        max_tokens: 16_000,
        next: Some(Phase::Review),
    },
    PhaseRow {
        phase: Phase::Review,
        name: "review",
        handoff: ReviewOutput::FILE,
        tools: ToolSet::ReadDiff,
        tier: TierRule::Always(Tier::Powerful),
        max_tokens: 16_000,
        next: None,
    },
];

impl Phase {
    /// Its row of the table.
    pub fn row(self) -> &'static PhaseRow {
        &PHASES[self as usize]
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// What its events are about.
    pub fn event(self) -> EventPhase {
        match self {
            Self::Context => EventPhase::Context,
            Self::Plan => EventPhase::Plan,
            Self::Implement => EventPhase::Implement,
            Self::Review => EventPhase::Review,
        }
    }
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

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        PHASES
            .iter()
            .find(|row| row.name == text)
            .map(|row| row.phase)
            .ok_or_else(|| format!("no phase is called {text:?}; there are context, plan, implement and review"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_chained() {
        for (index, row) in PHASES.iter().enumerate() {
            assert_eq!(row.phase as usize, index);
            assert_eq!(row.next, PHASES.get(index + 1).map(|next| next.phase));
            assert_eq!(row.name.parse(), Ok(row.phase));
        }
    }
}
