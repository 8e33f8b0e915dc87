use std::sync::Arc;

use super::super::error::ModelError;
use super::super::http::{ApiConfig, Credential, credential_source};
use super::super::model::Model;
use super::super::prices::Prices;
use super::super::provider::{Connection, Provider};
use super::super::setup::{Setup, settings};
use super::super::turn::Tier;
use super::client::{ADDRESS, AnthropicClient};
use super::prices::{AS_OF, PRICES};

const KEY: &str = "ANTHROPIC_API_KEY";
const TOKEN: &str = "ANTHROPIC_AUTH_TOKEN";

const NOT_SET_UP: &str = "The provider `anthropic` is not set up. Set ANTHROPIC_API_KEY to a key of the Anthropic API \
                          (https://platform.claude.com/settings/keys), or try `baton demo`, which needs none.";

/// Anthropic's Messages API, or another server that speaks it.
pub(in super::super) const PROVIDER: Provider = Provider {
    name: "anthropic",
    is_set_up: |setup| [KEY, TOKEN].iter().any(|name| setup.var(name).is_some()),
    default_model: |_, tier| {
        let name = match tier {
            Tier::Fast => "claude-haiku-5-5",
            Tier::Balanced => "claude-sonnet-5-5",
            Tier::Powerful => "claude-opus-5-5",
        };
        Some(name.to_owned())
    },
    connect: |setup| Ok(Arc::new(AnthropicClient::new(config(setup)?)?)),
    prices: Prices::Listed { as_of: AS_OF, models: PRICES },
    charges_prices: |_| true,
};

impl Connection for Arc<AnthropicClient> {
    fn model(&self, name: &str, _: Tier) -> Arc<dyn Model> {
        Arc::new(AnthropicClient::model(self, name))
    }
}

fn config(setup: &Setup<'_>) -> Result<ApiConfig, ModelError> {
    let (credential, source) = if let Some(key) = setup.var(KEY) {
        (Credential::ApiKey(key), KEY)
    } else if let Some(token) = setup.var(TOKEN) {
        (Credential::Bearer(token), TOKEN)
    } else {
        return Err(settings(NOT_SET_UP));
    };
    let config = AnthropicClient::config(credential, credential_source(setup, source)).set_up(setup, ADDRESS)?;
    Ok(ApiConfig { efforts: config.efforts.or_usual(), ..config })
}
