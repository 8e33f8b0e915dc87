//! The names of the files in a memory folder.

use crate::contracts::{Approval, ContextOutput, Dismissed, Handoff, ImplReport, PlanOutput, ReviewOutput, Round};

pub(super) const TASK: &str = "task.md";
pub(super) const PLAN_MD: &str = "plan.md";
/// In an entry of `history/`: what the user wants changed about the plan beside it. In the folder itself: where they
/// write it.
pub(super) const FEEDBACK: &str = "feedback.md";
pub(super) const RUNS: &str = "runs";
/// In the folder of a run that reviews against a commit: that commit.
pub(super) const BASE: &str = "base";

/// Everything that says where a workflow stands, in the order the workflow writes it.
pub(super) const WORKFLOW_FILES: [&str; 9] = [
    TASK,
    ContextOutput::FILE,
    PlanOutput::FILE,
    PLAN_MD,
    Approval::FILE,
    Round::FILE,
    ImplReport::FILE,
    ReviewOutput::FILE,
    Dismissed::FILE,
];

/// Of [`WORKFLOW_FILES`], the plan and everything later.
pub(super) const FROM_PLAN: std::ops::Range<usize> = 2..8;
