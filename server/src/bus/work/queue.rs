//! The queue of jobs: each is taken by one, and comes again where that one is not heard of.

use std::collections::BTreeSet;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, IntoConsumerConfig};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::{self, AckKind};
use async_nats::{Message, Request};
use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::body::Place;
use super::broker::{Broker, PublishFault, TRIES, api_fault, locked};
use super::fault::BrokerFault;
use super::layout::{JOBS, KEPT, job_subject, job_token, said};
use super::seal::Kind;
use crate::text::innermost_reason;

const ID_HEADER: &str = "Nats-Msg-Id";
/// How long the broker is asked for a job at once: what it was asked before it was started again is forgotten.
const ROUND: Duration = Duration::from_secs(5);
const MIN_ROUND: Duration = Duration::from_millis(100);
/// Waited after a refusal that says nothing.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a job is put aside whose body is not there.
const WITHOUT_BODY: Duration = Duration::from_secs(30);

/// A job that was taken. Dropped without a word, it comes to another one when its time is over.
pub struct Offered {
    /// The id that it was offered with.
    pub id: String,
    /// What is to be done.
    pub body: Vec<u8>,
    /// How often it was handed out, this time included.
    pub delivery: u64,
    /// Its sequence in the queue.
    pub queued: u64,
    /// How long ago it was offered, by the broker's clock and this one.
    pub age: Duration,
    acker: Acker,
}

impl Offered {
    /// Says that it is being worked on: it stays with its taker for another
    /// [`BrokerTimes::ack_wait`](super::BrokerTimes::ack_wait).
    pub async fn keep(&self) {
        self.tell(AckKind::Progress).await;
    }

    /// Says that it is done, and waits until the broker knows: it is in the queue no longer.
    pub async fn done(&self) {
        for _ in 0..TRIES {
            match self.acker.double_ack().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, job = %self.id, "the broker does not know yet that a job is done"),
            }
        }
    }

    /// Gives it to the next taker, after a while.
    pub async fn give_back(&self, after: Duration) {
        self.tell(AckKind::Nak(Some(after))).await;
    }

    async fn tell(&self, kind: AckKind) {
        // What cannot be told is found by the broker itself: the time of the job goes by.
        if let Err(error) = self.acker.ack_with(kind).await {
            tracing::warn!(%error, job = %self.id, "the broker is not told of a job");
        }
    }
}

impl Broker {
    /// Offers a job to those with a tag, or to anyone, and waits until the broker has it. Offered again with the same id
    /// within two minutes, it is one job. Answers its sequence in the queue.
    ///
    /// # Errors
    /// When it is not known that the broker has it.
    pub async fn offer(&self, tag: Option<&str>, id: &str, body: &[u8]) -> Result<u64, BrokerFault> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BrokerFault::other("the id of a job has characters that no header takes"));
        }
        let subject = job_subject(&job_token(tag));
        let body = self.outgoing(body).await?;
        let mut tries = 0;
        loop {
            let incarnation = self.incarnation(JOBS).await?;
            let place = Place { kind: Kind::Job, subject: &subject, place: id, incarnation: &incarnation };
            let (mut headers, payload) = self.sealed(place, &body)?;
            headers.insert(ID_HEADER, id);
            tries += 1;
            match self.publish(JOBS, &subject, headers, payload).await {
                // Sealed for a stream that was made anew before it arrived, nobody takes it.
                Ok(_) if self.incarnation(JOBS).await? != incarnation => return Err(BrokerFault::lost(said(JOBS))),
                Ok(seq) => return Ok(seq),
                Err(PublishFault::Fault(BrokerFault::Unreachable { .. })) if tries < TRIES => {}
                Err(PublishFault::Fault(fault)) => return Err(fault),
                Err(PublishFault::WrongLast) => return Err(BrokerFault::other("it refuses the order of messages")),
            }
        }
    }

    /// Whether the job of this sequence is still in the queue, waiting or taken.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    pub async fn is_queued(&self, seq: u64) -> Result<bool, BrokerFault> {
        Ok(self.message(JOBS, &json!({ "seq": seq })).await?.is_some())
    }

    /// Takes the next job for anyone or for one of the tags, and waits for one so long. Where it is dropped meanwhile, a job
    /// that was on its way comes again after its time.
    ///
    /// # Errors
    /// When the broker cannot be asked. [`BrokerFault::Unsealed`] when a job was not sealed with the key: it is no longer in
    /// the queue.
    pub async fn take(&self, tags: &[String], wait: Duration) -> Result<Option<Offered>, BrokerFault> {
        let tokens: BTreeSet<String> =
            std::iter::once(job_token(None)).chain(tags.iter().map(|tag| job_token(Some(tag)))).collect();
        let end = Instant::now() + wait;
        loop {
            self.connected(end.max(Instant::now() + MIN_ROUND)).await?;
            for token in &tokens {
                self.consumer(token).await?;
            }
            let round = end.saturating_duration_since(Instant::now()).clamp(MIN_ROUND, ROUND);
            let taken = self.ask_for_one(&tokens, round).await?;
            if let Some(message) = taken {
                return self.opened(message).await.map(Some);
            }
            if Instant::now() >= end {
                return Ok(None);
            }
        }
    }

    /// Makes the consumer of a tag, where it is not known to be there.
    async fn consumer(&self, token: &str) -> Result<(), BrokerFault> {
        if locked(&self.shared.consumers).contains(token) {
            return Ok(());
        }
        let subject = job_subject(token);
        let config = Config {
            durable_name: Some(token.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.shared.times.ack_wait,
            max_deliver: -1,
            filter_subject: subject.clone(),
            // As long as a job may wait for it.
            inactive_threshold: KEPT,
            ..Config::default()
        };
        let request = json!({ "stream_name": JOBS, "config": config.into_consumer_config() });
        let made = self.request::<Value>(&format!("CONSUMER.CREATE.{JOBS}.{token}.{subject}"), &request).await?;
        made.map_err(|error| api_fault(&error, said(JOBS)))?;
        locked(&self.shared.consumers).insert(token.to_owned());
        Ok(())
    }

    /// Asks the consumers for one job. None when none came in time, or a consumer is gone.
    async fn ask_for_one(&self, tokens: &BTreeSet<String>, round: Duration) -> Result<Option<Message>, BrokerFault> {
        let unreachable = |error: &(dyn std::error::Error + 'static)| BrokerFault::unreachable(innermost_reason(error));
        let inbox = self.shared.client.new_inbox();
        let mut answers = self.shared.client.subscribe(inbox.clone()).await.map_err(|error| unreachable(&error))?;
        let payload = Bytes::from(json!({ "batch": 1, "expires": nanoseconds(round) }).to_string());
        for token in tokens {
            let request = Request::new().inbox(inbox.clone()).payload(payload.clone());
            let subject = format!("CONSUMER.MSG.NEXT.{JOBS}.{token}");
            self.shared.context.send_request(subject, request).await.map_err(|error| unreachable(&error))?;
        }
        let end = Instant::now() + round + PAUSE;
        let (mut open, mut refused) = (tokens.len(), false);
        let mut taken = None;
        while open > 0 && taken.is_none() {
            match timeout_at(end, answers.next()).await {
                Ok(Some(message)) => match message.status.map(|status| status.as_u16()) {
                    None => taken = Some(message),
                    // The time is over.
                    Some(404 | 408) => open -= 1,
                    Some(_) => {
                        refused = true;
                        open -= 1;
                    }
                },
                Ok(None) => return Err(BrokerFault::unreachable("the connection was closed")),
                Err(_) => break,
            }
        }
        if taken.is_some() && tokens.len() > 1 {
            // What another consumer hands out at the same time goes to the next taker.
            answers.drain().await.ok();
            while let Ok(Some(message)) = timeout(PAUSE, answers.next()).await {
                if message.status.is_none() {
                    self.acker(message).1.ack_with(AckKind::Nak(None)).await.ok();
                }
            }
        }
        if refused && taken.is_none() {
            locked(&self.shared.consumers).clear();
            // Tells when it is the queue itself that is gone.
            self.incarnation_now(JOBS).await?;
            sleep(PAUSE).await;
        }
        Ok(taken)
    }

    fn acker(&self, message: Message) -> (Message, Acker) {
        jetstream::Message { message, context: self.shared.context.clone() }.split()
    }

    /// A job that was handed out, opened.
    async fn opened(&self, message: Message) -> Result<Offered, BrokerFault> {
        let message = jetstream::Message { message, context: self.shared.context.clone() };
        let (delivery, queued, published) = {
            let info = message.info().map_err(|error| BrokerFault::other(error.to_string()))?;
            let delivery = u64::try_from(info.delivered).unwrap_or_default();
            (delivery, info.stream_sequence, info.published.unix_timestamp_nanos())
        };
        let (message, acker) = message.split();
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(ID_HEADER)).map(ToString::to_string).unwrap_or_default();
        if !self.is_job(&message, &id).await? {
            // For good: nobody else can open it either.
            acker.double_ack().await.ok();
            return Err(BrokerFault::Unsealed { what: format!("job {queued} of the queue") });
        }
        let body = match self.body(headers, &message.payload).await {
            Ok(body) => body,
            Err(fault) => {
                let kind = match fault {
                    BrokerFault::Unsealed { .. } | BrokerFault::TooLarge { .. } => AckKind::Ack,
                    BrokerFault::Lost { .. } => AckKind::Nak(Some(WITHOUT_BODY)),
                    BrokerFault::Unreachable { .. } | BrokerFault::Refused { .. } | BrokerFault::Other { .. } => {
                        AckKind::Nak(None)
                    }
                };
                acker.ack_with(kind).await.ok();
                return Err(fault);
            }
        };
        let published = Timestamp::from_nanosecond(published).unwrap_or_else(|_| Timestamp::now());
        let age = Timestamp::now().duration_since(published).try_into().unwrap_or_default();
        Ok(Offered { id, body, delivery, queued, age, acker })
    }

    async fn is_job(&self, message: &Message, id: &str) -> Result<bool, BrokerFault> {
        let is_sealed = |incarnation: &str| {
            let place = Place { kind: Kind::Job, subject: &message.subject, place: id, incarnation };
            self.is_sealed(place, message.headers.as_ref(), &message.payload)
        };
        Ok(is_sealed(&self.incarnation(JOBS).await?) || is_sealed(&self.incarnation_now(JOBS).await?))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
