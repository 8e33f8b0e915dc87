//! Watches approval.json and plan.json while a person is asked.

use std::time::Duration;

use crate::contracts::Decision;
use crate::memory::FaultyPlan;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;

/// How often approval.json and plan.json are looked at while a person is asked.
const WATCH: Duration = Duration::from_millis(150);

/// After how many looks a faulty plan is read as a whole again.
const LOOK_AGAIN: u32 = 7;

/// How many looks a plan that is being saved may take.
const SAVING: u32 = 10;

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
            return settled(run, sha256).await;
        }
    }
}

/// Returns when plan.json is another one than this faulty one, or none any more; when it is rejected; or when what made it
/// faulty is mended elsewhere, as by making a file that it names. Where it is gone (`None`), returns when it is back.
pub(super) async fn mended(run: &Run, faulty: Option<&FaultyPlan>, before: usize) {
    let mut ticks = tokio::time::interval(WATCH);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for tick in 1_u32.. {
        ticks.tick().await;
        let now = run.store.plan_sha256();
        match faulty {
            Some(faulty) if now.as_ref() != Some(&faulty.sha256) => return settled(run, &faulty.sha256).await,
            Some(faulty) if run.store.answer_to(&faulty.sha256) == Some(Decision::Rejected) => return,
            Some(_) if tick.is_multiple_of(LOOK_AGAIN) && is_mended(run) => return,
            None if now.is_some() => return settled(run, "").await,
            None if run.store.history_len().is_ok_and(|entries| entries != before) => return,
            _ => {}
        }
    }
}

fn is_mended(run: &Run) -> bool {
    run.store.inspect().is_ok_and(|(memory, _)| memory.faulty_plan.is_none())
}

/// Returns when plan.json is done being saved: an editor may take it away, or empty it, before it writes it anew. What is
/// gone for longer is gone.
async fn settled(run: &Run, sha256: &str) {
    let mut before = run.store.plan_sha256();
    for _ in 0..SAVING {
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
