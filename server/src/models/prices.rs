//! What a turn costs, in US dollars.

use crate::contracts::Usage;

/// US dollars per million tokens.
struct Price {
    input: f64,
    output: f64,
    /// Into the five-minute cache.
    cache_write: f64,
    cache_read: f64,
}

/// The prices of one model, by the length of the whole prompt: each tier holds up to and including so many tokens.
struct PricedModel {
    name: &'static str,
    tiers: &'static [(u64, Price)],
}

const ANY_LENGTH: u64 = u64::MAX;

const fn price(input: f64, output: f64, cache_write: f64, cache_read: f64) -> Price {
    Price { input, output, cache_write, cache_read }
}

/// Anthropic's public price list, as of 2026-11. A request whose prompt is longer than a tier is priced by the next
/// one as a whole.
const PRICES: &[PricedModel] = &[
    PricedModel { name: "claude-opus-5-5", tiers: &[(ANY_LENGTH, price(4.0, 20.0, 5.0, 0.20))] },
    PricedModel { name: "claude-sonnet-5-5", tiers: &[(ANY_LENGTH, price(2.0, 10.0, 2.5, 0.10))] },
    PricedModel {
        name: "claude-haiku-5-5",
        tiers: &[(100_000, price(0.10, 0.50, 0.125, 0.01)), (ANY_LENGTH, price(0.50, 2.50, 0.625, 0.05))],
    },
    PricedModel { name: "claude-haiku-4-5", tiers: &[(ANY_LENGTH, price(1.0, 5.0, 1.25, 0.10))] },
    PricedModel { name: "claude-sonnet-4-6", tiers: &[(ANY_LENGTH, price(3.0, 15.0, 3.75, 0.30))] },
];

/// What one request cost; `None` when the model's price is not known. Not for sums: the tier hangs on the length of
/// one prompt.
pub fn cost(model: &str, usage: &Usage) -> Option<f64> {
    let prompt = usage.prompt_tokens();
    let (_, price) = find(model)?.tiers.iter().find(|(up_to, _)| prompt <= *up_to)?;
    let dollars = usage.input_tokens as f64 * price.input
        + usage.cache_write_tokens as f64 * price.cache_write
        + usage.cache_read_tokens as f64 * price.cache_read
        + usage.output_tokens as f64 * price.output;
    Some(dollars / 1e6)
}

/// Whether the table knows this model, so that a budget in dollars can hold it.
pub fn price_known(model: &str) -> bool {
    find(model).is_some()
}

/// A model goes by its name, with a provider or region before it (`anthropic:`, `us.anthropic.`) and a date or
/// version after it (`-20260901`, `@20260901`, `-v1:0`, `-latest`).
fn find(model: &str) -> Option<&'static PricedModel> {
    if model.starts_with("editor:") {
        // Whatever its name: the editor's plan pays, at a price of its own.
        return None;
    }
    PRICES.iter().find(|priced| {
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

#[cfg(test)]
mod tests {
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
