//! Conversations held on other machines. The coordinator's side is a [`Dispatcher`](crate::workflow::Dispatcher); the worker's is
//! [`serve_worker`]. Between them lies a broker: a queue of jobs, and a log for each conversation, which is what happened.
//!
//! Invariants: an entry is appended only behind all that its writer has read, so that whoever lost its claim writes nothing; a
//! turn is in the log before anything follows from it; the coordinator's files are the truth, and what a worker returns goes
//! through the same checks as what an agent here does.

#[cfg(feature = "nats")]
mod at_workers;
#[cfg(feature = "nats")]
mod connect;
#[cfg(feature = "nats")]
mod coordinator;
mod faces;
#[cfg(feature = "nats")]
mod holding;
#[cfg(feature = "nats")]
mod job;
#[cfg(feature = "nats")]
mod log_state;
#[cfg(feature = "nats")]
mod patience;
#[cfg(feature = "nats")]
mod times;
#[cfg(not(feature = "nats"))]
mod without;
#[cfg(feature = "nats")]
mod worker;

#[cfg(feature = "nats")]
pub use connect::{connect_dispatch, look_at_workers};
pub use faces::{WorkerFault, WorkerOptions, WorkerSeen};
#[cfg(not(feature = "nats"))]
pub use without::{connect_dispatch, look_at_workers, serve_worker};
#[cfg(feature = "nats")]
pub use worker::serve_worker;
