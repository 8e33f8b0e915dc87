//! A NATS server with JetStream: each event is a message on `baton.events.<workflow>.<phase>.<status>`, kept by the stream `BATON`.

use std::error::Error;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{
    GetStreamError, GetStreamErrorKind, PublishErrorKind, RequestError, RequestErrorKind,
};
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Context};
use async_trait::async_trait;

use super::event_sink::{EventSink, Outgoing, SinkFault};
use super::nats_connection::{ConnectFault, connect};
use super::tls;
use crate::text::innermost_reason;

const STREAM: &str = "BATON";
const SUBJECTS: &str = "baton.events.>";
/// How long the stream knows an id again, and drops what comes twice.
const WINDOW: Duration = Duration::from_secs(60 * 60);
/// How long the stream keeps an event, where it is made here.
const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Nats {
    address: String,
    stream: Option<Context>,
}

impl Nats {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None }
    }

    /// The server, with the stream made where it is missing and that is allowed.
    async fn stream(&mut self) -> Result<Context, SinkFault> {
        if let Some(stream) = &self.stream {
            return Ok(stream.clone());
        }
        let client = connect(&self.address, |options| options.name("baton")).await.map_err(|fault| match fault {
            ConnectFault::Refused(why) => SinkFault::Refused { why },
            ConnectFault::Unreachable(why) => tls::fault(&why),
        })?;
        let mut context = jetstream::new(client);
        context.set_timeout(ANSWER_TIMEOUT);
        let missing = match context.get_stream(STREAM).await {
            Err(error) if has_no_streams(&error) => {
                return Err(SinkFault::Refused { why: "it has no JetStream; start it with that (-js)".to_owned() });
            }
            Err(error) => matches!(error.kind(), GetStreamErrorKind::JetStream(_)),
            Ok(_) => false,
        };
        if missing {
            let config = Config {
                name: STREAM.to_owned(),
                subjects: vec![SUBJECTS.to_owned()],
                duplicate_window: WINDOW,
                max_age: MAX_AGE,
                ..Config::default()
            };
            // Where that is not allowed, another stream may take the subjects: sending tells.
            if let Err(error) = context.create_stream(config).await {
                tracing::warn!(error = %innermost_reason(&error), "the stream {STREAM} cannot be made");
            }
        }
        Ok(self.stream.insert(context).clone())
    }
}

#[async_trait]
impl EventSink for Nats {
    /// One after the other: where one is refused, those behind it may not be taken.
    fn most(&self) -> usize {
        1
    }

    async fn send(&mut self, events: &[Outgoing]) -> Result<(), SinkFault> {
        let stream = self.stream().await?;
        for event in events {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", event.id.as_str());
            let published = async {
                let sent = stream.publish_with_headers(subject(event), headers, event.json.clone().into()).await?;
                sent.await
            };
            if let Err(error) = published.await {
                // The next try begins with a new connection.
                self.stream = None;
                return Err(match error.kind() {
                    PublishErrorKind::StreamNotFound => no_stream(),
                    PublishErrorKind::MaxPayloadExceeded => {
                        SinkFault::Refused { why: format!("event {} is larger than it takes", event.id) }
                    }
                    PublishErrorKind::TimedOut => SinkFault::later("it does not answer in time"),
                    _ => SinkFault::Later { why: innermost_reason(&error), wait: None, answers: true },
                });
            }
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<String, SinkFault> {
        let stream = self.stream().await?;
        let Err(error) = stream.get_stream(STREAM).await else { return Ok("answers".to_owned()) };
        if !matches!(error.kind(), GetStreamErrorKind::JetStream(_)) {
            return Err(SinkFault::Later { why: innermost_reason(&error), wait: None, answers: true });
        }
        match stream.stream_by_subject(SUBJECTS).await {
            Ok(other) => Ok(format!("answers; its stream {other} takes events")),
            Err(_) => Err(no_stream()),
        }
    }
}

/// Whether nobody there answers for JetStream.
fn has_no_streams(error: &GetStreamError) -> bool {
    let request = error.source().and_then(|source| source.downcast_ref::<RequestError>());
    request.is_some_and(|request| request.kind() == RequestErrorKind::NoResponders)
}

fn no_stream() -> SinkFault {
    let why = format!("no stream there takes {SUBJECTS}, and none may be made; make one, called {STREAM}");
    SinkFault::Refused { why }
}

fn subject(event: &Outgoing) -> String {
    let run = event.id.split(':').next().unwrap_or_default();
    let workflow = if event.workflow.is_empty() { run } else { &event.workflow };
    format!("baton.events.{}.{}.{}", token(workflow), token(&event.phase), token(&event.status))
}

/// A word as a part of a subject, which holds neither dots nor wildcards.
fn token(word: &str) -> String {
    let word: String =
        word.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect();
    if word.is_empty() { "_".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_made_of_plain_words() {
        let mut event = Outgoing {
            id: "20260102-120000-0001:7".to_owned(),
            workflow: String::new(),
            phase: "a.b*>".to_owned(),
            status: "done".to_owned(),
            json: String::new(),
        };
        assert_eq!(subject(&event), "baton.events.20260102-120000-0001.a_b__.done");
        event.workflow = "w".to_owned();
        assert_eq!(subject(&event), "baton.events.w.a_b__.done");
    }
}
