use std::sync::Arc;

use super::super::error::ModelError;
use super::super::http::{ApiConfig, Credential, credential_source};
use super::super::model::Model;
use super::super::prices::Prices;
use super::super::provider::{Connection, Provider};
use super::super::setup::{Env, Setup, settings};
use super::super::turn::Tier;
use super::client::{ADDRESS, MODEL, OpenAiClient, is_own_address};
use super::prices::{AS_OF, PRICES};

const KEY: &str = "OPENAI_API_KEY";

const NOT_SET_UP: &str = "The provider `openai` is not set up. Set OPENAI_API_KEY to a key of the OpenAI API, or \
                          OPENAI_BASE_URL to the address of an OpenAI-compatible API, such as http://localhost:8000/v1.";

/// OpenAI's Chat Completions, or another server that speaks them.
pub(in super::super) const PROVIDER: Provider = Provider {
    name: "openai",
    is_set_up,
    default_model: |setup, _| setup.var(MODEL),
    connect: |setup| Ok(Arc::new(OpenAiClient::new(config(setup)?)?)),
    prices: Prices::Listed { as_of: AS_OF, models: PRICES },
    charges_prices,
};

impl Connection for Arc<OpenAiClient> {
    fn model(&self, name: &str, _: Tier) -> Arc<dyn Model> {
        Arc::new(OpenAiClient::model(self, name))
    }
}

fn is_set_up(setup: &Setup<'_>) -> bool {
    [KEY, ADDRESS].iter().any(|name| setup.var(name).is_some())
}

/// The prices are OpenAI's; a compatible server that serves a model of the same name has its own.
fn charges_prices(env: &Env<'_>) -> bool {
    let address = env(ADDRESS).filter(|address| !address.trim().is_empty());
    address.is_none_or(|address| is_own_address(&address))
}

fn config(setup: &Setup<'_>) -> Result<ApiConfig, ModelError> {
    if !is_set_up(setup) {
        return Err(settings(NOT_SET_UP));
    }
    // A server of one's own asks for none.
    let credential = setup.var(KEY).map_or(Credential::Nothing, Credential::BearerKey);
    OpenAiClient::config(credential, credential_source(setup, KEY)).set_up(setup, ADDRESS)
}
