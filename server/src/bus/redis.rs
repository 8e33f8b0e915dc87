//! A Redis server: each event is an entry of the stream `baton:events`.

use std::time::Duration;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, ServerErrorKind};

use super::event_sink::{EventSink, Outgoing, SinkFault};
use super::tls;
use crate::text;

const STREAM: &str = "baton:events";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Events of one batch.
const MOST: usize = 100;
const WIDEST: usize = 200;

pub(super) struct Redis {
    client: Client,
    connection: Option<MultiplexedConnection>,
}

impl Redis {
    pub(super) fn new(address: &str) -> Result<Self, SinkFault> {
        tls::install();
        let client = Client::open(address)
            .map_err(|_| SinkFault::Refused { why: "its address is none that Redis knows".to_owned() })?;
        Ok(Self { client, connection: None })
    }

    async fn connection(&mut self) -> Result<MultiplexedConnection, SinkFault> {
        if let Some(connection) = &self.connection {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let made = made.map_err(|error| fault(&error))?;
        Ok(self.connection.insert(made).clone())
    }

    fn failed(&mut self, error: &RedisError) -> SinkFault {
        // The next try begins with a new one.
        self.connection = None;
        fault(error)
    }
}

#[async_trait]
impl EventSink for Redis {
    fn most(&self) -> usize {
        MOST
    }

    async fn send(&mut self, events: &[Outgoing]) -> Result<(), SinkFault> {
        let mut connection = self.connection().await?;
        // All or none: of a batch whose middle is refused, the rest would come before it when it is sent again.
        let mut batch = redis::pipe();
        batch.atomic();
        for event in events {
            batch.cmd("XADD").arg(STREAM).arg("*").arg("id").arg(&event.id).arg("event").arg(&event.json).ignore();
        }
        let sent: Result<(), RedisError> = batch.query_async(&mut connection).await;
        sent.map_err(|error| self.failed(&error))
    }

    async fn probe(&mut self) -> Result<String, SinkFault> {
        let mut connection = self.connection().await?;
        let answered: Result<String, RedisError> = redis::cmd("PING").query_async(&mut connection).await;
        answered.map(|_| "answers".to_owned()).map_err(|error| self.failed(&error))
    }
}

/// What an error means. Its words are repeated only where the server says them.
fn fault(error: &RedisError) -> SinkFault {
    // Of a batch, what the server says of its first command; that the batch was given up follows from it.
    let said = error.clone().into_server_errors().and_then(|errors| errors.first().map(|(_, said)| said.clone()));
    let code = said.as_ref().map(|said| said.code()).or(error.code()).unwrap_or_default();
    let refuses = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig | ErrorKind::Server(ServerErrorKind::NoPerm)
    ) || matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE");
    if refuses {
        let why = match code {
            "WRONGTYPE" => format!("its key {STREAM} is no stream"),
            _ => "it refuses the credentials of its address, or lets them write no stream".to_owned(),
        };
        return SinkFault::Refused { why };
    }
    if error.is_timeout() {
        return SinkFault::later("it does not answer in time");
    }
    if error.is_io_error() || code.is_empty() {
        return tls::fault(&text::short_line(&error.to_string(), WIDEST));
    }
    // Full, loading, read-only for a while.
    let words = said.as_ref().and_then(|said| said.details()).or(error.detail()).unwrap_or_default();
    let why = text::short_line(&format!("it answers {code} {words}"), WIDEST);
    SinkFault::Later { why: why.trim_end().to_owned(), wait: None, answers: true }
}
