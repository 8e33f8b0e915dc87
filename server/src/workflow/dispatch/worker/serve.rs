//! The worker itself: it announces itself, takes jobs while it has slots, and drains when it is asked to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::at_work::work;
use super::machine::{Worker, open};
use crate::bus::{BrokerFault, Offered};
use crate::text::count;
use crate::workflow::dispatch::faces::{WorkerFault, WorkerOptions};

/// How long a request for a job waits for one.
const ROUND: Duration = Duration::from_secs(1);
/// How often a worker says at least that it is there: a broker that was first used with shorter times forgets it sooner.
const ANNOUNCED: Duration = Duration::from_secs(10);
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
    let worker = tokio::select! {
        opened = open(options, told) => Arc::new(opened?),
        // Whoever is asked to stop before it could begin has nothing to end.
        _ = stops.recv() => return Ok(()),
    };
    worker.tell(&format!("ready for {} at once", count(worker.slots, "conversation")));
    let announcing = tokio::spawn(announce(Arc::clone(&worker)));
    let (draining, ending) = (CancellationToken::new(), CancellationToken::new());
    let (taken, mut jobs_taken) = mpsc::channel(1);
    tokio::spawn(take_jobs(Arc::clone(&worker), draining.clone(), taken));
    let (mut jobs, mut is_taking) = (JoinSet::new(), true);
    while is_taking || !jobs.is_empty() {
        tokio::select! {
            biased;
            Some(line) = lines.recv() => tell(&line),
            stop = stops.recv(), if !ending.is_cancelled() => {
                if draining.is_cancelled() || stop.is_none() {
                    ending.cancel();
                }
                draining.cancel();
            },
            Some(ended) = jobs.join_next(), if !jobs.is_empty() => {
                worker.ended(ended);
                worker.busy.store(jobs.len(), Ordering::Relaxed);
            }
            job = jobs_taken.recv(), if is_taking => match job {
                Some((offered, slot)) => {
                    let (worker, ending) = (Arc::clone(&worker), ending.clone());
                    worker.busy.store(jobs.len() + 1, Ordering::Relaxed);
                    jobs.spawn(async move {
                        work(worker, offered, ending).await;
                        drop(slot);
                    });
                }
                None => is_taking = false,
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

/// Says now and then that the worker is there.
async fn announce(worker: Arc<Worker>) {
    loop {
        if let Err(fault) = worker.announce().await {
            tracing::debug!(%fault, "the worker cannot announce itself");
            // A broker that lost its storage has no place for it.
            let _ = worker.broker.prepare().await;
        }
        tokio::time::sleep(ANNOUNCED.min(worker.times.presence / 3)).await;
    }
}

/// Takes a job whenever there is a slot for one, until the worker drains. A request for a job is never dropped half way: a job that
/// was on its way would wait until the queue offers it again.
async fn take_jobs(
    worker: Arc<Worker>,
    draining: CancellationToken,
    taken: mpsc::Sender<(Offered, OwnedSemaphorePermit)>,
) {
    let slots = Arc::new(Semaphore::new(worker.slots));
    let mut last_fault = None;
    loop {
        let slot = tokio::select! {
            () = draining.cancelled() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        // It is never closed.
        let Ok(slot) = slot else { return };
        let offered = loop {
            tokio::select! {
                () = draining.cancelled() => return,
                () = worker.rest() => {}
            }
            match worker.broker.take(&worker.tags, ROUND).await {
                Ok(None) => last_fault = None,
                Ok(Some(offered)) => break offered,
                Err(fault) => {
                    let said = fault.to_string();
                    if last_fault.as_ref() != Some(&said) {
                        worker.tell(&said);
                    }
                    last_fault = Some(said);
                    if matches!(fault, BrokerFault::Lost { .. }) {
                        let _ = worker.broker.prepare().await;
                    }
                    tokio::select! {
                        () = draining.cancelled() => return,
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
            }
        };
        last_fault = None;
        if draining.is_cancelled() {
            return offered.give_back(Duration::ZERO).await;
        }
        if taken.send((offered, slot)).await.is_err() {
            return;
        }
    }
}
