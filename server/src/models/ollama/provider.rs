use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderMap;

use super::super::error::ModelError;
use super::super::http::{Credential, Server, ServerConfig, Timing};
use super::super::model::Model;
use super::super::prices::Prices;
use super::super::provider::{Connection, Provider};
use super::super::setup::Setup;
use super::super::turn::Tier;
use super::address::{Address, VARIABLE};
use super::client::{API, OllamaClient};
use super::model::{Ollama, is_cloud_name};

/// It loads a model before it answers, reads a long prompt without a word, and on a small machine each takes minutes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// It holds back a tool call until it is whole, however long that is written at.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Models on a machine of the user's, by Ollama.
pub(in super::super) const PROVIDER: Provider = Provider {
    name: "ollama",
    is_set_up: |setup| address(setup).is_listening(),
    default_model: |setup, _| setup.var("OLLAMA_MODEL"),
    connect: |setup| Ok(Arc::new(Arc::new(connect(setup)?))),
    prices: Prices::Local { is_local: |name| !is_cloud_name(name) },
    charges_prices: |_| true,
};

impl Connection for Arc<OllamaClient> {
    fn model(&self, name: &str, _: Tier) -> Arc<dyn Model> {
        Arc::new(Ollama::new(self, name))
    }
}

fn address(setup: &Setup<'_>) -> Address {
    Address::read(&setup.var(VARIABLE).unwrap_or_default())
}

/// What is wrong with the address in the user's variable: a sentence.
pub(in super::super) fn address_fault(setup: &Setup<'_>) -> Option<String> {
    address(setup).fault()
}

fn connect(setup: &Setup<'_>) -> Result<OllamaClient, ModelError> {
    let address = address(setup);
    let mut timing = Timing::of(setup)?;
    if setup.var("BATON_ANSWER_TIMEOUT").is_none() {
        timing.answer = ANSWER_TIMEOUT;
    }
    if setup.var("BATON_IDLE_TIMEOUT").is_none() {
        timing.idle = IDLE_TIMEOUT;
    }
    // What its server works on at once, and by default it is one.
    let places = setup.var("OLLAMA_NUM_PARALLEL").and_then(|number| number.parse().ok()).unwrap_or(1);
    let config = ServerConfig {
        base_url: address.url(),
        credential: Credential::Nothing,
        credential_source: VARIABLE.to_owned(),
        headers: HeaderMap::new(),
        allow_http_hosts: Vec::new(),
        timing,
    };
    let server = Server::new(&API, config)?;
    Ok(OllamaClient::new(
        server,
        address,
        Arc::clone(&setup.catalog),
        setup.efforts.or_usual(),
        places.clamp(1, timing.parallelism),
    ))
}
