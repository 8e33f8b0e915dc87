//! A web server: one event a POST, signed where there is a key.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use sha2::Sha256;

use super::event_sink::{EventSink, Outgoing, SinkFault};
use super::tls;
use crate::text::innermost_reason;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may take for one event.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the rest of an answer is read that says that the event was taken.
const REST_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest time that a server is left alone because it says so.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// The id of an event, by which receivers know it again.
const EVENT_ID: &str = "baton-event-id";
const SIGNATURE: &str = "baton-signature";

pub(super) struct Http {
    client: Client,
    url: Url,
    key: Option<String>,
}

impl Http {
    pub(super) fn new(address: &str, key: Option<String>) -> Result<Self, SinkFault> {
        let url =
            Url::parse(address).map_err(|_| SinkFault::Refused { why: "its address cannot be read".to_owned() })?;
        tls::install();
        let mut builder = Client::builder()
            .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // A redirect would carry events and credentials to wherever it points.
            .redirect(Policy::none());
        if url.scheme() == "http" {
            // Never speaks TLS, so no certificates are read; and a proxy would be one more host that reads what is sent.
            builder = builder.tls_certs_only([]).no_proxy();
        }
        let client = builder.build().map_err(|error| SinkFault::later(cause(&error)))?;
        Ok(Self { client, url, key })
    }
}

#[async_trait]
impl EventSink for Http {
    fn most(&self) -> usize {
        1
    }

    async fn send(&mut self, events: &[Outgoing]) -> Result<(), SinkFault> {
        for event in events {
            let mut request = self
                .client
                .post(self.url.clone())
                .header(CONTENT_TYPE, "application/json")
                .header(EVENT_ID, &event.id)
                .body(event.json.clone());
            if let Some(key) = &self.key {
                request = request.header(SIGNATURE, signature(key, event.json.as_bytes()));
            }
            let mut response = request.send().await.map_err(|error| tls::fault(&cause(&error)))?;
            taken(&response)?;
            // Read, so that the connection serves the next event, where that is soon done.
            let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
            let _ = tokio::time::timeout(REST_TIMEOUT, rest).await;
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<String, SinkFault> {
        let asked = self.client.head(self.url.clone()).send().await;
        let status = asked.map_err(|error| tls::fault(&cause(&error)))?.status();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(SinkFault::Refused { why: refused(status) }),
            // Many take nothing but a POST, and an event is none that may be made up.
            _ => Ok("answers".to_owned()),
        }
    }
}

/// Whether an answer says that the event was taken.
fn taken(response: &Response) -> Result<(), SinkFault> {
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let passes = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if passes {
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let wait = wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        return Err(SinkFault::Later { why: format!("it answers {}", words(status)), wait, answers: true });
    }
    Err(SinkFault::Refused { why: refused(status) })
}

fn refused(status: StatusCode) -> String {
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; look at its credentials, and at BATON_SINK_KEY",
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::GONE => "; look at its address",
        status if status.is_redirection() => "; name the address that it redirects to",
        _ => "",
    };
    format!("it answers {}{hint}", words(status))
}

fn words(status: StatusCode) -> String {
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default()).trim_end().to_owned()
}

/// The signature of a body: a receiver with the same key knows that it was sent by who has the key, and was not altered.
fn signature(key: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// Why it failed. Never an address, which may hold a password.
fn cause(error: &reqwest::Error) -> String {
    match error.source() {
        _ if error.is_timeout() => "it does not answer in time".to_owned(),
        Some(source) => innermost_reason(source),
        None => "the connection failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_others_sign_it() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
