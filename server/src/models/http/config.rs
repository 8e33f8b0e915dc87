use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;

use super::super::catalog::Catalog;
use super::super::effort::Efforts;
use super::super::error::ModelError;
use super::super::retry::RetryPolicy;
use super::super::setup::Setup;
use super::credential::Credential;
use super::server::{ServerConfig, Timing};

/// How to reach the API of a provider. Nothing here is read from the environment: its maker does that.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// Where the API is, without the path of a request.
    pub base_url: String,
    /// The key or token, where the server asks for one.
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

impl ApiConfig {
    /// An API at this address, with a credential from the variable of this name.
    pub(in crate::models) fn new(base_url: &str, credential: Credential, credential_source: impl Into<String>) -> Self {
        let timing = Timing::default();
        Self {
            base_url: base_url.to_owned(),
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

    /// As the user has set it up, at the address that the variable `address` names, where it names one.
    ///
    /// # Errors
    /// The first variable that holds no length of time.
    pub(in crate::models) fn set_up(self, setup: &Setup<'_>, address: &str) -> Result<Self, ModelError> {
        let Timing { idle, answer, retry, .. } = Timing::of(setup)?;
        Ok(Self {
            base_url: setup.var(address).unwrap_or(self.base_url),
            allow_http_hosts: setup.allow_http_hosts.to_vec(),
            idle_timeout: idle,
            answer_timeout: answer,
            retry,
            catalog: Arc::clone(&setup.catalog),
            efforts: setup.efforts,
            ..self
        })
    }

    /// How its server is reached, with these headers in every request.
    pub(in crate::models) fn server(&self, headers: HeaderMap) -> ServerConfig {
        ServerConfig {
            base_url: self.base_url.clone(),
            credential: self.credential.clone(),
            credential_source: self.credential_source.clone(),
            headers,
            allow_http_hosts: self.allow_http_hosts.clone(),
            timing: Timing {
                idle: self.idle_timeout,
                answer: self.answer_timeout,
                retry: self.retry,
                parallelism: self.parallelism,
            },
        }
    }
}
