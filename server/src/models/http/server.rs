use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Body, Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::error::ModelError;
use super::super::retry::{AttemptError, RetryPolicy, with_retries};
use super::super::setup::{Setup, settings};
use super::super::throttle::Throttle;
use super::super::turn::TurnProgress;
use super::api::{Api, beneath, host};
use super::client::client;
use super::credential::Credential;
use super::endpoint::Endpoint;
use super::error_body::ErrorBody;
use super::incoming::Incoming;
use super::plain_http;
use super::reading::{self, Watch};
use crate::contracts::Usage;

/// How to reach a server. Nothing here is read from the environment: its maker does that.
#[derive(Debug, Clone)]
pub(in crate::models) struct ServerConfig {
    /// Where the API is, as the user wrote it.
    pub(in crate::models) base_url: String,
    pub(in crate::models) credential: Credential,
    /// The variable the credential came from, or the editor's store; errors name it.
    pub(in crate::models) credential_source: String,
    /// Headers that every request has.
    pub(in crate::models) headers: HeaderMap,
    /// Hosts that may get the credential over plain http, in lower case, each with or without a port. This machine always
    /// may.
    pub(in crate::models) allow_http_hosts: Vec<String>,
    pub(in crate::models) timing: Timing,
}

/// How long a server may take, and how often and how many times at once it is asked.
#[derive(Debug, Clone, Copy)]
pub(in crate::models) struct Timing {
    /// How long an answer may go on without anything new in it: text, a tool's input, a block that begins. Bytes that
    /// say nothing, such as pings, do not count.
    pub(in crate::models) idle: Duration,
    /// How long the server may take until its answer begins. Longer than the idle timeout: a small server on a CPU
    /// says nothing until it has read the whole prompt.
    pub(in crate::models) answer: Duration,
    /// When to try again.
    pub(in crate::models) retry: RetryPolicy,
    /// Requests under way at once, at most.
    pub(in crate::models) parallelism: usize,
}

/// A server of models over HTTP: one client and one throttle for all of them.
#[derive(Debug)]
pub(in crate::models) struct Server {
    http: Client,
    base: Url,
    headers: HeaderMap,
    timing: Timing,
    throttle: Arc<Throttle>,
    pub(in crate::models) endpoint: Endpoint,
}

/// A request that brought no answer.
#[derive(Debug)]
pub(in crate::models) struct Failed {
    /// What it means for the turn.
    pub(in crate::models) attempt: AttemptError,
    /// The server's refusal, where there was one.
    pub(in crate::models) refusal: Option<Refusal>,
}

/// A response whose status is no success.
#[derive(Debug)]
pub(in crate::models) struct Refusal {
    pub(in crate::models) status: StatusCode,
    pub(in crate::models) body: ErrorBody,
}

/// Why there is no answer to a question about models.
#[derive(Debug, Clone)]
pub(in crate::models) struct Unanswered {
    pub(in crate::models) error: ModelError,
    /// Whether something answered at all.
    pub(in crate::models) reached: bool,
}

/// How long one answer to a question about models may take. Short: a person waits to learn whether the server is there.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes read of one such answer.
const MOST_BYTES: usize = 4 << 20;

impl Default for Timing {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(90),
            answer: Duration::from_secs(300),
            retry: RetryPolicy::default(),
            parallelism: 64,
        }
    }
}

impl Timing {
    /// With what the user's variables say.
    ///
    /// # Errors
    /// The first variable that holds no length of time.
    pub(in crate::models) fn of(setup: &Setup<'_>) -> Result<Self, ModelError> {
        let mut timing = Self::default();
        setup.set_durations([
            ("BATON_RETRY_BASE", &mut timing.retry.base),
            ("BATON_IDLE_TIMEOUT", &mut timing.idle),
            ("BATON_ANSWER_TIMEOUT", &mut timing.answer),
        ])?;
        Ok(timing)
    }
}

impl Server {
    /// A server that speaks this API. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ModelErrorKind::Settings`](super::super::error::ModelErrorKind::Settings) when the address or the credential
    /// cannot be used, or the one would be readable on its way to the other.
    pub(in crate::models) fn new(api: &'static Api, config: ServerConfig) -> Result<Self, ModelError> {
        let base = api.base(&config.base_url)?;
        let has_secret = config.credential != Credential::Nothing;
        let is_readable = has_secret && plain_http::is_readable_on_the_way(&base);
        if is_readable && !plain_http::is_allowed(&base, &config.allow_http_hosts) {
            return Err(readable_on_the_way(api, &base, &config));
        }
        let mut headers = config.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some((name, value)) = config.credential.header(&config.credential_source)? {
            headers.insert(name, value);
        }
        let endpoint = Endpoint {
            api,
            host: host(&base),
            model_variable: None,
            is_readable,
            is_default: config.base_url.trim_end_matches('/') == api.default_address,
            credential: config.credential,
            credential_source: config.credential_source,
        };
        let http = client(&base)?;
        let throttle = Throttle::new(config.timing.parallelism);
        Ok(Self { http, base, headers, timing: config.timing, throttle, endpoint })
    }

    /// The throttle all its models share.
    pub(in crate::models) fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    /// The address of a request, by the segments of its path beneath the API's.
    pub(in crate::models) fn url(&self, segments: &[&str]) -> Url {
        beneath(&self.base, segments)
    }

    /// Take a turn by a request that may have to be made several times. `attempt` makes it once; with the answer comes what
    /// the lost ones cost.
    ///
    /// # Errors
    /// When the turn failed after all retries or was cancelled.
    pub(in crate::models) async fn with_retries<T, F, A>(
        &self,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
        attempt: A,
    ) -> Result<(T, Usage), ModelError>
    where
        A: Fn() -> F,
        F: Future<Output = Result<T, AttemptError>>,
    {
        let provider = self.endpoint.provider();
        with_retries(&provider, &self.timing.retry, &self.throttle, cancel, progress, attempt).await
    }

    /// Send a request once and read its answer, event by event, to the end. `model` is who is asked, for messages.
    ///
    /// # Errors
    /// When there is no answer or only a part of one; what it cost is in the error.
    pub(in crate::models) async fn post<I: Incoming>(
        &self,
        url: Url,
        model: &str,
        body: Body,
        mut answer: I,
        watch: &Watch<'_>,
    ) -> Result<I, Failed> {
        answer.sent(body.as_bytes().map_or(0, <[u8]>::len));
        let has_begun = AtomicBool::new(false);
        let begun = |characters| {
            has_begun.store(true, Ordering::Relaxed);
            (watch.output)(characters);
        };
        let watch = Watch { output: &begun, ..*watch };
        let waiting = |waited| {
            if !has_begun.load(Ordering::Relaxed) {
                (watch.waiting)(waited);
            }
        };
        reporting_waits(&waiting, self.exchange(url, model, body, &mut answer, &watch)).await?;
        Ok(answer)
    }

    async fn exchange(
        &self,
        url: Url,
        model: &str,
        body: Body,
        answer: &mut impl Incoming,
        watch: &Watch<'_>,
    ) -> Result<(), Failed> {
        let sending = self.http.post(url).headers(self.headers.clone()).body(body).send();
        let response = match tokio::time::timeout(self.timing.answer, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.endpoint.unreachable(error).into()),
            Err(_) => return Err(self.endpoint.silent(self.timing.answer).into()),
        };
        if !response.status().is_success() {
            return Err(self.refused(model, response).await);
        }
        let read = reading::read(answer, response, self.timing.idle, watch).await;
        read.map_err(|fault| self.endpoint.broken(model, fault, answer.usage()).into())
    }

    async fn refused(&self, model: &str, response: Response) -> Failed {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = ErrorBody::read(&reading::read_start(response, self.timing.idle).await);
        let attempt = self.endpoint.refused(model, status, &headers, &body, SystemTime::now());
        Failed { attempt, refusal: Some(Refusal { status, body }) }
    }

    /// One short answer as JSON, to a GET, or to a POST of a body; `None` when there is nothing at this address.
    ///
    /// # Errors
    /// When the server does not answer, refuses, or answers with something else than JSON. `what` is what is asked for.
    pub(in crate::models) async fn ask(
        &self,
        url: Url,
        body: Option<&Value>,
        what: &str,
    ) -> Result<Option<Value>, Unanswered> {
        let asked = async {
            let request = match body {
                Some(body) => self.http.post(url.clone()).body(body.to_string()),
                None => self.http.get(url.clone()),
            };
            let json = HeaderValue::from_static("application/json");
            let sent = request.headers(self.headers.clone()).header(ACCEPT, json).send().await;
            let mut response =
                sent.map_err(|error| Unanswered { error: self.endpoint.unreachable(error).error, reached: false })?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut bytes = Vec::new();
            while bytes.len() < MOST_BYTES {
                // An answer that breaks off cannot be parsed, which is the error below.
                let Ok(Some(more)) = response.chunk().await else { break };
                bytes.extend_from_slice(&more);
            }
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
                return Ok(None);
            }
            if !status.is_success() {
                let body = ErrorBody::read(&String::from_utf8_lossy(&bytes));
                let refused = self.endpoint.refused(what, status, &headers, &body, SystemTime::now());
                return Err(Unanswered { error: refused.error, reached: true });
            }
            serde_json::from_slice(&bytes).map(Some).map_err(|_| self.no_list(&url))
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Unanswered { error: self.endpoint.silent(PATIENCE).error, reached: false }),
        }
    }

    /// An answer that is no list of models, or nothing about one.
    pub(in crate::models) fn no_list(&self, url: &Url) -> Unanswered {
        Unanswered { error: self.endpoint.no_list(url.path()), reached: true }
    }
}

/// Reports a turn's progress while its answer comes in: the first byte once, however many attempts there are.
pub(in crate::models) async fn watching<T>(
    progress: &(dyn Fn(TurnProgress) + Send + Sync),
    with: impl AsyncFnOnce(&Watch<'_>) -> T,
) -> T {
    let opened = AtomicBool::new(false);
    let watch = Watch {
        // The cache is open from the first byte on; a second attempt does not open it again.
        first_byte: &|| {
            if !opened.swap(true, Ordering::Relaxed) {
                progress(TurnProgress::FirstByte);
            }
        },
        output: &|characters| progress(TurnProgress::Output { characters }),
        waiting: &|waited| progress(TurnProgress::Unanswered { waited }),
    };
    with(&watch).await
}

/// Drive an exchange, and report now and then how long it has taken: after 10 s, then at twice the time, at most a minute
/// apart. A small machine may read a prompt for minutes before it says anything.
async fn reporting_waits<T>(report: &(dyn Fn(Duration) + Send + Sync), exchange: impl Future<Output = T>) -> T {
    const FIRST: Duration = Duration::from_secs(10);
    const APART: Duration = Duration::from_secs(60);
    let began = Instant::now();
    let mut next = FIRST;
    tokio::pin!(exchange);
    loop {
        tokio::select! {
            biased;
            done = &mut exchange => return done,
            () = tokio::time::sleep_until(began + next) => {
                report(next);
                next += next.min(APART);
            }
        }
    }
}

impl From<AttemptError> for Failed {
    fn from(attempt: AttemptError) -> Self {
        Self { attempt, refusal: None }
    }
}

fn readable_on_the_way(api: &Api, url: &Url, config: &ServerConfig) -> ModelError {
    let (host, word, source) = (host(url), config.credential.word(), &config.credential_source);
    settings(format!(
        "{} is plain http, so everybody on the way to {host} could read the {word} in {source}. Nothing was \
         sent. Set it to an https address, or allow this host in your own baton/config.toml: allow_http_hosts = \
         [\"{}\"]",
        api.variable,
        url.host_str().unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_reported_now_and_then() {
        let waits = Mutex::new(Vec::new());
        let report = |waited: Duration| waits.lock().expect("no panic").push(waited.as_secs());
        let answer = reporting_waits(&report, async {
            tokio::time::sleep(Duration::from_secs(210)).await;
            7
        });
        assert_eq!(answer.await, 7);
        reporting_waits(&report, tokio::time::sleep(Duration::from_secs(9))).await;
        assert_eq!(waits.into_inner().expect("no panic"), [10, 20, 40, 80, 140, 200]);
    }
}
