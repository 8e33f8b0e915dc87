//! Sends what runs have left for sinks, without a run.

use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::sleep;

use super::context::sink_context;
use super::delivery::Delivery;
use crate::bus::SinkFault;
use crate::config::{Settings, Sink};
use crate::memory::{Outbox, Store};
use crate::workflow::run::error::StartError;
use crate::workspace::Workspace;

/// Tries after the first one, and how long before each: a person waits.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// What became of the events for one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flushed {
    /// The sink as people may see it.
    pub sink: String,
    /// How many events it took.
    pub sent: usize,
    /// How many it has not taken.
    pub left: usize,
    /// Why not.
    pub why: Option<String>,
}

/// Send every sink of these settings what it has not taken, under the run lock. Dropped, it sends nothing more, and what was
/// taken may be sent again.
///
/// # Errors
/// When no sinks are set, a run is at work, or the memory folder cannot be read.
pub async fn flush_events(
    workspace: &Workspace,
    store: &Store,
    settings: &Settings,
) -> Result<Vec<Flushed>, StartError> {
    if settings.sinks.is_empty() {
        return Err(StartError::Usage(
            "no sinks are set, so there is nowhere to send events; name one in your own baton/config.toml ([[sinks]] url = \"…\") \
             or by BATON_SINKS"
                .to_owned(),
        ));
    }
    if !store.exists() {
        return Ok(settings.sinks.iter().map(Flushed::nothing).collect());
    }
    let (_lock, _) = store.lock(Timestamp::now())?;
    let context = sink_context(workspace);
    let mut opened = Vec::new();
    for sink in &settings.sinks {
        opened.push((sink, Outbox::open(store, &sink.identity(), None)?));
    }
    let flushing = opened.into_iter().map(async |(sink, outbox)| match outbox {
        // No run was started with it: nothing is due.
        None => Flushed::nothing(sink),
        Some(outbox) => flush(Delivery::new(sink, outbox, &context)).await,
    });
    Ok(join_all(flushing).await)
}

impl Flushed {
    fn nothing(sink: &Sink) -> Self {
        Self { sink: sink.to_string(), sent: 0, left: 0, why: None }
    }
}

async fn flush(mut delivery: Delivery) -> Flushed {
    let (mut sent, mut why, mut waits) = (0, None, WAITS.into_iter());
    loop {
        match delivery.send_next().await {
            Ok(0) => break,
            Ok(some) => {
                sent += some;
                waits = WAITS.into_iter();
            }
            Err(fault) => {
                let wait = waits.next().filter(|_| matches!(fault, SinkFault::Later { .. }));
                let Some(wait) = wait else {
                    why = Some(fault.why().to_owned());
                    break;
                };
                sleep(wait).await;
            }
        }
    }
    delivery.save();
    let left = if why.is_some() { delivery.left() } else { 0 };
    Flushed { sink: delivery.sink.to_string(), sent, left, why }
}
