//! Work on other machines, as an attacker, a faulty peer or a broken machine would have it.
#![cfg(all(unix, feature = "nats"))]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod budget;
mod daily;
mod lies;
mod peer;
mod protocol;
mod safety;
mod secrets;

use std::sync::Arc;
use std::time::Duration;

use crate::support::broker::{Acks, Broker, Coordinator, Fleet, Link, nats_server};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::session::Session;

/// The task.
const TASK: &str = "Do it";
/// After this time a worker that says nothing is taken for lost.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(2);
/// How long a run may take to its end.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A broker, workers and a run that is not started yet. In the order in which they are dropped: clients first.
pub(crate) struct Lab {
    pub(crate) coordinator: Coordinator,
    pub(crate) fleet: Fleet,
    pub(crate) api: MessagesApi,
    /// The coordinator's own models: they answer nothing.
    pub(crate) unused: MessagesApi,
    pub(crate) broker: Broker,
    pub(crate) acks: Arc<Acks>,
}

impl Lab {
    /// With so many workers of two slots; `None` where there is no broker to start.
    pub(crate) fn new(session: Session, script: Script, workers: usize) -> Option<Self> {
        Self::with_wait(session, script, workers, ACK_WAIT)
    }

    fn with_wait(session: Session, script: Script, workers: usize, wait: Duration) -> Option<Self> {
        let broker = Broker::start(&nats_server()?);
        let (api, unused) = (MessagesApi::start(script), MessagesApi::start(Script::new()));
        let acks = Arc::new(Acks::default());
        let fleet = Fleet::start(&broker, &api, workers, 2, wait, &acks);
        let link = Link::to(broker.address(), 0, Arc::clone(&acks));
        let coordinator = Coordinator::new(session, link, TASK, &unused, wait);
        Some(Self { coordinator, fleet, api, unused, broker, acks })
    }

    /// What a worker has printed.
    pub(crate) fn worker_log(&self, number: usize) -> String {
        self.fleet.workers[number].log()
    }

    /// Wait for the run to end well.
    #[track_caller]
    pub(crate) fn ends_well(&mut self) {
        let code = self.coordinator.ended(LIMIT);
        assert_eq!(code, Some(0), "{}\n{:?}", self.coordinator.log(), self.coordinator.told().last());
    }
}

/// Whether the run has told people this.
pub(crate) fn has_told(coordinator: &Coordinator, words: &str) -> bool {
    coordinator.told().iter().any(|line| line.to_string().contains(words))
}
