//! The Messages API, streamed.
//!
//! Source of its rules: Anthropic's API reference for Messages (streaming, errors, prompt caching, tool use), version
//! [`API_VERSION`]. Other servers speak it too (llama.cpp among them); where they leave something out, that is no fault.

mod answer;
mod list;
mod refusal;
mod request;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Response, Url};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::plain_http;
use super::retry::{AttemptError, RetryPolicy, with_retries};
use super::throttle::Throttle;
use super::{Model, ModelError, ModelErrorKind, Probe, Turn, TurnProgress, TurnRequest};
use answer::Answer;
use list::Listed;
use refusal::Endpoint;
use stream::Watch;

/// The version of the API this speaks.
pub const API_VERSION: &str = "2026-10-21";

const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How to reach the API. Nothing here is read from the environment: whoever makes it does that.
#[derive(Debug, Clone)]
pub struct AnthropicConfig {
    /// Where the API is, without `/v1/messages`.
    pub base_url: String,
    /// The key or token.
    pub credential: Credential,
    /// The variable the credential came from; errors name it.
    pub credential_source: String,
    /// Hosts that may get the credential over plain http, in lower case, each with or without a port. This machine always
    /// may.
    pub allow_http_hosts: Vec<String>,
    /// How long an answer may go on without anything new in it: text, a tool's input, a block that begins. Bytes that
    /// say nothing, such as pings, do not count.
    pub idle_timeout: Duration,
    /// How long the server may take until its answer begins. Longer than the idle timeout: a small server on a CPU
    /// says nothing until it has read the whole prompt.
    pub answer_timeout: Duration,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Requests under way at once, at most.
    pub parallelism: usize,
}

/// A secret. Its `Debug` shows only its kind.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Sent as `x-api-key`.
    ApiKey(String),
    /// Sent as `authorization: Bearer`.
    Bearer(String),
}

/// One client and one throttle for all models of the provider.
#[derive(Debug)]
pub struct AnthropicClient {
    http: Client,
    url: Url,
    headers: HeaderMap,
    endpoint: Endpoint,
    config: AnthropicConfig,
    throttle: Arc<Throttle>,
    /// The API's models, once they were asked for.
    listed: OnceCell<Listed>,
}

/// One model of the Messages API.
#[derive(Debug, Clone)]
pub struct Anthropic {
    client: Arc<AnthropicClient>,
    name: String,
    id: String,
}

impl AnthropicConfig {
    /// The public API, with a credential from the variable of this name.
    pub fn new(credential: Credential, credential_source: impl Into<String>) -> Self {
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            credential,
            credential_source: credential_source.into(),
            allow_http_hosts: Vec::new(),
            idle_timeout: Duration::from_secs(90),
            answer_timeout: Duration::from_secs(300),
            retry: RetryPolicy::default(),
            parallelism: 64,
        }
    }
}

impl Credential {
    fn secret(&self) -> &str {
        match self {
            Self::ApiKey(secret) | Self::Bearer(secret) => secret,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "key",
            Self::Bearer(_) => "token",
        }
    }

    /// `None` for what is no key: a header may hold more than ASCII, and a server would call the key wrong.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        if !self.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (name, value) = match self {
            Self::ApiKey(key) => (HeaderName::from_static("x-api-key"), key.clone()),
            Self::Bearer(token) => (AUTHORIZATION, format!("Bearer {token}")),
        };
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.word())
    }
}

impl AnthropicClient {
    /// A client for this endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ModelErrorKind::Settings`] when the address or the credential cannot be used, or the one would be readable on
    /// its way to the other.
    pub fn new(config: AnthropicConfig) -> Result<Arc<Self>, ModelError> {
        let url = messages_url(&config.base_url)?;
        let is_readable = plain_http::is_readable_on_the_way(&url);
        if is_readable && !plain_http::is_allowed(&url, &config.allow_http_hosts) {
            return Err(readable_on_the_way(&url, &config));
        }
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static(API_VERSION));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (name, value) = config.credential.header().ok_or_else(|| {
            let source = &config.credential_source;
            settings(format!("{source} holds characters that no {} has. Set it anew.", config.credential.word()))
        })?;
        headers.insert(name, value);
        let endpoint = Endpoint {
            host: host(&url),
            is_readable,
            is_default: config.base_url.trim_end_matches('/') == DEFAULT_BASE_URL,
            credential: config.credential.clone(),
            credential_source: config.credential_source.clone(),
        };
        let http = http_client(&url)?;
        let throttle = Throttle::new(config.parallelism);
        Ok(Arc::new(Self { http, url, headers, endpoint, config, throttle, listed: OnceCell::new() }))
    }

    /// One of the API's models, by the API's name for it.
    pub fn model(self: &Arc<Self>, name: impl Into<String>) -> Anthropic {
        let name = name.into();
        Anthropic { client: Arc::clone(self), id: format!("anthropic:{name}"), name }
    }

    /// The throttle all models share.
    pub fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    /// Send the request once and read the answer to its end.
    async fn attempt(&self, model: &str, body: Body, watch: &Watch<'_>) -> Result<Turn, AttemptError> {
        let sending = self.http.post(self.url.clone()).headers(self.headers.clone()).body(body).send();
        let response = match tokio::time::timeout(self.config.answer_timeout, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.endpoint.unreachable(error)),
            Err(_) => return Err(self.endpoint.silent(self.config.answer_timeout)),
        };
        if !response.status().is_success() {
            return Err(self.refused(model, response).await);
        }
        stream::read(model, response, self.config.idle_timeout, watch)
            .await
            .and_then(Answer::finish)
            .map_err(|broken| self.endpoint.broken(model, broken))
    }

    async fn refused(&self, model: &str, response: Response) -> AttemptError {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = stream::read_start(response, self.config.idle_timeout).await;
        self.endpoint.refused(model, status, &headers, &body, SystemTime::now())
    }
}

#[async_trait]
impl Model for Anthropic {
    fn id(&self) -> &str {
        &self.id
    }

    fn account(&self) -> String {
        self.client.endpoint.account()
    }

    fn host(&self) -> Option<String> {
        Some(self.client.endpoint.host.clone())
    }

    async fn probe(&self) -> Probe {
        self.client.probe(&self.name).await
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let client = &self.client;
        let body = bytes::Bytes::from(request::body(&self.name, request));
        let opened = AtomicBool::new(false);
        let watch = Watch {
            // The cache is open from the first byte on; a second attempt does not open it again.
            first_byte: &|| {
                if !opened.swap(true, Ordering::Relaxed) {
                    progress(TurnProgress::FirstByte);
                }
            },
            output: &|characters| progress(TurnProgress::Output { characters }),
        };
        let (mut turn, lost) = with_retries(&client.config.retry, &client.throttle, cancel, progress, || {
            client.attempt(&self.name, Body::from(body.clone()), &watch)
        })
        .await?;
        turn.usage += lost;
        Ok(turn)
    }
}

fn messages_url(base_url: &str) -> Result<Url, ModelError> {
    let base = base_url.trim().trim_end_matches('/');
    let base = base.strip_suffix("/v1").unwrap_or(base);
    let unusable =
        || settings("ANTHROPIC_BASE_URL is no web address. Set it to one such as https://api.anthropic.com.");
    let url = Url::parse(&format!("{base}/v1/messages")).map_err(|_| unusable())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if usable { Ok(url) } else { Err(unusable()) }
}

/// Host and port alone: an address may hold a password.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn http_client(url: &Url) -> Result<Client, ModelError> {
    use rustls::crypto::{CryptoProvider, ring};
    if CryptoProvider::get_default().is_none() {
        // Losing a race against another thread's install leaves that one's provider: the same.
        ring::default_provider().install_default().ok();
    }
    let mut builder = Client::builder()
        .user_agent(concat!("baton/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A redirect would carry the key to wherever it points.
        .redirect(Policy::none());
    if url.scheme() == "http" {
        // Never speaks TLS, so the system's certificates need not be there, nor be read. And a proxy would be one more
        // host that reads the key; with https it carries what it cannot read.
        builder = builder.tls_certs_only([]).no_proxy();
    }
    if plain_http::is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| settings(format!("The network cannot be used: {}.", refusal::cause(&error))))
}

fn readable_on_the_way(url: &Url, config: &AnthropicConfig) -> ModelError {
    let (host, word, source) = (host(url), config.credential.word(), &config.credential_source);
    settings(format!(
        "ANTHROPIC_BASE_URL is plain http, so everybody on the way to {host} could read the {word} in {source}. Nothing was \
         sent. Set it to an https address, or allow this host in your own baton/config.toml: allow_http_hosts = \
         [\"{}\"]",
        url.host_str().unwrap_or_default()
    ))
}

fn settings(message: impl Into<String>) -> ModelError {
    ModelError::new(ModelErrorKind::Settings, message)
}
