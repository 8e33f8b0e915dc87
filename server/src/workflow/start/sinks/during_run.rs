//! Sends the events of a run while it is at work, and for a moment after its end.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::context::sink_context;
use super::delivery::{Delivery, SAVE_EVERY};
use crate::bus::SinkFault;
use crate::config;
use crate::memory::{Outbox, RunId};
use crate::text::count;
use crate::workflow::run::events::{EventPhase, EventStatus, NewEvent, PhaseEvent};
use crate::workflow::run::phase::Run;

/// How long the end of a run waits for sinks that answer, and that of one that was cancelled.
const GRACE: Duration = Duration::from_secs(5);
const GRACE_OF_CANCELLED: Duration = Duration::from_millis(500);
/// The first and the longest time between two tries.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Events of a run on their way to sinks.
pub(in crate::workflow::start) struct Sending {
    finish: oneshot::Sender<Instant>,
    done: oneshot::Receiver<()>,
}

/// Sends the events of a run that is about to start, and what earlier runs left, from a thread of its own. `None` where there are no
/// sinks. What is to be told of a sink is an event of the run, and the same goes to `notices`; after its last event, it is a warning.
pub(in crate::workflow::start) fn send_during(
    run: &Arc<Run>,
    id: &RunId,
    warnings: &mpsc::UnboundedSender<String>,
    notices: mpsc::UnboundedSender<String>,
) -> Option<Sending> {
    if run.settings.sinks.is_empty() {
        return None;
    }
    let context = sink_context(&run.workspace);
    let mut deliveries = Vec::new();
    for sink in &run.settings.sinks {
        match Outbox::open(&run.store, &sink.identity(), Some(id)) {
            Ok(Some(outbox)) => deliveries.push(Delivery::new(sink, outbox, &context)),
            Ok(None) => {}
            // Nobody listens, perhaps.
            Err(error) => drop(warnings.send(format!("no events are sent to {sink}: {error}"))),
        }
    }
    let (finish, finishes) = oneshot::channel();
    let (is_done, done) = oneshot::channel();
    let events = run.bus.subscribe();
    let teller = Teller { run: Arc::clone(run), warnings: warnings.clone(), notices };
    let began = thread::Builder::new().name("sinks".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(send_all(deliveries, events, finishes, &teller)),
            Err(error) => teller.warn(&format!("no events are sent: {error}")),
        }
        drop(teller);
        // Whoever waited may have left.
        let _ = is_done.send(());
    });
    match began {
        Ok(_) => Some(Sending { finish, done }),
        Err(error) => {
            tracing::warn!(%error, "no events are sent: there is no thread for it");
            None
        }
    }
}

impl Sending {
    /// The run has told its end: waits for sinks that answer. Nothing is sent any more once this returns.
    pub(in crate::workflow::start) async fn finish(self, was_cancelled: bool) {
        let grace = if was_cancelled { GRACE_OF_CANCELLED } else { GRACE };
        if self.finish.send(Instant::now() + grace).is_ok() {
            // The thread is gone: so is what it sent.
            let _ = self.done.await;
        }
    }
}

/// Tells the person about sinks.
struct Teller {
    run: Arc<Run>,
    warnings: mpsc::UnboundedSender<String>,
    notices: mpsc::UnboundedSender<String>,
}

impl Teller {
    fn tell(&self, notice: &str) {
        let event = NewEvent::new(EventPhase::Workflow, EventStatus::Progress, notice);
        let usage = Some(self.run.context.budget.used());
        if self.run.bus.emit_before_end(NewEvent { usage, ..event }) {
            // Not every face reads them.
            let _ = self.notices.send(notice.to_owned());
        } else {
            self.warn(notice);
        }
    }

    fn warn(&self, notice: &str) {
        // Nobody may listen any more.
        let _ = self.warnings.send(notice.to_owned());
    }
}

async fn send_all(
    mut deliveries: Vec<Delivery>,
    mut events: mpsc::UnboundedReceiver<PhaseEvent>,
    finishes: oneshot::Receiver<Instant>,
    teller: &Teller,
) {
    let (changes, _) = watch::channel(0);
    let (ends, _) = watch::channel(false);
    {
        let all = join_all(deliveries.iter_mut().map(|delivery| {
            let signals = Signals { changed: changes.subscribe(), ended: ends.subscribe() };
            deliver(delivery, signals, teller)
        }));
        tokio::pin!(all);
        let pump = async {
            while let Some(event) = events.recv().await {
                changes.send_replace(event.seq);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = &mut all => {}
            () = pump => {}
            deadline = finishes => {
                ends.send_replace(true);
                // Whoever would have said when is gone: so is the run.
                let deadline = deadline.unwrap_or_else(|_| Instant::now());
                // What is under way then is dropped, and is sent again at the next start.
                let _ = timeout_at(deadline, &mut all).await;
            }
        }
    }
    for mut delivery in deliveries {
        delivery.save();
        let left = delivery.left();
        if left > 0 && !delivery.is_told {
            teller.warn(&format!(
                "{} not reached {} yet: it was too slow for the end of the run. What is left goes there at the next start, or by \
                 `baton events --flush`",
                have(left),
                delivery.sink
            ));
        }
    }
}

fn have(events: usize) -> String {
    format!("{} {}", count(events, "event"), if events == 1 { "has" } else { "have" })
}

/// What a delivery waits for.
struct Signals {
    /// There are new events.
    changed: watch::Receiver<u64>,
    /// The run has told its end.
    ended: watch::Receiver<bool>,
}

/// Sends what there is and what comes to one sink, until the run has ended and all is sent, or the sink refuses.
async fn deliver(delivery: &mut Delivery, mut signals: Signals, teller: &Teller) {
    let first_wait = first_wait();
    let mut wait = first_wait;
    loop {
        let at_end = *signals.ended.borrow();
        signals.changed.mark_unchanged();
        match delivery.send_next().await {
            Ok(0) if at_end => break,
            Ok(0) => signals.more_or(delivery.is_dirty(), || delivery.save()).await,
            Ok(_) => wait = first_wait,
            Err(fault) => {
                if !std::mem::replace(&mut delivery.is_told, true) {
                    teller.tell(&delivery.notice(&fault));
                }
                delivery.save();
                match fault {
                    SinkFault::Refused { .. } => break,
                    // Nobody waits for one that is down.
                    SinkFault::Later { answers: false, .. } if at_end => break,
                    SinkFault::Later { wait: asked, .. } => {
                        let _ = tokio::time::timeout(asked.unwrap_or(wait), signals.end(at_end)).await;
                        wait = (wait * 2).min(LONGEST_WAIT);
                    }
                }
            }
        }
    }
    delivery.save();
}

impl Signals {
    /// Waits for an event or the end; where something is to be saved, that is done after a while.
    async fn more_or(&mut self, has_to_save: bool, save: impl FnOnce()) {
        tokio::select! {
            _ = self.changed.changed() => {}
            _ = self.ended.changed() => {}
            () = sleep(SAVE_EVERY), if has_to_save => save(),
        }
    }

    /// Waits for the end, where it was not there before.
    async fn end(&mut self, was_there: bool) {
        if was_there || self.ended.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The time until the second try: the one that the user gives for models, where they give one.
fn first_wait() -> Duration {
    let given = config::variable("BATON_RETRY_BASE").and_then(|text| humantime::parse_duration(text.trim()).ok());
    given.unwrap_or(FIRST_WAIT).min(LONGEST_WAIT)
}
