//! Asking the broker, with patience.

use std::time::Instant;

use tokio::time::timeout;

use super::{FAREWELL, Holding};
use crate::bus::{AppendFault, Broker, BrokerFault, Read, Signals};
use crate::workflow::dispatch::job::{Entry, Signal};
use crate::workflow::dispatch::patience::Stop;
use crate::workspace::sha256;

impl Holding<'_> {
    /// Append an entry behind all there are; what others appended meanwhile is taken in first.
    pub(super) async fn append(&mut self, entry: Entry) -> Result<(), Stop> {
        let mut away = None;
        loop {
            match self.append_once(&entry).await {
                Ok(()) => return Ok(()),
                Err(AppendFault::Behind) => self.read_on().await?,
                Err(AppendFault::Fault(fault)) => {
                    self.wait_after(&fault, &mut away).await?;
                    self.read_on().await?;
                }
            }
        }
    }

    pub(super) async fn append_once(&mut self, entry: &Entry) -> Result<(), AppendFault> {
        let body = serde_json::to_vec(entry).map_err(|error| BrokerFault::Other { why: error.to_string() })?;
        self.sent.insert(sha256(&body));
        let seq = self.log.append(self.state.last, &body).await?;
        self.state.take(seq, entry.clone());
        Ok(())
    }

    pub(super) async fn read_on(&mut self) -> Result<(), Stop> {
        let (log, last) = (self.log.clone(), self.state.last);
        let read = move |_| {
            let log = log.clone();
            async move { log.read_behind(last).await }
        };
        for read in self.patiently(read).await? {
            self.take(read);
        }
        Ok(())
    }

    pub(super) async fn read(&self) -> Result<Vec<Read>, Stop> {
        let read = |_| {
            let log = self.log.clone();
            async move { log.read().await }
        };
        self.patiently(read).await
    }

    pub(super) async fn signals(&self) -> Result<Signals, Stop> {
        let signals = |broker: Broker| {
            let (workflow, id) = (self.run.bus.workflow().to_owned(), self.id.clone());
            async move { broker.signals(&workflow, &id).await }
        };
        self.patiently(signals).await
    }

    pub(super) async fn signal(&self, signal: &Signal) {
        if let Ok(body) = serde_json::to_vec(signal) {
            // Whoever does not hear it hears the next one.
            let _ = timeout(FAREWELL, self.at.broker.signal(self.run.bus.workflow(), &self.id, &body)).await;
        }
    }

    /// Do something until the broker does it.
    pub(super) async fn patiently<T, F>(&self, done: impl Fn(Broker) -> F + Send) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, BrokerFault>> + Send,
    {
        self.at.patiently(self.run, done).await
    }

    /// Wait a moment after a fault that may pass. `away` is since when there are faults.
    pub(super) async fn wait_after(&self, fault: &BrokerFault, away: &mut Option<Instant>) -> Result<(), Stop> {
        self.at.wait_after(self.run, fault, away).await
    }
}
