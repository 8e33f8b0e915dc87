//! Checks that were skipped for want of trust, after the gate: whether they can run now.

use crate::contracts::CheckResult;
use crate::memory::{Memory, Store};
use crate::workflow::run::error::StartError;

/// Whether there is finished work that checks can be run on.
///
/// # Errors
/// Why not, for the person who asked.
pub(crate) fn check_finished(memory: &Memory) -> Result<(), StartError> {
    let refused = |why: &str| Err(StartError::Usage(why.to_owned()));
    let (Some(plan), Some(report)) = (&memory.plan, &memory.report) else {
        return refused("nothing has been implemented here that checks could run on");
    };
    let Some(approval) = memory.approval.as_ref().filter(|approval| !approval.is_rejected()) else {
        return refused("the plan waits for an answer; the checks run once its work is done");
    };
    let is_whole = report.pending(approval.task_ids(&plan.plan)).is_empty() && report.failed().next().is_none();
    if is_whole { Ok(()) } else { refused("the work is not finished; the checks run once it is") }
}

/// Whether checks that did not run to an end can be run now, on finished work and with no run under way.
///
/// # Errors
/// When the memory cannot be read.
pub fn can_run_skipped(store: &Store) -> Result<bool, StartError> {
    if !store.exists() || store.holder().is_some() {
        return Ok(false);
    }
    let (memory, _) = store.inspect()?;
    Ok(check_finished(&memory).is_ok() && skipped(&memory).next().is_some())
}

/// The checks that nobody had trusted, and those that had not ended when the run was stopped.
pub(crate) fn skipped(memory: &Memory) -> impl Iterator<Item = &CheckResult> {
    let checks = memory.report.iter().flat_map(|report| &report.checks);
    checks.filter(|check| check.is_untrusted() || check.is_unfinished())
}
