use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Response, Url};
use tokio::sync::OnceCell;

use super::super::error::{ModelError, ModelErrorKind};
use super::super::plain_http;
use super::super::retry::AttemptError;
use super::super::throttle::Throttle;
use super::super::turn::Turn;
use super::answer::Answer;
use super::config::{AnthropicConfig, DEFAULT_BASE_URL, host};
use super::refusal::{self, Endpoint};
use super::stream::{self, Watch};

/// The version of the API that requests name.
pub const API_VERSION: &str = "2026-10-21";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// One client and one throttle for all models of the provider.
#[derive(Debug)]
pub struct AnthropicClient {
    pub(super) http: Client,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) endpoint: Endpoint,
    pub(super) config: AnthropicConfig,
    pub(super) throttle: Arc<Throttle>,
    /// The API's models, once they were asked for.
    pub(super) listed: OnceCell<Listed>,
}

/// Why there is no list.
#[derive(Debug, Clone)]
pub(super) struct Unlisted {
    pub(super) error: ModelError,
    pub(super) reached: bool,
}

/// The names of the API's models; `None` where there is no such list.
pub(super) type Listed = Result<Option<Vec<String>>, Unlisted>;

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
            settings(format!("{source} holds characters that no {} has. Set it again.", config.credential.word()))
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

    /// The throttle all models share.
    pub fn throttle(&self) -> &Arc<Throttle> {
        &self.throttle
    }

    /// Send the request once and read the answer to its end.
    pub(super) async fn attempt(&self, model: &str, body: Body, watch: &Watch<'_>) -> Result<Turn, AttemptError> {
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

fn messages_url(base_url: &str) -> Result<Url, ModelError> {
    let base = base_url.trim().trim_end_matches('/');
    let base = base.strip_suffix("/v1").unwrap_or(base);
    let unusable =
        || settings("ANTHROPIC_BASE_URL is no web address. Set it to one such as https://api.anthropic.com.");
    let url = Url::parse(&format!("{base}/v1/messages")).map_err(|_| unusable())?;
    let usable = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if usable { Ok(url) } else { Err(unusable()) }
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
