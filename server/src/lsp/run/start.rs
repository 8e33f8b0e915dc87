//! What a start of a run asks for.

use crate::config::ApprovalMode;
use crate::workflow::Goal;

/// What a run is to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// What the engine is asked for.
    pub(crate) goal: Goal,
    /// Who answers the gate of this run; the settings say it otherwise.
    pub(crate) approval: Option<ApprovalMode>,
}

impl Start {
    /// What resumes a run that was started with this and did not complete.
    pub(crate) fn resumed(&self) -> Self {
        Self { goal: self.goal.resumed(), approval: self.approval }
    }
}

impl From<Goal> for Start {
    fn from(goal: Goal) -> Self {
        Self { goal, approval: None }
    }
}
