//! Watches approval.json and plan.json while a person is asked.

use std::time::Duration;

use crate::contracts::Decision;
use crate::memory::FaultyPlan;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;

/// Interval at which approval.json and plan.json are read while a person is asked.
const WATCH: Duration = Duration::from_millis(150);

/// Reads of its hash after which a faulty plan is checked again as a whole.
const FULL_READ_EVERY: u32 = 7;

/// Intervals that saving a plan may take.
const MAX_SAVING_LOOKS: u32 = 10;

/// Whether plan.json is gone and no revision took it away.
pub(super) fn is_gone(run: &Run, before: usize) -> Result<bool, PhaseError> {
    Ok(run.store.plan_sha256().is_none() && run.store.history_len()? == before)
}

/// Returns when another process has answered, or changed the plan that is being asked about.
pub(super) async fn answered_elsewhere(run: &Run, sha256: &str) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if run.store.is_answered(sha256) {
            return saved(run, sha256).await;
        }
    }
}

/// Returns when a faulty plan.json was changed, removed or rejected, or when the cause of its fault is gone: a file that it
/// names was created. Where plan.json is missing (`None`), returns when it is back.
pub(super) async fn repaired(run: &Run, faulty: Option<&FaultyPlan>, before: usize) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 1_u32.. {
        ticks.tick().await;
        let now = run.store.plan_sha256();
        match faulty {
            Some(faulty) if now.as_ref() != Some(&faulty.sha256) => return saved(run, &faulty.sha256).await,
            Some(faulty) if run.store.answer_to(&faulty.sha256) == Some(Decision::Rejected) => return,
            Some(_) if tick.is_multiple_of(FULL_READ_EVERY) && is_repaired(run) => return,
            None if now.is_some() => return saved(run, "").await,
            None if run.store.history_len().is_ok_and(|entries| entries != before) => return,
            _ => {}
        }
    }
}

fn is_repaired(run: &Run) -> bool {
    run.store.inspect().is_ok_and(|(memory, _)| memory.faulty_plan.is_none())
}

/// Returns when saving plan.json is finished: an editor may remove or empty it before it writes the new content. A file
/// that is missing for longer counts as removed.
async fn saved(run: &Run, sha256: &str) {
    let mut before = run.store.plan_sha256();
    for _ in 0..MAX_SAVING_LOOKS {
        if before.as_deref() == Some(sha256) {
            return;
        }
        tokio::time::sleep(WATCH).await;
        let now = run.store.plan_sha256();
        if now.is_some() && now == before {
            return;
        }
        before = now;
    }
}
