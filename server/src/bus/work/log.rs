//! The log of a job: entries in an order that all who append agree on.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::jetstream::message::StreamMessage;
use futures::StreamExt;
use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use super::body::{Outgoing, Place};
use super::broker::{ANSWER_TIMEOUT, Broker, PublishFault, TRIES};
use super::fault::BrokerFault;
use super::layout::{WORK, log_subject, said};
use super::seal::{self, Kind};

const EXPECTED_HEADER: &str = "Nats-Expected-Last-Subject-Sequence";
/// How often a log that is followed is looked at, whatever the broker says of it.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is looked at while the connection may have changed.
const TICK: Duration = Duration::from_millis(500);
/// After the broker hands on a message it may still be storing it.
const STORING: Duration = Duration::from_millis(20);
const STORING_LOOKS: u32 = 5;

/// The log of a job. Once it was read or written, it is [lost](BrokerFault::Lost) as soon as the broker made its stream anew. A clone is the
/// same log.
#[derive(Clone)]
pub struct JobLog {
    broker: Broker,
    subject: String,
    /// The stream that it was found in.
    incarnation: Arc<OnceLock<String>>,
}

/// An entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its sequence: higher than those before it, not the next number.
    pub seq: u64,
    /// When the broker got it, by its clock.
    pub at: Timestamp,
    /// What was appended.
    pub body: Vec<u8>,
}

/// What was read of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// An entry that is sealed for its place.
    Entry(LogEntry),
    /// Not sealed with the key, or not for this place: passed over, and told by whoever reads.
    Unsealed {
        /// The sequence at which it stands.
        seq: u64,
    },
}

impl Read {
    /// The sequence at which it stands.
    pub fn seq(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.seq,
            Self::Unsealed { seq } => *seq,
        }
    }
}

/// Why an entry was not appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendFault {
    /// Something else was appended meanwhile: read on first.
    #[error("something else was appended to the log meanwhile: read on first")]
    Behind,
    /// The broker did not do it; after [`BrokerFault::Unreachable`] it may have: read on first.
    #[error(transparent)]
    Fault(#[from] BrokerFault),
}

impl Broker {
    /// Since when the broker has its logs: something else once it has lost them.
    ///
    /// # Errors
    /// When the broker cannot be asked, or has no place for logs.
    pub async fn logs_since(&self) -> Result<String, BrokerFault> {
        self.incarnation_now(WORK).await
    }

    /// The log of a job. It is there as soon as something is appended.
    pub fn log(&self, workflow: &str, job: &str) -> JobLog {
        JobLog { broker: self.clone(), subject: log_subject(workflow, job), incarnation: Arc::default() }
    }
}

impl JobLog {
    /// Appends an entry, where the last one is still that which the writer has read: `after` is its sequence, 0 where there
    /// is none. Answers the sequence of the new one.
    ///
    /// # Errors
    /// [`AppendFault::Behind`] when something else stands there; else what the broker says.
    pub async fn append(&self, after: u64, body: &[u8]) -> Result<u64, AppendFault> {
        let body = self.broker.outgoing(body).await?;
        let mut seals = Vec::new();
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_append(after, &body, &mut seals).await {
                Err(AppendFault::Fault(BrokerFault::Unreachable { .. })) if tries < TRIES => {}
                done => return done,
            }
        }
    }

    async fn try_append(&self, after: u64, body: &Outgoing, seals: &mut Vec<String>) -> Result<u64, AppendFault> {
        let broker = &self.broker;
        let incarnation = self.same(broker.incarnation(WORK).await?)?;
        let (mut headers, payload) = broker.sealed(self.place(&after.to_string(), incarnation), body)?;
        headers.insert(EXPECTED_HEADER, after.to_string());
        seals.extend(headers.get(seal::HEADER).map(ToString::to_string));
        match broker.publish(WORK, &self.subject, headers, payload).await {
            // Sealed for a stream that was made anew before it arrived, nobody reads it.
            Ok(seq) => {
                self.same(broker.incarnation(WORK).await?)?;
                Ok(seq)
            }
            Err(PublishFault::Fault(fault)) => Err(fault.into()),
            Err(PublishFault::WrongLast) => {
                // An earlier try may have arrived, and only its acknowledgement not.
                let found = broker.next_message(WORK, &self.subject, after.saturating_add(1)).await?;
                let mine = found.filter(|found| {
                    found
                        .headers
                        .get(seal::HEADER)
                        .is_some_and(|header| seals.iter().any(|seal| seal == header.as_str()))
                });
                mine.map(|found| found.sequence).ok_or(AppendFault::Behind)
            }
        }
    }

    /// All entries that there are now, from the beginning.
    ///
    /// # Errors
    /// When the broker cannot be asked, or made the log's stream anew meanwhile.
    pub async fn read(&self) -> Result<Vec<Read>, BrokerFault> {
        self.read_behind(0).await
    }

    /// The entries that stand now behind one that was read.
    ///
    /// # Errors
    /// When the broker cannot be asked, or made the log's stream anew meanwhile.
    pub async fn read_behind(&self, after: u64) -> Result<Vec<Read>, BrokerFault> {
        let incarnation = self.same(self.broker.incarnation(WORK).await?)?;
        let (mut read, mut after) = (Vec::new(), after);
        while let Some(message) = self.broker.next_message(WORK, &self.subject, after + 1).await? {
            let seq = message.sequence;
            read.push(self.opened(message, after, incarnation).await?);
            after = seq;
        }
        Ok(read)
    }

    /// The same, where the log is certainly that which was read before: the stream could be another one since a moment ago.
    ///
    /// # Errors
    /// The same.
    pub async fn read_behind_for_sure(&self, after: u64) -> Result<Vec<Read>, BrokerFault> {
        let read = self.read_behind(after).await?;
        self.same(self.broker.incarnation_now(WORK).await?)?;
        Ok(read)
    }

    /// Follows what comes after an entry; 0: from the beginning.
    pub fn follow(&self, after: u64) -> Follow {
        Follow { log: self.clone(), after, wakes: None, looked: None, connection: 0 }
    }

    /// The stream is this one now: is it the one that the log was found in?
    fn same(&self, incarnation: String) -> Result<&str, BrokerFault> {
        let found = self.incarnation.get_or_init(|| incarnation.clone());
        if *found == incarnation { Ok(found) } else { Err(BrokerFault::lost(said(WORK))) }
    }

    fn place<'a>(&'a self, place: &'a str, incarnation: &'a str) -> Place<'a> {
        Place { kind: Kind::Entry, subject: &self.subject, place, incarnation }
    }

    /// What stands behind the entry `after`.
    async fn opened(&self, message: StreamMessage, after: u64, incarnation: &str) -> Result<Read, BrokerFault> {
        let seq = message.sequence;
        let headers = Some(&message.headers);
        if !self.broker.is_sealed(self.place(&after.to_string(), incarnation), headers, &message.payload) {
            // Where the stream was made anew, all that is in it is sealed in another way.
            if self.broker.incarnation_now(WORK).await? != incarnation {
                return Err(BrokerFault::lost(said(WORK)));
            }
            return Ok(Read::Unsealed { seq });
        }
        let body = match self.broker.body(headers, &message.payload).await {
            Ok(body) => body,
            Err(BrokerFault::Unsealed { .. }) => return Ok(Read::Unsealed { seq }),
            Err(fault) => return Err(fault),
        };
        let at = Timestamp::from_nanosecond(message.time.unix_timestamp_nanos())
            .map_err(|error| BrokerFault::other(error.to_string()))?;
        Ok(Read::Entry(LogEntry { seq, at, body }))
    }
}

/// Reads on in a log as entries come.
pub struct Follow {
    log: JobLog,
    after: u64,
    /// Entries as they are published: they say when to look.
    wakes: Option<Subscriber>,
    /// When there was nothing new.
    looked: Option<Instant>,
    /// The connection at that time.
    connection: u64,
}

impl Follow {
    /// Waits for the next entry: in order, none twice and none left out. Goes on when a connection that broke is there
    /// again. May be dropped at any point and called again.
    ///
    /// # Errors
    /// [`BrokerFault::Lost`] when the stream is gone or was made anew, or an entry's file is gone; else what does not pass
    /// by itself.
    pub async fn next(&mut self) -> Result<Read, BrokerFault> {
        loop {
            match self.look().await {
                Ok(Some(read)) => return Ok(read),
                Ok(None) => self.wait().await,
                Err(BrokerFault::Unreachable { .. }) => {
                    self.log.broker.connected(Instant::now() + ANSWER_TIMEOUT).await.ok();
                    tokio::time::sleep(TICK).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// What stands behind the last entry, where something does.
    async fn look(&mut self) -> Result<Option<Read>, BrokerFault> {
        let broker = &self.log.broker;
        let connection = broker.connection();
        let incarnation = if self.looked.is_some_and(|looked| looked.elapsed() >= LOOK) {
            broker.incarnation_now(WORK).await?
        } else {
            broker.incarnation(WORK).await?
        };
        let incarnation = self.log.same(incarnation)?;
        if self.wakes.is_none() {
            // Where that is not allowed, the log is looked at now and then.
            self.wakes = broker.shared.client.subscribe(self.log.subject.clone()).await.ok();
        }
        let Some(message) = broker.next_message(WORK, &self.log.subject, self.after + 1).await? else {
            (self.looked, self.connection) = (Some(Instant::now()), connection);
            return Ok(None);
        };
        let seq = message.sequence;
        let read = self.log.opened(message, self.after, incarnation).await?;
        self.after = seq;
        Ok(Some(read))
    }

    /// Waits until something may have come.
    async fn wait(&mut self) {
        let until = Instant::now() + LOOK;
        while Instant::now() < until && self.log.broker.connection() == self.connection {
            let Some(wakes) = &mut self.wakes else { return tokio::time::sleep(TICK).await };
            match timeout(TICK, wakes.next()).await {
                Ok(Some(_)) => return self.wait_until_stored().await,
                Ok(None) => {
                    self.wakes = None;
                    return tokio::time::sleep(TICK).await;
                }
                Err(_) => {}
            }
        }
    }

    /// Waits until what was published is stored, for a moment.
    async fn wait_until_stored(&self) {
        for _ in 0..STORING_LOOKS {
            match self.log.broker.next_message(WORK, &self.log.subject, self.after + 1).await {
                Ok(None) => tokio::time::sleep(STORING).await,
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }
}
