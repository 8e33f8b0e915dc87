//! What is known of models before any is asked: what the user's file says, then the tables of the providers.

use super::prices;
use super::table;
use crate::contracts::Usage;

/// What the user's own file says of one model. What it leaves out is as without it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelFacts {
    /// `provider:name`, or a name with any provider.
    pub name: String,
    /// Its context window, in tokens.
    pub window: Option<u64>,
    /// Most tokens of one answer.
    pub max_output: Option<u32>,
    /// US dollars per million tokens of prompt that no cache holds.
    pub input: Option<f64>,
    /// US dollars per million tokens of answer.
    pub output: Option<f64>,
    /// US dollars per million tokens written to a cache; as `input` where it is left out.
    pub cache_write: Option<f64>,
    /// US dollars per million tokens read from a cache; as `input` where it is left out.
    pub cache_read: Option<f64>,
    /// The day on which the user looked these up.
    pub as_of: Option<String>,
}

/// Facts of models: the user's, over those that are built in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog {
    own: Vec<ModelFacts>,
}

impl Catalog {
    /// With the user's own facts.
    pub fn new(own: Vec<ModelFacts>) -> Self {
        Self { own }
    }

    /// What the user says of a model, by `provider:name`.
    pub fn own(&self, model: &str) -> Option<&ModelFacts> {
        let name = model.split_once(':').map_or(model, |(_, name)| name);
        self.own.iter().find(|facts| facts.name == model || facts.name == name)
    }

    /// What one request to a model (`provider:name`) cost; `None` when its price is not known. Not for sums: the price
    /// depends on the length of one prompt.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<f64> {
        let own = self.own(model).and_then(|facts| Some((facts, facts.input?, facts.output?)));
        let Some((facts, input, output)) = own else { return table::cost(model, usage) };
        let price = prices::price(input, output, facts.cache_write.unwrap_or(input), facts.cache_read.unwrap_or(input));
        Some(price.of(usage))
    }

    /// Whether the price of a model is known, so that a budget in dollars can hold it.
    pub fn price_known(&self, model: &str) -> bool {
        self.cost(model, &Usage::default()).is_some()
    }
}
