use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::Handoff;
use super::{ContextOutput, PlanOutput};

/// Most files of the one task that a quick workflow may plan.
pub const MAX_QUICK_FILES: usize = 3;

/// What one conversation hands on that gathers the context and plans: both handoffs at once. It is never a file of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuickOutput {
    /// What the implementer and the reviewer must know of the code.
    pub context: ContextOutput,
    /// The plan, of one task.
    pub plan: PlanOutput,
}

impl Handoff for QuickOutput {
    const NAME: &'static str = "quick";
    const FILE: &'static str = PlanOutput::FILE;
    const SERVER_FILLED: &'static [&'static str] = &[
        "context.timestamp",
        "context.relevant_files.line_count",
        "context.size",
        "plan.timestamp",
        "plan.plan_version",
    ];
}
