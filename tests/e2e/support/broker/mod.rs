//! What tests of work on other machines run on: a broker, the link of each process to it, workers, and a coordinator.
//!
//! Tests shorten the time after which a worker that says nothing is taken for lost by `BATON_ACK_WAIT`, which
//! workers and coordinators read.

mod acks;
mod coordinator;
mod fleet;
mod frames;
mod link;
mod machine;
mod server;
mod wire;

pub use acks::Acks;
pub use coordinator::Coordinator;
pub use fleet::{Fleet, Worker};
pub use frames::{Frame, Frames, Verb};
pub use link::{Link, Subjects, Trouble, Way};
pub use machine::{Disk, Machine};
pub use server::{Broker, nats_server};

/// The key that workers and coordinators share in tests.
pub const BUS_KEY: &str = "a key of thirty-two bytes, or so";
