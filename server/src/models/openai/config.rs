use std::sync::Arc;
use std::time::Duration;

use super::super::catalog::Catalog;
use super::super::effort::Efforts;
use super::super::http::{Credential, Timing};
use super::super::retry::RetryPolicy;

pub(super) const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";

/// How to reach the API. Nothing here is read from the environment: its maker does that.
#[derive(Debug, Clone)]
pub struct OpenAiConfig {
    /// Where the API is, without `/chat/completions`. An address without a path is taken as the one with `/v1`.
    pub base_url: String,
    /// The key, where the server asks for one.
    pub credential: Credential,
    /// The variable the credential came from, or the editor's store; errors name it.
    pub credential_source: String,
    /// Hosts that may get the credential over plain http, in lower case, each with or without a port. This machine always
    /// may.
    pub allow_http_hosts: Vec<String>,
    /// How long an answer may go on without anything new in it. Bytes that say nothing, such as comments, do not count.
    pub idle_timeout: Duration,
    /// How long the server may take until its answer begins.
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

impl OpenAiConfig {
    /// OpenAI's own API, with a credential from the variable of this name.
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
