//! Which file is for which kind of sink.

use super::context::SinkContext;
use super::event_sink::{EventSink, SinkFault};
use super::exec::Exec;
use super::http::Http;
use super::redis::Redis;
use crate::config::{Sink, SinkKind};

/// Opens a sink. Nothing is sent and no connection is made yet.
///
/// # Errors
/// When its address cannot be used, or the network cannot.
pub fn open_sink(sink: &Sink, context: &SinkContext) -> Result<Box<dyn EventSink>, SinkFault> {
    Ok(match sink.kind {
        SinkKind::Http => Box::new(Http::new(sink.target(), context.key.clone())?),
        SinkKind::Exec => Box::new(Exec::new(sink.target(), context)),
        SinkKind::Redis => Box::new(Redis::new(sink.target())?),
        #[cfg(feature = "nats")]
        SinkKind::Nats => Box::new(super::nats::Nats::new(sink.target())),
        #[cfg(not(feature = "nats"))]
        SinkKind::Nats => return Err(SinkFault::Refused { why: crate::config::WITHOUT_NATS.to_owned() }),
    })
}
