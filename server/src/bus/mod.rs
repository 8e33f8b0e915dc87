//! Where events go when they leave this machine (web servers, commands, brokers), and a broker through which work is done
//! elsewhere.
//!
//! [`EventSink`] is one such place; each kind has a file of its own, and [`open`] a row for it. Invariants: nothing here knows of runs,
//! the memory folder or what was sent before; a sink takes a batch whole or not at all, so that whoever sends it again
//! keeps the order. What is said of a failure never holds an address, which may hold a password.
//! What a broker offers for work is in `work`: a queue, logs and files at a NATS server.

mod context;
mod event_sink;
mod exec;
mod http;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "nats")]
mod nats_connection;
mod open;
mod redis;
mod tls;
#[cfg(feature = "nats")]
mod work;

pub use context::SinkContext;
pub use event_sink::{EventSink, Outgoing, SinkFault};
pub use open::open_sink;
#[cfg(feature = "nats")]
pub use work::{
    AppendFault, Broker, BrokerFault, BrokerTimes, BusKey, Follow, JobLog, LogEntry, Offered, Read, Signals,
};
