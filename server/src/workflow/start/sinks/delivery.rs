//! One sink, and what it has not taken.

use std::time::{Duration, Instant};

use crate::bus::{EventSink, Outgoing, SinkContext, SinkFault, open_sink};
use crate::config::Sink;
use crate::memory::{MemoryError, Outbox, OutboxEvent};
use crate::text;

/// Bytes of events that are sent at once, at most.
const MOST_BYTES: usize = 1 << 20;
/// How long what was taken may be known to this process alone: after a kill, that much is sent again.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Events that are counted: beyond, there are many.
const MANY: usize = 100_000;
/// Characters of a reason.
const WIDEST: usize = 300;

/// One sink, and what it has not taken.
pub(super) struct Delivery {
    pub(super) sink: Sink,
    to: Result<Box<dyn EventSink>, SinkFault>,
    outbox: Outbox,
    saved: Instant,
    /// Whether the person was told that it takes nothing.
    pub(super) is_told: bool,
}

impl Delivery {
    pub(super) fn new(sink: &Sink, outbox: Outbox, context: &SinkContext) -> Self {
        let to = open_sink(sink, context);
        Self { sink: sink.clone(), to, outbox, saved: Instant::now(), is_told: false }
    }

    /// Sends the next events, and answers how many were taken; 0 where there are none.
    ///
    /// # Errors
    /// Why they were not taken. They are the next ones again.
    pub(super) async fn send_next(&mut self) -> Result<usize, SinkFault> {
        let to = self.to.as_mut().map_err(|fault| fault.clone())?;
        let events = self.outbox.next(to.most(), MOST_BYTES).map_err(|error| unreadable(&error))?;
        let Some(last) = events.last() else { return Ok(0) };
        let outgoing: Vec<Outgoing> = events.iter().map(outgoing).collect();
        to.send(&outgoing).await?;
        self.outbox.taken(last);
        if self.saved.elapsed() >= SAVE_EVERY {
            self.save();
        }
        Ok(events.len())
    }

    /// Writes down what was taken, where that is not done.
    pub(super) fn save(&mut self) {
        self.saved = Instant::now();
        if let Err(error) = self.outbox.save() {
            tracing::warn!(%error, sink = %self.sink, "what was taken cannot be written down, and is sent again later");
        }
    }

    /// Whether something was taken that is not written down.
    pub(super) fn is_dirty(&self) -> bool {
        self.outbox.is_dirty()
    }

    /// How many events it has not taken.
    pub(super) fn left(&self) -> usize {
        self.outbox.left(MANY).unwrap_or_else(|error| {
            tracing::warn!(%error, sink = %self.sink, "the events that are left cannot be counted");
            0
        })
    }

    /// What is told of a fault.
    pub(super) fn notice(&self, fault: &SinkFault) -> String {
        let why = text::short_line(fault.why(), WIDEST);
        match fault {
            SinkFault::Later { .. } => format!(
                "Events do not reach {}: {why}. They are tried again; what is left goes there at the next start, or by `baton \
                 events --flush`",
                self.sink
            ),
            SinkFault::Refused { .. } => format!(
                "{} takes no events: {why}. Nothing more is sent there in this run; what is left goes there at the next start, or \
                 by `baton events --flush`",
                self.sink
            ),
        }
    }
}

fn outgoing(event: &OutboxEvent) -> Outgoing {
    let OutboxEvent { workflow, phase, status, json, .. } = event.clone();
    Outgoing { id: event.id(), workflow, phase, status, json }
}

fn unreadable(error: &MemoryError) -> SinkFault {
    SinkFault::Later { why: format!("they cannot be read: {error}"), wait: None, answers: false }
}
