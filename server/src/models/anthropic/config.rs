use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};

use super::super::retry::RetryPolicy;

pub(super) const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";

/// Where a credential comes from that the editor keeps.
pub(super) const EDITOR_STORE: &str = "your editor's secret store";

/// How to reach the API. Nothing here is read from the environment: its maker does that.
#[derive(Debug, Clone)]
pub struct AnthropicConfig {
    /// Where the API is, without `/v1/messages`.
    pub base_url: String,
    /// The key or token.
    pub credential: Credential,
    /// The variable the credential came from, or the editor's store; errors name it.
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
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::ApiKey(secret) | Self::Bearer(secret) => secret,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::ApiKey(_) => "key",
            Self::Bearer(_) => "token",
        }
    }

    /// `None` for what is no key: a header may hold more than ASCII, and a server would call the key wrong.
    pub(super) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
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

/// Host and port alone: an address may hold a password.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
