//! The worker itself: it announces itself, takes jobs while it has slots, and drains when it is asked to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::at_work::work;
use super::machine::open;
use crate::bus::BrokerFault;
use crate::text::count;
use crate::workflow::dispatch::faces::{WorkerFault, WorkerOptions};

/// How long a request for a job waits for one.
const ROUND: Duration = Duration::from_secs(5);
/// Time between two tries of a broker that fails.
const AGAIN: Duration = Duration::from_secs(1);

/// Serve until it is asked to stop. Each item of `stops` asks once: the first has it take no more and finish what it has, the
/// second has it hand that back. `tell` gets a line for whatever happens.
///
/// # Errors
/// When there is no model, the key is none, or the broker cannot be reached.
pub async fn serve_worker(
    options: WorkerOptions,
    mut stops: mpsc::UnboundedReceiver<()>,
    tell: &(dyn Fn(&str) + Send + Sync),
) -> Result<(), WorkerFault> {
    let (told, mut lines) = mpsc::unbounded_channel();
    let worker = Arc::new(open(options, told).await?);
    let accounts = worker.models.accounts().join("; ");
    worker.tell(&format!("ready for {} at once; {accounts}", count(worker.slots, "conversation")));
    let announcing = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move {
            loop {
                if let Err(fault) = worker.announce().await {
                    tracing::debug!(%fault, "the worker cannot announce itself");
                    // A broker that lost its storage has no place for it.
                    let _ = worker.broker.prepare().await;
                }
                tokio::time::sleep(worker.times.presence / 3).await;
            }
        }
    });
    let ending = CancellationToken::new();
    let (mut jobs, mut is_draining) = (JoinSet::new(), false);
    let mut last_fault = None;
    while !is_draining || !jobs.is_empty() {
        let has_slot = !is_draining && jobs.len() < worker.slots;
        let take = async {
            worker.rest().await;
            worker.broker.take(&worker.tags, ROUND).await
        };
        tokio::select! {
            biased;
            Some(line) = lines.recv() => tell(&line),
            stop = stops.recv() => match (stop, is_draining) {
                (Some(()), false) => {
                    is_draining = true;
                    worker.tell(&match jobs.len() {
                        0 => "stopping".to_owned(),
                        at_work => format!("stopping once {} done; again to hand it back", are(at_work)),
                    });
                }
                (Some(()), true) => ending.cancel(),
                // Whoever could ask is gone.
                (None, _) => is_draining = true,
            },
            Some(ended) = jobs.join_next(), if !jobs.is_empty() => {
                if let Err(error) = ended {
                    // The queue offers it again, and the others go on.
                    tell(&format!("a job broke off, which is a fault of baton: {error}"));
                    worker.is_unfit();
                }
                worker.busy.store(jobs.len(), Ordering::Relaxed);
            }
            taken = take, if has_slot => match taken {
                Ok(None) => last_fault = None,
                Ok(Some(offered)) => {
                    last_fault = None;
                    jobs.spawn(work(Arc::clone(&worker), offered, ending.clone()));
                    worker.busy.store(jobs.len(), Ordering::Relaxed);
                }
                Err(fault) => {
                    let said = fault.to_string();
                    if last_fault.as_ref() != Some(&said) {
                        tell(&said);
                    }
                    last_fault = Some(said);
                    if matches!(fault, BrokerFault::Lost { .. }) {
                        let _ = worker.broker.prepare().await;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            },
        }
    }
    announcing.abort();
    let _ = tokio::time::timeout(AGAIN, worker.broker.withdraw(&worker.name)).await;
    while let Ok(line) = lines.try_recv() {
        tell(&line);
    }
    tell("stopped");
    Ok(())
}

fn are(jobs: usize) -> String {
    format!("{} {}", count(jobs, "conversation"), if jobs == 1 { "is" } else { "are" })
}
