//! Models that other machines have. Here they are names with limits and prices: conversations with them are held there.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::catalog::{Catalog, ModelFacts};
use super::error::{ModelError, ModelErrorKind};
use super::limits::Limits;
use super::model::Model;
use super::resolve::Models;
use super::secrets::{Masked, Secrets};
use super::turn::{Tier, Turn, TurnProgress, TurnRequest};

/// A model that another machine has.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelElsewhere {
    /// `provider:name`.
    pub id: String,
    /// On whose account.
    pub account: String,
    /// What it takes.
    pub limits: Limits,
}

#[async_trait]
impl Model for ModelElsewhere {
    fn id(&self) -> &str {
        &self.id
    }

    fn account(&self) -> String {
        self.account.clone()
    }

    async fn limits(&self) -> Limits {
        self.limits
    }

    async fn turn(
        &self,
        _request: &TurnRequest,
        _cancel: &CancellationToken,
        _progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let message = format!("{} belongs to a worker, and is asked there only", self.id);
        Err(ModelError::new(ModelErrorKind::Settings, message))
    }
}

impl Models {
    /// Those of another machine, which are not asked here. What stands in this environment as a key is masked in what they are
    /// given; `facts` are what the user's own file says of models.
    pub fn elsewhere(
        of_tier: impl Fn(Tier) -> ModelElsewhere,
        facts: Vec<ModelFacts>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let catalog = Arc::new(Catalog::of_servers(facts, env));
        let secrets = Arc::new(Secrets::of(env));
        let serve = |tier: Tier| {
            let model = of_tier(tier);
            let limits = catalog.limits(&model.id, model.limits);
            Masked::over(Arc::new(ModelElsewhere { limits, ..model }), &secrets)
        };
        Self { fast: serve(Tier::Fast), balanced: serve(Tier::Balanced), powerful: serve(Tier::Powerful), catalog }
    }
}
