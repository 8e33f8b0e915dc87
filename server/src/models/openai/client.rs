use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::HeaderMap;
use tokio::sync::OnceCell;

use super::super::catalog::Catalog;
use super::super::effort::Efforts;
use super::super::error::ModelError;
use super::super::http::{Api, ApiConfig, Credential, Server, Unanswered};
use super::super::throttle::Throttle;
use super::learned::Learned;
use super::listed::Listed;

pub(super) const ADDRESS: &str = "OPENAI_BASE_URL";
pub(super) const MODEL: &str = "OPENAI_MODEL";
const DEFAULT_BASE_URL: &str = "https://api.openai.com/v1";
/// The host of OpenAI's own API.
const OWN_HOST: &str = "api.openai.com";

/// Whether this is the address of OpenAI itself.
pub(super) fn is_own_address(address: &str) -> bool {
    Url::parse(address.trim()).is_ok_and(|url| url.host_str() == Some(OWN_HOST))
}

const OWN_ENDS: &[&str] = &["/chat/completions", "/completions", "/models", "/responses"];
const FOREIGN_ENDS: &[&str] = &["/v1/messages", "/api/chat", "/api/generate"];

/// What messages call OpenAI's own.
static OWN: Api = Api {
    name: "OpenAI API",
    lacking: "Chat Completions API at its /chat/completions",
    variable: ADDRESS,
    default_address: DEFAULT_BASE_URL,
    own_ends: OWN_ENDS,
    foreign_ends: FOREIGN_ENDS,
};

/// What they call another that speaks it.
static COMPATIBLE: Api = Api {
    name: "OpenAI-compatible API",
    lacking: "Chat Completions API at its /chat/completions",
    variable: ADDRESS,
    default_address: DEFAULT_BASE_URL,
    own_ends: OWN_ENDS,
    foreign_ends: FOREIGN_ENDS,
};

/// One client and one throttle for all models of the provider.
#[derive(Debug)]
pub struct OpenAiClient {
    pub(super) server: Server,
    /// What stands between the address and a request's name: `v1` where the address has no path.
    version: &'static [&'static str],
    pub(super) catalog: Arc<Catalog>,
    pub(super) efforts: Efforts,
    /// The server's models, once they were asked for.
    pub(super) listed: OnceCell<Result<Option<Vec<Listed>>, Unanswered>>,
    /// What the server has refused so far, by the model's name.
    learned: Mutex<HashMap<String, Learned>>,
}

impl OpenAiClient {
    /// OpenAI's own API, with a credential from the variable of this name. An address without a path is taken as the one with
    /// `/v1`.
    pub fn config(credential: Credential, credential_source: impl Into<String>) -> ApiConfig {
        ApiConfig::new(DEFAULT_BASE_URL, credential, credential_source)
    }

    /// A client for this endpoint. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ModelErrorKind::Settings`](crate::models::ModelErrorKind::Settings) when the address or the credential cannot
    /// be used, or the one would be readable on its way to the other.
    pub fn new(config: ApiConfig) -> Result<Arc<Self>, ModelError> {
        let api = if is_own_address(&config.base_url) { &OWN } else { &COMPATIBLE };
        let is_whole = OWN_ENDS.iter().any(|end| config.base_url.contains(end));
        let mut server = Server::new(api, config.server(HeaderMap::new()))?;
        let ApiConfig { catalog, efforts, .. } = config;
        server.endpoint.model_variable = Some(MODEL);
        // People leave out what every server has; one that has it not is named by the whole address of a request.
        let has_path = is_whole || server.url(&[]).path() != "/";
        let version: &[&str] = if has_path { &[] } else { &["v1"] };
        let (listed, learned) = (OnceCell::new(), Mutex::default());
        Ok(Arc::new(Self { server, version, catalog, efforts, listed, learned }))
    }

    /// The throttle all models share.
    pub fn throttle(&self) -> &Arc<Throttle> {
        self.server.throttle()
    }

    /// Whether OpenAI itself answers.
    pub(super) fn is_own(&self) -> bool {
        self.host() == OWN_HOST
    }

    pub(super) fn host(&self) -> &str {
        &self.server.endpoint.host
    }

    /// The address of a request.
    pub(super) fn url(&self, segments: &[&str]) -> Url {
        self.server.url(&[self.version, segments].concat())
    }

    /// The address of what a server has beside the API.
    pub(super) fn url_beside(&self, segments: &[&str]) -> Url {
        let mut url = self.url(&[]);
        let path = url.path().trim_end_matches('/');
        let above = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        url.set_path(&above);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// What a model's server has refused so far.
    pub(super) fn learned(&self, model: &str) -> Learned {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).cloned().unwrap_or_default()
    }

    /// Keep what a refusal taught, unless another request has learned meanwhile: then that one's is tried first.
    pub(super) fn keep(&self, model: &str, sent_with: &Learned, now: Learned) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = learned.entry(model.to_owned()).or_default();
        if kept == sent_with {
            *kept = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Result<Arc<OpenAiClient>, ModelError> {
        let config = OpenAiClient::config(Credential::Nothing, "OPENAI_API_KEY");
        OpenAiClient::new(ApiConfig { base_url: address.to_owned(), ..config })
    }

    #[test]
    fn an_address_is_taken_as_people_write_it() {
        for (written, asked) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com", "https://api.openai.com/v1/chat/completions"),
            ("http://localhost:8000", "http://localhost:8000/v1/chat/completions"),
            ("http://localhost:8000/", "http://localhost:8000/v1/chat/completions"),
            ("http://localhost:8000/v1/", "http://localhost:8000/v1/chat/completions"),
            ("http://localhost:8000/v1/chat/completions", "http://localhost:8000/v1/chat/completions"),
            ("http://localhost:8000/v1/models", "http://localhost:8000/v1/chat/completions"),
            ("https://a.example/chat/completions", "https://a.example/chat/completions"),
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
            ("https://g.example/v1beta/openai/", "https://g.example/v1beta/openai/chat/completions"),
            (
                "https://x.example/openai/deployments/d/chat/completions?api-version=2026-01-01",
                "https://x.example/openai/deployments/d/chat/completions?api-version=2026-01-01",
            ),
            ("\u{201C}http://localhost:8000\u{201D}", "http://localhost:8000/v1/chat/completions"),
        ] {
            let client = client(written).expect(written);
            assert_eq!(client.url(&["chat", "completions"]).as_str(), asked, "{written}");
        }
        for (written, end) in
            [("http://localhost:8000/v1/messages", "/v1/messages"), ("http://h:1/api/chat", "/api/chat")]
        {
            let message = client(written).expect_err(written).message;
            assert!(message.starts_with(&format!("OPENAI_BASE_URL ends in {end}")), "{message}");
        }
    }

    #[test]
    fn what_stands_beside_the_api_is_found() {
        for (written, asked) in [
            ("http://localhost:8000", "http://localhost:8000/props"),
            ("http://localhost:8000/v1", "http://localhost:8000/props"),
            ("http://localhost:8000/qwen/v1?a=b", "http://localhost:8000/qwen/props?a=b"),
        ] {
            assert_eq!(client(written).expect(written).url_beside(&["props"]).as_str(), asked, "{written}");
        }
    }

    #[test]
    fn whose_models_these_are_is_said() {
        for (written, said) in [
            ("https://api.openai.com/v1", "OpenAI API, without a key"),
            ("http://127.0.0.1:8000", "OpenAI-compatible API at 127.0.0.1:8000, without a key"),
        ] {
            assert_eq!(client(written).expect(written).server.endpoint.account(), said);
        }
    }
}
