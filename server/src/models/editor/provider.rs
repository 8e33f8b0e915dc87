use std::sync::Arc;

use super::super::error::ModelError;
use super::super::model::Model;
use super::super::prices::Prices;
use super::super::provider::{Connection, Provider};
use super::super::setup::{Setup, settings};
use super::super::turn::Tier;
use super::client::{EditorClient, EditorConfig};

const NOT_IN_AN_EDITOR: &str = "The provider `editor` is an editor's own models: they serve only runs started in an editor \
                                that lends them, by its Baton extension. Here, use `anthropic`, `openai` or `ollama`.";

/// The models of the editor a run was started in. Its plan pays, at prices of its own.
pub(in super::super) const PROVIDER: Provider = Provider {
    name: "editor",
    is_set_up: |setup| setup.editor.is_some(),
    default_model: |_, tier| Some(tier.as_str().to_owned()),
    connect: |setup| {
        let editor = setup.editor.clone().ok_or_else(|| settings(NOT_IN_AN_EDITOR))?;
        Ok(Arc::new(EditorClient::new(editor, config(setup)?)))
    },
    prices: Prices::Unknown,
    charges_prices: |_| true,
};

impl Connection for Arc<EditorClient> {
    /// A model may be named by the tier it serves otherwise. Any other name is for the editor to know.
    fn model(&self, name: &str, tier: Tier) -> Arc<dyn Model> {
        let named = [Tier::Fast, Tier::Balanced, Tier::Powerful].into_iter().find(|tier| tier.as_str() == name);
        Arc::new(EditorClient::model(self, named.unwrap_or(tier), name))
    }
}

fn config(setup: &Setup<'_>) -> Result<EditorConfig, ModelError> {
    let mut config = EditorConfig { catalog: Arc::clone(&setup.catalog), ..EditorConfig::default() };
    setup.set_durations([
        ("BATON_RETRY_BASE", &mut config.retry.base),
        ("BATON_ANSWER_TIMEOUT", &mut config.answer_timeout),
    ])?;
    Ok(config)
}
