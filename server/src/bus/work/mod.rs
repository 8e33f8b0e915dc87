//! A broker through which work is done elsewhere: a queue of jobs, a log for each job, a store of files, who is there, and
//! signals. It knows no agents, runs or phases: bodies are bytes.
//!
//! What there is at the broker is in `layout`. Everything is sealed with a key that coordinator and workers share (`seal`):
//! what it says, and that it stands at this place of this very stream. What is copied elsewhere, altered, or was captured
//! before the broker lost its storage does not verify. What is captured and sent again to where it stood does, where the place
//! is no more than an id or a name: a job, an announcement, a signal. Whoever takes jobs knows by their ids which are done.
//! Bodies of more than 512 KiB go through the files by themselves (`body`); announcements and signals are smaller.
//!
//! What survives: where the broker's process is killed, everything that it acknowledged. Where its machine loses power,
//! everything but up to the last two minutes, because a NATS server syncs its files that often, unless its configuration has
//! `sync_interval: always`. An acknowledgement is no proof against a power failure. Signals survive nothing.

mod body;
mod broker;
mod fault;
mod files;
mod hex;
mod layout;
mod log;
mod presence;
mod queue;
mod seal;
mod signals;

pub use broker::{Broker, BrokerTimes};
pub use fault::BrokerFault;
pub use log::{AppendFault, Follow, JobLog, LogEntry, Read};
pub use queue::Offered;
pub use seal::BusKey;
pub use signals::Signals;
