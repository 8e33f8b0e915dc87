//! Whether failing checks are repaired before the work is judged.

use std::collections::BTreeSet;

use crate::contracts::{CheckResult, PlanOutput};
use crate::memory::Memory;
use crate::workflow::run::phase::Policy;

/// What a repair round is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairScope {
    /// The tasks that own the files the workflow changed, in plan order.
    pub tasks: Vec<String>,
    /// Names of the checks that fail, and did not before the workflow.
    pub checks: Vec<String>,
}

/// The repair round that a report calls for. None once the work is being judged, after as many rounds in a row as there
/// may be, after one that changed nothing, or where no task owns a changed file.
pub(super) fn repair_scope(memory: &Memory, plan: &PlanOutput, policy: &Policy) -> Option<RepairScope> {
    let is_judged = memory.review.is_some() || !memory.findings.is_empty();
    let report = memory.report.as_ref().filter(|_| !is_judged && memory.repair_rounds < policy.max_repair_rounds)?;
    // What the settings no longer hold is nobody's concern.
    let is_set = |check: &&CheckResult| policy.checks.iter().any(|set| set.name == check.name);
    let broken = report.checks.iter().filter(is_set).filter(|check| check.wants_repair());
    let checks: Vec<String> = broken.map(|check| check.name.clone()).collect();
    let approved = memory.approved_tasks();
    let changed = report.results.iter().flat_map(|result| &result.changes);
    let owners: BTreeSet<&str> = changed
        .filter_map(|change| plan.owner_of(&change.path, &memory.keys, &approved))
        .map(|task| task.id.as_str())
        .collect();
    let tasks: Vec<String> = plan.task_ids().filter(|id| owners.contains(id)).map(str::to_owned).collect();
    (!checks.is_empty() && !tasks.is_empty()).then_some(RepairScope { tasks, checks })
}
