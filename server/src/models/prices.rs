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
    /// Whether nothing is charged for anything.
    pub fn are_nothing(&self) -> bool {
        [self.input, self.output, self.cache_write, self.cache_read].iter().all(|rate| *rate <= 0.0)
    }

    /// What one request cost, in US dollars.
    pub fn of(&self, usage: &Usage) -> f64 {
        let dollars = usage.input_tokens as f64 * self.input
            + usage.cache_write_tokens as f64 * self.cache_write
            + usage.cache_read_tokens as f64 * self.cache_read
            + usage.output_tokens as f64 * self.output;
        dollars / 1e6
    }
}

/// The model of a provider's list that goes by this name: its own, with the provider and a region before it
/// (`us.anthropic.`, `openai/`), and a [version](is_version) after it. A name that only begins like it, or that has a variant of
/// some gateway behind a colon (`:free`, `:nitro`), is another's, whose price is not known.
pub(super) fn find<'a>(prices: &'a [PricedModel], provider: &str, model: &str) -> Option<&'a PricedModel> {
    prices.iter().find(|priced| {
        let Some(start) = model.rfind(priced.name) else { return false };
        let (before, after) = (&model[..start], &model[start + priced.name.len()..]);
        is_origin(before, provider) && is_version(after)
    })
}

/// Whether a model is this one by its own name, or a [version](is_version) of it.
pub(super) fn is_version_of(model: &str, name: &str) -> bool {
    model.strip_prefix(name).is_some_and(is_version)
}

/// What stands before a name and says whose it is: nothing, or parts that end in `/` or `.`, of which the provider is one, as in
/// `publishers/anthropic/models/`.
fn is_origin(before: &str, provider: &str) -> bool {
    let parts = |text: &str| text.split(['/', '.']).any(|part| part == provider);
    before.is_empty() || (before.ends_with(['/', '.']) && parts(before))
}

/// What stands behind a name and says which version it is, after `-` or `@` each: a date (`20260901`, `2026-09-01`), a revision
/// (`v1`, `v1:0`), or which one is meant (`latest`, `default`).
fn is_version(suffix: &str) -> bool {
    if suffix.is_empty() {
        return true;
    }
    let Some(text) = suffix.strip_prefix(['-', '@']) else { return false };
    let parts = [after_date(text), after_revision(text), text.strip_prefix("latest"), text.strip_prefix("default")];
    parts.into_iter().flatten().any(is_version)
}

/// What comes after a date.
fn after_date(text: &str) -> Option<&str> {
    let (year, rest) = after_number(text, 4)?;
    let sign = if rest.starts_with('-') { "-" } else { "" };
    let (month, rest) = after_number(rest.strip_prefix(sign)?, 2)?;
    let (day, rest) = after_number(rest.strip_prefix(sign)?, 2)?;
    let is_day = (2000..3000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_day.then_some(rest)
}

/// The number in so many digits, and what comes after it.
fn after_number(text: &str, digits: usize) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    Some((is_number.then(|| number.parse().ok())??, rest))
}

/// What comes after a revision.
fn after_revision(text: &str) -> Option<&str> {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let rest = text.strip_prefix('v')?;
    let rest = rest.get(digits(rest)..).filter(|after| after.len() < rest.len())?;
    let minor = rest.strip_prefix(':').map(|minor| (digits(minor), minor));
    match minor {
        Some((length @ 1.., minor)) => minor.get(length..),
        _ => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_date_a_revision_or_the_word_for_the_newest() {
        for suffix in [
            "",
            "-latest",
            "@default",
            "-20260922",
            "@20260922",
            "-2026-09-22",
            "-v1",
            "-v1:0",
            "-20260901-v1:0",
            "-2026-09-22-v12:34",
        ] {
            assert!(is_version(suffix), "{suffix}");
        }
        for suffix in [
            "-mini",
            "mini",
            "-2026",
            "-2026-09",
            "-2026-0922",
            "-20261301",
            "-20260900",
            "-19991231",
            "-20260922x",
            "-20260922-mini",
            "-2026-09-22-mini",
            "-latest-mini",
            "-v",
            "-v1:",
            "-v1:0:200k",
            "-v1-mini",
            "-vision",
            ":free",
            ":nitro",
            ":8b",
            "@low",
            "-",
            "-é",
            "-2026-09-2é",
            "[1m]",
            ".1",
        ] {
            assert!(!is_version(suffix), "{suffix}");
        }
    }

    #[test]
    fn a_name_that_another_begins_with_is_not_its_price() {
        const LIST: &[PricedModel] = &[
            PricedModel { name: "gpt-6", tiers: &[(ANY_LENGTH, price(1.0, 1.0, 1.0, 1.0))] },
            PricedModel { name: "gpt-6-mini", tiers: &[(ANY_LENGTH, price(2.0, 2.0, 2.0, 2.0))] },
        ];
        let found = |model: &str| find(LIST, "openai", model).map(|model| model.name);
        for (model, name) in [
            ("gpt-6", Some("gpt-6")),
            ("gpt-6-2026-09-22", Some("gpt-6")),
            ("gpt-6-mini", Some("gpt-6-mini")),
            ("gpt-6-mini-2026-09-22", Some("gpt-6-mini")),
            ("openai/gpt-6-mini", Some("gpt-6-mini")),
            ("openrouter/openai/gpt-6", Some("gpt-6")),
            ("gpt-6-minimum", None),
            ("gpt-6-nano", None),
            ("gpt-6.1", None),
            ("gpt-66", None),
            ("openai/gpt-6:free", None),
            ("ft:gpt-6:mine::id", None),
            ("ft:gpt-6", None),
            ("mirror/gpt-6", None),
            ("my-gpt-6", None),
            ("notopenai/gpt-6", None),
        ] {
            assert_eq!(found(model), name, "{model}");
        }
    }
}
