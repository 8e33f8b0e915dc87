//! One job from the queue: whether it is to be done, and what becomes of it in the queue.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::hold::{Settled, hold};
use super::machine::Worker;
use crate::bus::{AppendFault, BrokerFault, Offered};
use crate::text::safe_line;
use crate::workflow::dispatch::job::{Entry, Job, PROTOCOL};
use crate::workflow::dispatch::log_state::LogState;

/// When a job is offered again that this worker cannot do.
const LATER: Duration = Duration::from_secs(5);
/// The same, of one that nobody can do, it seems.
const LATEST: Duration = Duration::from_secs(300);

/// Do a job, and settle it in the queue.
pub(super) async fn work(worker: Arc<Worker>, offered: Offered, ending: CancellationToken) {
    let settled = tokio::select! {
        settled = settle(&worker, &offered, ending) => settled,
        // The queue offers to somebody else what nobody says is being done.
        never = keep(&worker, &offered) => match never {},
    };
    match settled {
        Settled::Done => offered.done().await,
        Settled::GivenBack(after) => offered.give_back(after).await,
        Settled::Left => {}
    }
}

async fn keep(worker: &Worker, offered: &Offered) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(worker.times.ack_wait / 3).await;
        offered.keep().await;
    }
}

async fn settle(worker: &Arc<Worker>, offered: &Offered, ending: CancellationToken) -> Settled {
    let job: Job = match parsed(&offered.body) {
        Ok(job) => job,
        Err((protocol, words)) => return refuse(worker, offered, &words, protocol),
    };
    let words = job.words();
    let log = worker.broker.log(&job.workflow, &job.job);
    let (claim, state) = loop {
        let mut state = LogState::default();
        match log.read().await {
            Ok(all) => {
                for read in &all {
                    state.read(read);
                }
            }
            Err(BrokerFault::Lost { .. }) => return Settled::Left,
            Err(fault) => {
                worker.tell(&format!("{words}: {fault}"));
                return Settled::GivenBack(LATER);
            }
        }
        if let Some(why) = is_not_to_be_done(&state, &job, offered.queued) {
            worker.tell(&format!("{words}: refused: {why}"));
            return Settled::Done;
        }
        let entry = Entry::Claimed {
            attempt: job.attempt,
            queued: offered.queued,
            worker: worker.name.clone(),
            version: worker.version.clone(),
        };
        let Ok(body) = serde_json::to_vec(&entry) else { return Settled::Left };
        match log.append(state.last, &body).await {
            Ok(seq) => {
                state.take(seq, entry);
                break (seq, state);
            }
            Err(AppendFault::Behind) => {}
            Err(AppendFault::Fault(BrokerFault::Lost { .. })) => return Settled::Left,
            Err(AppendFault::Fault(fault)) => {
                worker.tell(&format!("{words}: {fault}"));
                return Settled::GivenBack(LATER);
            }
        }
    };
    worker.tell(&format!("{words} of workflow {}: taken", safe_line(&job.workflow)));
    let (settled, how) = hold(worker, &job, log, state, claim, ending).await;
    worker.tell(&format!("{words}: {how}"));
    settled
}

/// The job, or which protocol it is written in and what it is about.
fn parsed(body: &[u8]) -> Result<Job, (Option<u64>, String)> {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let protocol = value["protocol"].as_u64();
    let words = format!("a job of workflow {}", safe_line(value["workflow"].as_str().unwrap_or("?")));
    if protocol != Some(u64::from(PROTOCOL)) {
        return Err((protocol, words));
    }
    serde_json::from_value(value).map_err(|_| (protocol, words))
}

/// Refuse a job that this version cannot read. Where it is of another protocol, another worker may be able to.
fn refuse(worker: &Worker, offered: &Offered, words: &str, protocol: Option<u64>) -> Settled {
    let Some(protocol) = protocol.filter(|protocol| *protocol != u64::from(PROTOCOL)) else {
        worker.tell(&format!("{words}: refused: it is not what baton writes, though it is sealed with BATON_BUS_KEY"));
        return Settled::Done;
    };
    if worker.refuses_first(offered.queued) {
        worker.tell(&format!(
            "{words}: refused: it is written in protocol {protocol}, and this baton ({}) reads protocol {PROTOCOL}; run the same \
             version on both sides",
            worker.version
        ));
    }
    // Nobody may be there who can read it: it is looked at less and less often.
    let doublings = u32::try_from(offered.delivery.saturating_sub(1)).unwrap_or(u32::MAX);
    Settled::GivenBack(LATER.saturating_mul(2_u32.saturating_pow(doublings.min(16))).min(LATEST))
}

/// Why a job is not to be done: it was sent twice, or long ago, or by nobody who keeps its log.
fn is_not_to_be_done(state: &LogState, job: &Job, queued: u64) -> Option<&'static str> {
    if state.work.is_none() {
        return Some("its log is not there: it comes late, or was sent by nobody who has the key");
    }
    let Some(offered) = &state.job else { return Some("its coordinator has not offered it") };
    if state.taken.is_some() || (state.is_over() && offered.attempt == job.attempt) {
        return Some("it is over; it comes late, or for the second time");
    }
    if offered != job {
        return Some("its coordinator has offered another attempt since; it comes late");
    }
    match &state.claim {
        Some(claim) if claim.queued != queued => Some("it came twice, and a worker has it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_of_another_protocol_is_known_as_one() {
        let (protocol, words) =
            parsed(&serde_json::to_vec(&json!({ "protocol": 9, "workflow": "w" })).unwrap()).unwrap_err();
        assert_eq!((protocol, words.as_str()), (Some(9), "a job of workflow w"));
        assert_eq!(parsed(b"no json").unwrap_err().0, None);
    }
}
