//! Who is there: workers that announced themselves a short while ago.

use super::body::Place;
use super::broker::{Broker, PublishFault};
use super::fault::BrokerFault;
use super::layout::{WORKERS, worker_of, worker_subject};
use super::seal::Kind;

/// Marks a deleted value in a key-value bucket.
const OPERATION_HEADER: &str = "KV-Operation";

impl Broker {
    /// Says that a worker is there, for the next 30 seconds; `body` is what it says of itself, at most 512 KiB.
    ///
    /// # Errors
    /// When the broker does not take it.
    pub async fn announce(&self, worker: &str, body: &[u8]) -> Result<(), BrokerFault> {
        if body.len() > self.max_inline() {
            return Err(BrokerFault::TooLarge { what: "what a worker says of itself".to_owned() });
        }
        let subject = worker_subject(worker);
        let incarnation = self.incarnation(WORKERS).await?;
        let body = self.outgoing(body).await?;
        let place = Place { kind: Kind::Worker, subject: &subject, place: "", incarnation: &incarnation };
        let (headers, payload) = self.sealed(place, &body)?;
        match self.publish(WORKERS, &subject, headers, payload).await {
            Ok(_) => Ok(()),
            Err(PublishFault::Fault(fault)) => Err(fault),
            Err(PublishFault::WrongLast) => Err(BrokerFault::other("it refuses the order of messages")),
        }
    }

    /// Says that a worker is no longer there. Where that cannot be said, it is found out by its silence.
    pub async fn withdraw(&self, worker: &str) {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(OPERATION_HEADER, "DEL");
        let subject = worker_subject(worker);
        if let Err(PublishFault::Fault(fault)) = self.publish(WORKERS, &subject, headers, bytes::Bytes::new()).await {
            tracing::warn!(%fault, "a worker cannot say that it leaves");
        }
    }

    /// The workers that are there, with what they say of themselves: those that verify.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    pub async fn announced(&self) -> Result<Vec<(String, Vec<u8>)>, BrokerFault> {
        let subjects = self.stream_info(WORKERS, ">").await?.state.subjects.unwrap_or_default();
        let incarnation = self.incarnation(WORKERS).await?;
        let mut announced = Vec::new();
        for subject in subjects.keys() {
            let (Some(worker), Some(message)) = (worker_of(subject), self.last_message(WORKERS, subject).await?) else {
                continue;
            };
            let place = Place { kind: Kind::Worker, subject, place: "", incarnation: &incarnation };
            if message.headers.get(OPERATION_HEADER).is_some() {
                continue;
            }
            // What is not sealed is nobody's: anyone may write there whom the broker lets in.
            if self.is_sealed(place, Some(&message.headers), &message.payload) {
                announced.push((worker, message.payload.to_vec()));
            } else {
                tracing::warn!("a worker is announced that does not have the key of this bus");
            }
        }
        Ok(announced)
    }
}
