use super::catalog::{Catalog, ModelFacts};
use super::prices::Prices;
use super::provider::Provider;
use super::setup::Env;
use super::{anthropic, demo, editor, ollama, openai, replay};

/// The providers. Where the user names none, the first that is set up serves; where none is, the first says what to set.
pub(super) const PROVIDERS: &[Provider] =
    &[anthropic::PROVIDER, editor::PROVIDER, openai::PROVIDER, ollama::PROVIDER, replay::PROVIDER, demo::PROVIDER];

impl Catalog {
    /// With the user's own facts, over the lists of the providers.
    pub fn new(own: Vec<ModelFacts>) -> Self {
        Self { own, lists: PROVIDERS.iter().map(|provider| (provider.name, &provider.prices)).collect() }
    }

    /// The same without the lists of providers in whose place the environment names another server, whose prices nobody here
    /// knows.
    pub(super) fn of_servers(own: Vec<ModelFacts>, env: &Env<'_>) -> Self {
        let prices = |provider: &'static Provider| match (provider.charges_prices)(env) {
            true => &provider.prices,
            false => &Prices::Unknown,
        };
        Self { own, lists: PROVIDERS.iter().map(|provider| (provider.name, prices(provider))).collect() }
    }
}

impl Default for Catalog {
    /// The lists of the providers alone.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::catalog::Price;
    use super::super::effort::Efforts;
    use super::super::limits::{FactSource, Limits};
    use super::super::setup::Setup;
    use super::super::turn::Tier;
    use super::*;
    use crate::contracts::Usage;

    fn cost(model: &str, usage: &Usage) -> Option<f64> {
        Catalog::default().cost(model, usage)
    }

    fn price_known(model: &str) -> bool {
        Catalog::default().price(model) != Price::Unknown
    }

    fn usage(input: u64, write: u64, read: u64, output: u64) -> Usage {
        Usage {
            input_tokens: input,
            cache_write_tokens: write,
            cache_read_tokens: read,
            output_tokens: output,
            cost_usd: None,
            ..Usage::default()
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
                assert_eq!(is_priced, !matches!(provider.prices, Prices::Unknown), "{name}: {model} has no price");
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
    fn the_users_own_price_holds_for_every_version_of_a_model_and_before_every_table() {
        let fact = |name: &str, input| ModelFacts {
            name: name.to_owned(),
            input: Some(input),
            output: Some(1.0),
            ..ModelFacts::default()
        };
        let catalog = Catalog::new(vec![fact("gpt-6-sol", 7.0), fact("openai:gpt-6-luna-2026-09-22", 8.0)]);
        let usd = |model: &str| catalog.cost(model, &usage(1_000, 0, 0, 0)).map(|usd| usd * 1_000.0);
        for (model, dollars) in [
            ("openai:gpt-6-sol", Some(7.0)),
            ("openai:gpt-6-sol-2026-09-22", Some(7.0)),
            ("openai:gpt-6-sol-latest", Some(7.0)),
            ("openai:gpt-6-sol-mini", None),
            ("openai:gpt-6-luna-2026-09-22", Some(8.0)),
            ("openai:gpt-6-luna", Some(0.10)),
            ("openai:gpt-6-luna-2026-10-01", Some(0.10)),
        ] {
            let usd = usd(model);
            assert!(usd.zip(dollars).is_some_and(|(a, b)| (a - b).abs() < 1e-9) || usd == dollars, "{model}: {usd:?}");
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
            "openai:anthropic/claude-opus-5-5",
            "openai:openai/gpt-6-sol:free",
            "openai:gpt-6-sol-mini",
            "openai:ft:gpt-6-sol:mine",
        ] {
            assert_eq!(cost(name, &usage(1, 0, 0, 0)), None, "{name}");
        }
    }

    #[test]
    fn the_users_own_facts_go_before_the_tables() {
        let facts = |name: &str, input, window| ModelFacts {
            name: name.to_owned(),
            input: Some(input),
            output: Some(2.0),
            window,
            as_of: Some("2026-12".to_owned()),
            ..ModelFacts::default()
        };
        let window_only = ModelFacts { name: "qwen:7b".to_owned(), window: Some(1), ..ModelFacts::default() };
        let own =
            [facts("x", 1.0, None), facts("openai:x", 3.0, Some(8)), facts("claude-opus-5-5", 7.0, None), window_only];
        let catalog = Catalog::new(own.into());
        let usd = |model: &str| catalog.cost(model, &usage(1_000_000, 0, 0, 0));
        assert_eq!((usd("openai:x"), usd("ollama:x"), usd("x")), (Some(3.0), Some(1.0), Some(1.0)));
        assert_eq!(usd("anthropic:claude-opus-5-5"), Some(7.0));
        assert_eq!((usd("openai:qwen:7b"), usd("anthropic:claude-haiku-4-5")), (None, Some(1.0)));
        // What is left out of the cache's prices is as the prompt's.
        assert_eq!(catalog.cost("openai:x", &usage(0, 1_000_000, 1_000_000, 1_000_000)), Some(8.0));
        let found = Limits { window: Some(4096), max_output: Some(512), window_from: FactSource::Server };
        assert_eq!(catalog.limits("openai:x", found).window_from, FactSource::User);
        assert_eq!(
            catalog.limits("openai:x", found),
            Limits { window: Some(8), window_from: FactSource::User, ..found }
        );
        assert_eq!(catalog.limits("ollama:x", found), found);
        let Price::Known { as_of, from, .. } = catalog.price("openai:x") else { panic!("a price") };
        assert_eq!((as_of.as_deref(), from), (Some("2026-12"), FactSource::User));
        let Price::Known { as_of, from, .. } = catalog.price("anthropic:claude-haiku-4-5-latest") else {
            panic!("a price")
        };
        assert_eq!((as_of.as_deref(), from), (Some("2026-11"), FactSource::Table));
    }
}
