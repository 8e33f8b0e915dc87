//! The phases that the workflow itself knows by name.

use crate::contracts::PhaseName;

/// Gathers what a planner must know.
pub const CONTEXT: PhaseName = PhaseName::new("context");
/// Makes the plan that the gate is about.
pub const PLAN: PhaseName = PhaseName::new("plan");
/// Stands for context and plan in a quick workflow.
pub const QUICK: PhaseName = PhaseName::new("quick");
/// Does the tasks of the plan that were approved.
pub const IMPLEMENT: PhaseName = PhaseName::new("implement");
/// Judges what was done: what it recommends drives what comes next.
pub const REVIEW: PhaseName = PhaseName::new("review");
