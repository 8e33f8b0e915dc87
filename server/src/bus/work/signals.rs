//! Signals: messages to whoever listens at the moment. Nobody keeps them.

use std::time::Duration;

use async_nats::Subscriber;
use futures::StreamExt;
use tokio::time::Instant;

use super::body::Place;
use super::broker::Broker;
use super::fault::BrokerFault;
use super::layout::{WORK, signal_subject};
use super::seal::Kind;
use crate::text::innermost_reason;

/// How often what does not verify has the broker asked for its stream: no more than that.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Broker {
    /// Sends a signal of at most 512 KiB to those who listen for a job now. Nobody knows whether somebody does.
    pub async fn signal(&self, workflow: &str, job: &str, body: &[u8]) {
        if let Err(fault) = self.try_signal(&signal_subject(workflow, job), body).await {
            tracing::warn!(%fault, "a signal is not sent");
        }
    }

    async fn try_signal(&self, subject: &str, body: &[u8]) -> Result<(), BrokerFault> {
        if body.len() > self.max_inline() {
            return Err(BrokerFault::TooLarge { what: "a signal".to_owned() });
        }
        let incarnation = self.incarnation(WORK).await?;
        let body = self.outgoing(body).await?;
        let (headers, payload) = self.sealed(place(subject, &incarnation), &body)?;
        let sent = self.shared.client.publish_with_headers(subject.to_owned(), headers, payload).await;
        sent.map_err(|error| BrokerFault::other(innermost_reason(&error)))?;
        self.flush().await;
        Ok(())
    }

    /// Listens for the signals of a job, from now on.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    pub async fn signals(&self, workflow: &str, job: &str) -> Result<Signals, BrokerFault> {
        let subject = signal_subject(workflow, job);
        let subscribed = self.shared.client.subscribe(subject.clone()).await;
        let messages = subscribed.map_err(|error| BrokerFault::unreachable(innermost_reason(&error)))?;
        // From here on the broker knows of it.
        self.flush().await;
        self.incarnation(WORK).await?;
        Ok(Signals { broker: self.clone(), subject, messages, asked: None })
    }
}

/// The signals of a job.
pub struct Signals {
    broker: Broker,
    subject: String,
    messages: Subscriber,
    /// When the broker was last asked because of one that did not verify.
    asked: Option<Instant>,
}

impl Signals {
    /// The next signal that verifies; others are passed over. None when the connection was closed for good.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let message = self.messages.next().await?;
            let is_sealed = |incarnation: &str| {
                let place = place(&self.subject, incarnation);
                self.broker.is_sealed(place, message.headers.as_ref(), &message.payload)
            };
            let known = self.broker.incarnation(WORK).await;
            let mut verified = known.is_ok_and(|incarnation| is_sealed(&incarnation));
            if !verified && self.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN) {
                self.asked = Some(Instant::now());
                let now = self.broker.incarnation_now(WORK).await;
                verified = now.is_ok_and(|incarnation| is_sealed(&incarnation));
            }
            if verified {
                return Some(message.payload.to_vec());
            }
            tracing::warn!("a signal is not sealed with the key of this bus");
        }
    }
}

fn place<'a>(subject: &'a str, incarnation: &'a str) -> Place<'a> {
    Place { kind: Kind::Signal, subject, place: "", incarnation }
}
