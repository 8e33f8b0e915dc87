//! A connection to the broker, what there is made of it, and the requests that everything else is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{PublishErrorKind, RequestErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::RawMessage;
use async_nats::jetstream::{self, Context, ErrorCode, stream};
use async_nats::{Client, ConnectOptions, Event, HeaderMap, ServerError};
use bytes::Bytes;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::super::event_sink::SinkFault;
use super::super::nats_connection::{ConnectFault, connect};
use super::super::tls;
use super::fault::BrokerFault;
use super::layout::{WORKERS, said, streams};
use super::seal::BusKey;
use crate::text::innermost_reason;

/// How long the broker has for an answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A broker that says nothing for two of these is gone.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const MAX_RECONNECT_DELAY: Duration = Duration::from_secs(2);
/// How long an event of the connection is waited for at once: it may be told before the state changes.
const EVENT_WAIT: Duration = Duration::from_millis(200);
/// How often something is published whose acknowledgement does not come.
pub(super) const TRIES: usize = 3;

/// How long the broker waits for a worker; all who share a broker have the same.
#[derive(Debug, Clone, Copy)]
pub struct BrokerTimes {
    /// How long a job that was taken stays with its taker without a word: [`Offered::keep`](super::Offered::keep).
    pub ack_wait: Duration,
    /// How long a worker that announced itself is there without a word.
    pub presence: Duration,
}

impl Default for BrokerTimes {
    fn default() -> Self {
        Self { ack_wait: Duration::from_secs(30), presence: Duration::from_secs(30) }
    }
}

/// A NATS server with JetStream, through which work is done elsewhere. A clone is the same connection.
#[derive(Clone)]
pub struct Broker {
    pub(super) shared: Arc<Shared>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Broker(..)")
    }
}

pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) context: Context,
    pub(super) key: BusKey,
    pub(super) times: BrokerTimes,
    /// The consumers that are known to be there.
    pub(super) consumers: Mutex<BTreeSet<String>>,
    incarnations: Mutex<BTreeMap<&'static str, Incarnation>>,
    /// The last permission that the server refused, and when.
    denied: Arc<Mutex<Option<(Instant, String)>>>,
    /// Changes whenever something happens to the connection.
    events: watch::Receiver<()>,
}

/// When a stream was made, as the broker told over a connection.
struct Incarnation {
    connection: u64,
    created: String,
}

#[derive(Deserialize)]
pub(super) struct StreamInfo {
    created: Timestamp,
    pub(super) state: StreamState,
}

#[derive(Deserialize)]
pub(super) struct StreamState {
    /// The subjects that were asked for, with the number of messages on each.
    pub(super) subjects: Option<BTreeMap<String, u64>>,
}

/// Why something was not published.
pub(super) enum PublishFault {
    /// Another message came onto the subject first.
    WrongLast,
    Fault(BrokerFault),
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Broker {
    /// Connects to the server at an address (`nats://` or `tls://`, with credentials where it wants some) under a name that its
    /// operator sees. From then on a connection that breaks is made again, for ever.
    ///
    /// # Errors
    /// When nobody answers within 10 seconds, or it refuses.
    pub async fn connect(address: &str, key: BusKey, name: &str) -> Result<Self, BrokerFault> {
        Self::connect_with(address, key, name, BrokerTimes::default()).await
    }

    /// The same, with other times.
    ///
    /// # Errors
    /// The same.
    pub async fn connect_with(address: &str, key: BusKey, name: &str, times: BrokerTimes) -> Result<Self, BrokerFault> {
        let denied = Arc::new(Mutex::new(None));
        let (changed, events) = watch::channel(());
        let adjust = {
            let denied = Arc::clone(&denied);
            move |options: ConnectOptions| {
                options
                    .name(name)
                    .ping_interval(PING_INTERVAL)
                    .reconnect_delay_callback(|tries| {
                        let tries = u32::try_from(tries).unwrap_or(u32::MAX);
                        Duration::from_millis(100).saturating_mul(tries).min(MAX_RECONNECT_DELAY)
                    })
                    .event_callback(move |event| {
                        if let Event::ServerError(ServerError::Other(why)) = &event {
                            tracing::warn!(%why, "the broker reports an error");
                            if why.to_lowercase().contains("permissions violation") {
                                *locked(&denied) = Some((Instant::now(), why.clone()));
                            }
                        }
                        changed.send_replace(());
                        std::future::ready(())
                    })
            }
        };
        let client = connect(address, adjust).await.map_err(|fault| match fault {
            ConnectFault::Refused(why) => BrokerFault::Refused { why },
            // A certificate does not become a trusted one by trying again.
            ConnectFault::Unreachable(why) => match tls::fault(&why) {
                SinkFault::Refused { why } => BrokerFault::Refused { why },
                SinkFault::Later { why, .. } => BrokerFault::Unreachable { why },
            },
        })?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER_TIMEOUT);
        let shared = Shared {
            client,
            context,
            key,
            times,
            consumers: Mutex::default(),
            incarnations: Mutex::default(),
            denied,
            events,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes the streams and buckets that are missing. To be called after connecting, and again after [`BrokerFault::Lost`].
    ///
    /// # Errors
    /// When one is missing and may not be made, or the broker cannot be asked.
    pub async fn prepare(&self) -> Result<(), BrokerFault> {
        locked(&self.shared.consumers).clear();
        locked(&self.shared.incarnations).clear();
        for config in streams(self.shared.times.presence) {
            let info = self.request::<Value>(&format!("STREAM.INFO.{}", config.name), &()).await?;
            match info {
                Ok(found) => {
                    self.keep_longer(&config, &found).await;
                    continue;
                }
                Err(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {}
                Err(error) => return Err(api_fault(&error, said(&config.name))),
            }
            match self.request::<Value>(&format!("STREAM.CREATE.{}", config.name), &config).await {
                // Another one made it meanwhile.
                Ok(Err(error)) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {}
                Ok(Err(error)) => return Err(api_fault(&error, said(&config.name))),
                Err(BrokerFault::Refused { why }) => {
                    let why = format!("it has no stream {}, and none may be made: {why}", config.name);
                    return Err(BrokerFault::Refused { why });
                }
                Err(fault) => return Err(fault),
                Ok(Ok(_)) => {}
            }
        }
        Ok(())
    }

    /// Workers that say less often that they are there are to be remembered for longer than the bucket was made for. All else in it stays as
    /// it is, and where it may not be changed it serves as it is.
    async fn keep_longer(&self, config: &stream::Config, found: &Value) {
        let kept = found["config"]["max_age"].as_u64().map(Duration::from_nanos);
        // None: for ever.
        if config.name != WORKERS || kept.is_none_or(|kept| kept.is_zero() || kept >= config.max_age) {
            return;
        }
        let mut longer = found["config"].clone();
        longer["max_age"] = json!(u64::try_from(config.max_age.as_nanos()).unwrap_or_default());
        let updated = self.request::<Value>(&format!("STREAM.UPDATE.{}", config.name), &longer).await;
        if !matches!(updated, Ok(Ok(_))) {
            tracing::warn!(?updated, "workers are not remembered for as long as they are to be");
        }
    }

    /// Whether there is a connection now, as far as is known.
    pub async fn is_connected(&self) -> bool {
        self.shared.client.connection_state() == State::Connected
    }

    /// The number of the connection: another one after a reconnect.
    pub(super) fn connection(&self) -> u64 {
        self.shared.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Waits until there is a connection.
    pub(super) async fn connected(&self, until: Instant) -> Result<(), BrokerFault> {
        let mut events = self.shared.events.clone();
        while !self.is_connected().await {
            if Instant::now() >= until {
                return Err(BrokerFault::unreachable("there is no connection to it"));
            }
            let moment = until.min(Instant::now() + EVENT_WAIT);
            timeout_at(moment, events.changed()).await.ok();
        }
        Ok(())
    }

    /// Waits until there is another connection than this one, over which no answer comes to what was sent before.
    async fn connection_after(&self, connection: u64) {
        let mut events = self.shared.events.clone();
        while self.connection() == connection {
            timeout(EVENT_WAIT, events.changed()).await.ok();
        }
    }

    /// Asks the API of JetStream. What it answers may be an error of its own.
    pub(super) async fn request<T: DeserializeOwned>(
        &self,
        subject: &str,
        payload: &impl Serialize,
    ) -> Result<Result<T, jetstream::Error>, BrokerFault> {
        let began = Instant::now();
        self.connected(began + ANSWER_TIMEOUT).await?;
        let connection = self.connection();
        let answered = tokio::select! {
            biased;
            answered = self.shared.context.request(subject.to_owned(), payload) => answered,
            () = self.connection_after(connection) => return Err(BrokerFault::unreachable("the connection broke")),
        };
        match answered {
            Ok(Response::Ok(value)) => Ok(Ok(value)),
            Ok(Response::Err { error }) => Ok(Err(error)),
            Err(error) => Err(match error.kind() {
                RequestErrorKind::NoResponders if !self.shared.client.server_info().jetstream => {
                    BrokerFault::Refused { why: "JetStream is off there: start it with -js".to_owned() }
                }
                RequestErrorKind::NoResponders => BrokerFault::unreachable("its JetStream does not answer"),
                RequestErrorKind::TimedOut => self.unanswered(began),
                RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
                    BrokerFault::other(innermost_reason(&error))
                }
            }),
        }
    }

    /// Why there was no answer to what was sent then.
    fn unanswered(&self, began: Instant) -> BrokerFault {
        match &*locked(&self.shared.denied) {
            Some((when, why)) if *when >= began => BrokerFault::Refused { why: why.clone() },
            _ => BrokerFault::unreachable("it does not answer in time"),
        }
    }

    /// What the broker tells of a stream, with its subjects that match a pattern.
    pub(super) async fn stream_info(&self, stream: &'static str, subjects: &str) -> Result<StreamInfo, BrokerFault> {
        let connection = self.connection();
        let request = json!({ "subjects_filter": subjects });
        let asked = self.request::<StreamInfo>(&format!("STREAM.INFO.{stream}"), &request).await?;
        let info = asked.map_err(|error| api_fault(&error, said(stream)))?;
        let incarnation = Incarnation { connection, created: info.created.as_nanosecond().to_string() };
        locked(&self.shared.incarnations).insert(stream, incarnation);
        Ok(info)
    }

    /// When a stream was made; asked once for each connection.
    pub(super) async fn incarnation(&self, stream: &'static str) -> Result<String, BrokerFault> {
        let connection = self.connection();
        if let Some(known) = locked(&self.shared.incarnations).get(stream)
            && known.connection == connection
        {
            return Ok(known.created.clone());
        }
        self.incarnation_now(stream).await
    }

    /// When a stream was made; asked now.
    pub(super) async fn incarnation_now(&self, stream: &'static str) -> Result<String, BrokerFault> {
        // No subject is of one token that is empty.
        Ok(self.stream_info(stream, "baton.none").await?.created.as_nanosecond().to_string())
    }

    /// The message of a stream that a query names, where there is one.
    pub(super) async fn message(
        &self,
        stream: &'static str,
        query: &Value,
    ) -> Result<Option<StreamMessage>, BrokerFault> {
        #[derive(Deserialize)]
        struct Found {
            message: RawMessage,
        }
        match self.request::<Found>(&format!("STREAM.MSG.GET.{stream}"), query).await? {
            Ok(found) => match StreamMessage::try_from(found.message) {
                Ok(message) => Ok(Some(message)),
                Err(error) => Err(BrokerFault::other(error.to_string())),
            },
            Err(error) if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            Err(error) => Err(api_fault(&error, said(stream))),
        }
    }

    /// The first message on a subject whose sequence is at least the one given.
    pub(super) async fn next_message(
        &self,
        stream: &'static str,
        subject: &str,
        from: u64,
    ) -> Result<Option<StreamMessage>, BrokerFault> {
        let found = self.message(stream, &json!({ "next_by_subj": subject, "seq": from })).await?;
        // Whoever reads on would not come to an end.
        match found {
            Some(found) if found.sequence < from => Err(BrokerFault::other("it answers with what was not asked for")),
            found => Ok(found),
        }
    }

    /// The last message on a subject.
    pub(super) async fn last_message(
        &self,
        stream: &'static str,
        subject: &str,
    ) -> Result<Option<StreamMessage>, BrokerFault> {
        self.message(stream, &json!({ "last_by_subj": subject })).await
    }

    /// Publishes into a stream and waits until that has it. Answers the sequence.
    pub(super) async fn publish(
        &self,
        stream: &'static str,
        subject: &str,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<u64, PublishFault> {
        let began = Instant::now();
        self.connected(began + ANSWER_TIMEOUT).await.map_err(PublishFault::Fault)?;
        let connection = self.connection();
        let published =
            async { self.shared.context.publish_with_headers(subject.to_owned(), headers, payload).await?.await };
        let done = tokio::select! {
            biased;
            done = published => done,
            () = self.connection_after(connection) => {
                return Err(PublishFault::Fault(BrokerFault::unreachable("the connection broke")));
            }
        };
        done.map(|ack| ack.sequence).map_err(|error| {
            let api = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<jetstream::Error>());
            PublishFault::Fault(match error.kind() {
                PublishErrorKind::WrongLastSequence => return PublishFault::WrongLast,
                PublishErrorKind::StreamNotFound => BrokerFault::lost(said(stream)),
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => self.unanswered(began),
                PublishErrorKind::MaxPayloadExceeded => BrokerFault::TooLarge { what: "a message".to_owned() },
                PublishErrorKind::WrongLastMessageId | PublishErrorKind::MaxAckPending | PublishErrorKind::Other => api
                    .map_or_else(
                        || BrokerFault::other(innermost_reason(&error)),
                        |error| api_fault(error, said(stream)),
                    ),
            })
        })
    }

    /// Waits until everything that was sent has reached the broker.
    pub(super) async fn flush(&self) {
        // Without a connection it is sent later, or not at all.
        timeout(ANSWER_TIMEOUT, self.shared.client.flush()).await.ok();
    }
}

/// What an error of the API of JetStream means for the thing it was about.
pub(super) fn api_fault(error: &jetstream::Error, what: &str) -> BrokerFault {
    match error.error_code() {
        ErrorCode::STREAM_NOT_FOUND | ErrorCode::CONSUMER_NOT_FOUND => BrokerFault::lost(what),
        ErrorCode::JETSTREAM_NOT_ENABLED | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT => {
            BrokerFault::Refused { why: "JetStream is off for this account".to_owned() }
        }
        ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM | ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM => {
            BrokerFault::TooLarge { what: "a message".to_owned() }
        }
        ErrorCode::CLUSTER_NOT_AVAILABLE => BrokerFault::unreachable(innermost_reason(error)),
        _ => BrokerFault::other(innermost_reason(error)),
    }
}
