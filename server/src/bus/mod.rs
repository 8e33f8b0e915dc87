//! Where events go when they leave this machine: web servers, commands, brokers.
//!
//! [`EventSink`] is one such place; each kind has a file of its own, and [`open`] a row for it. Invariants: nothing here knows of runs,
//! the memory folder or what was sent before; a sink takes a batch whole or not at all, so that whoever sends it again
//! keeps the order. What is said of a failure never holds an address, which may hold a password.

mod context;
mod event_sink;
mod exec;
mod http;
#[cfg(feature = "nats")]
mod nats;
mod open;
mod redis;
mod tls;

pub use context::SinkContext;
pub use event_sink::{EventSink, Outgoing, SinkFault};
pub use open::open_sink;
