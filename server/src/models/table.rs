use super::prices::{self, PricedModel};
use super::provider::Provider;
use super::{anthropic, editor, replay};
use crate::contracts::Usage;

/// The providers. Where the user names none, the first that is set up serves; where none is, the first says what to set.
pub(super) const PROVIDERS: &[Provider] = &[anthropic::PROVIDER, editor::PROVIDER, replay::PROVIDER];

/// What one request to a model cost; `None` when its price is not known. Not for sums: the price depends on the length
/// of one prompt.
pub fn cost(model: &str, usage: &Usage) -> Option<f64> {
    tables(model).find_map(|table| prices::cost(table, model, usage))
}

/// Whether the price of a model is known, so that a budget in dollars can hold it.
pub fn price_known(model: &str) -> bool {
    tables(model).any(|table| prices::find(table, model).is_some())
}

/// The prices of the provider in front of a model's name; of all where there is none we know.
fn tables(model: &str) -> impl Iterator<Item = &'static [PricedModel]> {
    let word = model.split_once(':').map(|(word, _)| word);
    let named = PROVIDERS.iter().position(|provider| Some(provider.name) == word);
    let asked = move |(index, _): &(usize, &Provider)| named.is_none_or(|named| named == *index);
    PROVIDERS.iter().enumerate().filter(asked).map(|(_, provider)| provider.prices)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::effort::Efforts;
    use super::super::setup::Setup;
    use super::super::turn::Tier;
    use super::*;

    fn usage(input: u64, write: u64, read: u64, output: u64) -> Usage {
        Usage {
            input_tokens: input,
            cache_write_tokens: write,
            cache_read_tokens: read,
            output_tokens: output,
            cost_usd: None,
        }
    }

    fn check(model: &str, usage: Usage, dollars: f64) {
        let cost = cost(model, &usage).expect("a known price");
        assert!((cost - dollars).abs() < 1e-12, "{model}: {cost} is not {dollars}");
    }

    #[test]
    fn every_provider_has_a_name_of_its_own_and_prices_for_its_default_models() {
        let mut names = std::collections::BTreeSet::new();
        for provider in PROVIDERS {
            let name = provider.name;
            assert!(names.insert(name), "{name} stands twice in the table");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{name} stands before a colon in settings");
            for tier in [Tier::Fast, Tier::Balanced, Tier::Powerful] {
                let setup = Setup {
                    env: &|_| None,
                    allow_http_hosts: &[],
                    editor: None,
                    catalog: Arc::default(),
                    efforts: Efforts::default(),
                };
                let Some(model) = (provider.default_model)(&setup, tier) else { continue };
                assert!(!model.is_empty(), "{name} has no model for {tier:?}");
                let is_priced = price_known(&format!("{name}:{model}"));
                assert_eq!(is_priced, !provider.prices.is_empty(), "{name}: {model} has no price");
            }
        }
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        check("claude-opus-5-5", usage(1_000_000, 0, 0, 0), 4.0);
        check("claude-opus-5-5", usage(0, 1_000_000, 0, 0), 5.0);
        check("claude-opus-5-5", usage(0, 0, 1_000_000, 0), 0.20);
        check("claude-opus-5-5", usage(0, 0, 0, 1_000_000), 20.0);
        check("claude-sonnet-5-5", usage(100, 10, 20, 30), (200.0 + 25.0 + 2.0 + 300.0) / 1e6);
        check("claude-haiku-4-5", usage(1_000, 0, 0, 1_000), 0.006);
        check("claude-sonnet-4-6", usage(1_000, 0, 0, 1_000), 0.018);
    }

    #[test]
    fn a_long_prompt_is_priced_by_the_next_tier_as_a_whole() {
        check("claude-haiku-5-5", usage(50_000, 0, 50_000, 1_000), (5_000.0 + 500.0 + 500.0) / 1e6);
        check("claude-haiku-5-5", usage(50_001, 0, 50_000, 1_000), (25_000.5 + 2_500.0 + 2_500.0) / 1e6);
    }

    #[test]
    fn dates_versions_and_providers_around_a_name_do_not_hide_its_price() {
        for name in [
            "claude-opus-5-5-20260901",
            "claude-opus-5-5-latest",
            "claude-opus-5-5@20260901",
            "anthropic:claude-opus-5-5",
            "us.anthropic.claude-opus-5-5-20260901-v1:0",
            "anthropic/claude-opus-5-5",
        ] {
            assert!(price_known(name), "{name}");
        }
    }

    #[test]
    fn an_unknown_model_has_no_price() {
        for name in [
            "",
            "qwen2.5-coder",
            "claude-opus-5",
            "claude-opus-5-5-5",
            "claude-opus-5-5é",
            "my-claude-opus-5-5",
            "editor:claude-opus-5-5",
            "editor:copilot/claude-opus-5-5",
        ] {
            assert_eq!(cost(name, &usage(1, 0, 0, 0)), None, "{name}");
        }
    }
}
