//! Conversations held on other machines: the coordinator's side, and the worker's.

#[cfg(feature = "nats")]
mod coordinator;
#[cfg(feature = "nats")]
mod holding;
#[cfg(feature = "nats")]
mod job;
#[cfg(feature = "nats")]
mod log_state;
