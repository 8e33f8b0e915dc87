use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::OnceCell;

use super::super::catalog::Catalog;
use super::super::effort::Efforts;
use super::super::error::ModelError;
use super::super::http::{Api, ApiConfig, Credential, Server, Unanswered};
use super::super::throttle::Throttle;
use super::described::Known;

/// The version of the API that requests name.
pub const API_VERSION: &str = "2026-10-21";

const DEFAULT_BASE_URL: &str = "https://api.anthropic.com";
/// The variable that names another address.
pub(super) const ADDRESS: &str = "ANTHROPIC_BASE_URL";

/// What messages call it.
static API: Api = Api {
    name: "Anthropic API",
    lacking: "Messages API at its /v1/messages",
    variable: ADDRESS,
    default_address: DEFAULT_BASE_URL,
    own_ends: &["/v1/messages/count_tokens", "/v1/messages", "/v1/models", "/v1"],
    foreign_ends: &["/chat/completions", "/v1/completions", "/v1/responses", "/api/chat", "/api/generate"],
};

/// One client and one throttle for all models of the provider.
#[derive(Debug)]
pub struct AnthropicClient {
    pub(super) server: Server,
    pub(super) catalog: Arc<Catalog>,
    pub(super) efforts: Efforts,
    /// The API's models, once they were asked for.
    pub(super) listed: OnceCell<Listed>,
    /// What this run has learnt of each model, by the API's name for it.
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// The names of the API's models; `None` where there is no such list.
pub(super) type Listed = Result<Option<Vec<String>>, Unanswered>;

impl AnthropicClient {
    /// The public API, with a credential from the variable of this name.
    pub fn config(credential: Credential, credential_source: impl Into<String>) -> ApiConfig {
        ApiConfig::new(DEFAULT_BASE_URL, credential, credential_source)
    }

    /// A client for this endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ModelErrorKind::Settings`](crate::models::ModelErrorKind::Settings) when the address or the credential cannot
    /// be used, or the one would be readable on its way to the other.
    pub fn new(config: ApiConfig) -> Result<Arc<Self>, ModelError> {
        let version = (HeaderName::from_static("anthropic-version"), HeaderValue::from_static(API_VERSION));
        let server = Server::new(&API, config.server(HeaderMap::from_iter([version])))?;
        let ApiConfig { catalog, efforts, .. } = config;
        Ok(Arc::new(Self { server, catalog, efforts, listed: OnceCell::new(), known: Mutex::default() }))
    }

    /// What is known of the model of this name.
    pub(super) fn known(&self, name: &str) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name.to_owned()).or_default())
    }

    /// The throttle all models share.
    pub fn throttle(&self) -> &Arc<Throttle> {
        self.server.throttle()
    }
}
