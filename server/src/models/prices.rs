//! What a turn costs, in US dollars.

use crate::contracts::Usage;

/// What the models of a provider cost.
#[derive(Debug)]
pub(super) enum Prices {
    /// By the provider's public list.
    Listed {
        /// The day or month of the list, as in `2026-11`.
        as_of: &'static str,
        /// The models on it. Any other one has no known price.
        models: &'static [PricedModel],
    },
    /// Nobody here knows: the account is billed by a plan of its own.
    Unknown,
    /// Nothing, where the model runs on a machine of the user's own.
    Local {
        /// Whether the model of this name, without the provider, does.
        is_local: fn(&str) -> bool,
    },
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Of the prompt that no cache holds.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
    /// Written into the five-minute cache.
    pub cache_write: f64,
    /// Read from a cache.
    pub cache_read: f64,
}

/// The prices of one model, by the length of the whole prompt: each tier holds up to and including so many tokens.
#[derive(Debug)]
pub(super) struct PricedModel {
    pub(super) name: &'static str,
    pub(super) tiers: &'static [(u64, Rates)],
}

/// For the last tier of a model.
pub(super) const ANY_LENGTH: u64 = u64::MAX;

pub(super) const fn price(input: f64, output: f64, cache_write: f64, cache_read: f64) -> Rates {
    Rates { input, output, cache_write, cache_read }
}

impl Rates {
    /// What one request cost, in US dollars.
    pub fn of(&self, usage: &Usage) -> f64 {
        let dollars = usage.input_tokens as f64 * self.input
            + usage.cache_write_tokens as f64 * self.cache_write
            + usage.cache_read_tokens as f64 * self.cache_read
            + usage.output_tokens as f64 * self.output;
        dollars / 1e6
    }
}

/// A model goes by its name, with a provider or region before it (`anthropic:`, `us.anthropic.`) and a date or
/// version after it (`-20260901`, `@20260901`, `-v1:0`, `-latest`).
pub(super) fn find<'a>(prices: &'a [PricedModel], model: &str) -> Option<&'a PricedModel> {
    prices.iter().find(|priced| {
        let Some(start) = model.rfind(priced.name) else { return false };
        let before = &model[..start];
        let after = &model[start + priced.name.len()..];
        (before.is_empty() || before.ends_with(['/', ':', '.'])) && is_version(after)
    })
}

fn is_version(suffix: &str) -> bool {
    let is_date = |text: &str| text.len() >= 8 && text[..8].bytes().all(|b| b.is_ascii_digit());
    match suffix.split_at_checked(1) {
        None => suffix.is_empty(),
        Some((":" | "@", _)) => true,
        Some(("-", rest)) => {
            rest == "latest" || is_date(rest) || rest.strip_prefix('v').is_some_and(|v| v.starts_with(char::is_numeric))
        }
        Some(_) => false,
    }
}
