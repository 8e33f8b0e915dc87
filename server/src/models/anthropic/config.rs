use std::sync::Arc;
use std::time::Duration;

use super::super::catalog::Catalog;
use super::super::effort::Efforts;
use super::super::http::{Credential, Timing};
use super::super::retry::RetryPolicy;

pub(super) const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";

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
    /// What is known of models.
    pub catalog: Arc<Catalog>,
    /// How long the models of each tier shall think.
    pub efforts: Efforts,
}

impl AnthropicConfig {
    /// The public API, with a credential from the variable of this name.
    pub fn new(credential: Credential, credential_source: impl Into<String>) -> Self {
        let timing = Timing::default();
        Self {
            base_url: DEFAULT_BASE_URL.to_owned(),
            credential,
            credential_source: credential_source.into(),
            allow_http_hosts: Vec::new(),
            idle_timeout: timing.idle,
            answer_timeout: timing.answer,
            retry: timing.retry,
            parallelism: timing.parallelism,
            catalog: Arc::default(),
            efforts: Efforts::default(),
        }
    }
}
