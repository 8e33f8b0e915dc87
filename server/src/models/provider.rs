//! What a provider is, without anything being asked of it.

use std::sync::Arc;

use super::error::ModelError;
use super::model::Model;
use super::prices::Prices;
use super::setup::{Env, Setup};
use super::turn::Tier;

/// A provider of models. It is registered by a row in `table`.
pub(super) struct Provider {
    /// The word before the colon of a model's id.
    pub(super) name: &'static str,
    /// Whether it may serve where the user names none: its key is set, say.
    pub(super) is_set_up: fn(&Setup<'_>) -> bool,
    /// The model that serves a tier where the user names none; `None` where it has no such default.
    pub(super) default_model: fn(&Setup<'_>, Tier) -> Option<String>,
    /// Make a client. Nothing is sent yet; a fault of the settings says what to set.
    pub(super) connect: fn(&Setup<'_>) -> Result<Arc<dyn Connection>, ModelError>,
    /// What its models cost.
    pub(super) prices: Prices,
    /// Whether who answers charges these prices: not another server at an address that the environment names.
    pub(super) charges_prices: fn(&Env<'_>) -> bool,
}

/// One client and one throttle for all models of a provider. Each model says who pays ([`Model::account`]).
pub(super) trait Connection {
    /// One of the provider's models, by the provider's name for it, to serve a tier.
    fn model(&self, name: &str, tier: Tier) -> Arc<dyn Model>;
}
