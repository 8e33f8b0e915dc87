//! What is known of models before any is asked: what the user's file says, then the tables of the providers.

use super::limits::{FactSource, Limits};
use super::prices::{self, Prices, Rates};
pub use crate::contracts::ModelFacts;
use crate::contracts::Usage;
use crate::text;

/// Facts of models: the user's, over those that are built in. It is made in `table`, which has the providers' lists.
#[derive(Debug, Clone)]
pub struct Catalog {
    pub(super) own: Vec<ModelFacts>,
    /// The name of each provider, with what its models cost.
    pub(super) lists: Vec<(&'static str, &'static Prices)>,
}

/// What a model costs.
#[derive(Debug, Clone, PartialEq)]
pub enum Price {
    /// So much a token.
    Known {
        /// By the length of the whole prompt: each holds up to and including so many tokens, the last one for any.
        tiers: Vec<(u64, Rates)>,
        /// When that was looked up, as in `2026-11`; `None` where the user does not say.
        as_of: Option<String>,
        /// Who says so.
        from: FactSource,
    },
    /// Nothing: it runs on a machine of the user's own.
    Local,
    /// Nobody here knows; its tokens are counted.
    Unknown,
}

impl Catalog {
    /// What the user says of a model, by `provider:name`: of this very name before that of the model it is a version of, and
    /// with its provider before the name alone.
    pub fn own(&self, model: &str) -> Option<&ModelFacts> {
        let name = model.split_once(':').map_or(model, |(_, name)| name);
        let called = |called: &str| self.own.iter().find(|facts| facts.name == called);
        let older = |called: &str| self.own.iter().find(|facts| prices::is_version_of(called, &facts.name));
        called(model).or_else(|| called(name)).or_else(|| older(model)).or_else(|| older(name))
    }

    /// What a model takes in one request: what the user says, and for the rest what was `found` otherwise.
    pub fn limits(&self, model: &str, found: Limits) -> Limits {
        let Some(own) = self.own(model) else { return found };
        if let FactSource::NumCtx(_) = found.window_from {
            // What the user says is in it, as far as there is memory for it.
            return Limits { max_output: own.max_output.or(found.max_output), ..found };
        }
        Limits { window: own.window, max_output: own.max_output, window_from: FactSource::User }.or(found)
    }

    /// What a model (`provider:name`) costs.
    pub fn price(&self, model: &str) -> Price {
        if let Some(price) = self.own(model).and_then(own_price) {
            return price;
        }
        let listed = self.charged(model).find_map(|(provider, name, prices)| match prices {
            Prices::Listed { as_of, models } => prices::find(models, provider, name).map(|model| Price::Known {
                tiers: model.tiers.to_vec(),
                as_of: Some((*as_of).to_owned()),
                from: FactSource::Table,
            }),
            Prices::Local { is_local } if name != model && is_local(name) => Some(Price::Local),
            Prices::Local { .. } | Prices::Unknown => None,
        });
        listed.unwrap_or(Price::Unknown)
    }

    /// The provider in front of a model's name, the name after it, and what it charges; all providers, with the whole name,
    /// where there is none we know.
    fn charged<'a>(&'a self, model: &'a str) -> impl Iterator<Item = (&'static str, &'a str, &'static Prices)> {
        let known = |word: &str| self.lists.iter().any(|(provider, _)| *provider == word);
        let named = model.split_once(':').filter(|(word, _)| known(word));
        let name = named.map_or(model, |(_, name)| name);
        let asked = move |provider: &str| named.is_none_or(|(word, _)| word == provider);
        self.lists
            .iter()
            .filter(move |(provider, _)| asked(provider))
            .map(move |(provider, prices)| (*provider, name, *prices))
    }

    /// What one request to a model (`provider:name`) cost; `None` when its price is not known. Not for sums: the price
    /// depends on the length of one prompt.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<f64> {
        self.price(model).of(usage)
    }
}

impl Price {
    /// For people, with its date: `$4.00 in and $20.00 out a million tokens (as of 2026-11)`.
    pub fn words(&self) -> String {
        let (tiers, as_of, from) = match self {
            Self::Local => return "local, no cost".to_owned(),
            Self::Unknown => return "not known, so that tokens alone are counted".to_owned(),
            Self::Known { tiers, as_of, from } => (tiers, as_of, from),
        };
        let rates = |rates: &Rates| format!("{} in and {} out", dollars(rates.input), dollars(rates.output));
        let of_tier = |index: usize| match tiers.get(index) {
            Some((up_to, tier)) if *up_to < prices::ANY_LENGTH => {
                format!("{} with a prompt of up to {} tokens", rates(tier), text::tokens(*up_to))
            }
            Some((_, tier)) if index > 0 => format!("{} beyond", rates(tier)),
            Some((_, tier)) => rates(tier),
            None => String::new(),
        };
        let all: Vec<String> = (0..tiers.len()).map(of_tier).collect();
        let own = if *from == FactSource::User { "your own, " } else { "" };
        let date = as_of.as_ref().map_or_else(|| "without a date".to_owned(), |as_of| format!("as of {as_of}"));
        let million = "a million tokens";
        match all.as_slice() {
            [one] => format!("{one} {million} ({own}{date})"),
            several => format!("{million}: {} ({own}{date})", several.join(", ")),
        }
    }

    /// Whether every request costs nothing, as is known.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Known { tiers, .. } => tiers.iter().all(|(_, rates)| rates.are_nothing()),
            Self::Local => true,
            Self::Unknown => false,
        }
    }

    /// What one request cost, in US dollars; `None` when that is not known. Not for sums.
    pub fn of(&self, usage: &Usage) -> Option<f64> {
        match self {
            Self::Known { tiers, .. } => {
                let prompt = usage.prompt_tokens();
                tiers.iter().find(|(up_to, _)| prompt <= *up_to).map(|(_, rates)| rates.of(usage))
            }
            Self::Local => Some(0.0),
            Self::Unknown => None,
        }
    }
}

/// An amount in full: a price has as many digits as it has.
fn dollars(usd: f64) -> String {
    let cents = format!("{usd:.2}");
    let is_whole = cents.parse::<f64>().is_ok_and(|rounded| (rounded - usd).abs() < 1e-9);
    if is_whole { format!("${cents}") } else { format!("${usd}") }
}

fn own_price(facts: &ModelFacts) -> Option<Price> {
    let (input, output) = (facts.input?, facts.output?);
    let rates = prices::price(input, output, facts.cache_write.unwrap_or(input), facts.cache_read.unwrap_or(input));
    Some(Price::Known { tiers: vec![(prices::ANY_LENGTH, rates)], as_of: facts.as_of.clone(), from: FactSource::User })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_said_with_its_date_and_never_as_nothing_where_it_is_not_known() {
        let words = |model: &str| Catalog::default().price(model).words();
        assert_eq!(words("anthropic:claude-opus-5-5"), "$4.00 in and $20.00 out a million tokens (as of 2026-11)");
        assert_eq!(
            words("anthropic:claude-haiku-5-5"),
            "a million tokens: $0.10 in and $0.50 out with a prompt of up to 100k tokens, $0.50 in and $2.50 out beyond (as \
             of 2026-11)"
        );
        assert_eq!(words("editor:fast"), "not known, so that tokens alone are counted");
        let own = ModelFacts { name: "x".to_owned(), input: Some(0.075), output: Some(0.0), ..ModelFacts::default() };
        let own = Catalog::new(vec![own]).price("openai:x").words();
        assert_eq!(own, "$0.075 in and $0.00 out a million tokens (your own, without a date)");
        assert_eq!(
            (Price::Local.words(), Price::Local.of(&Usage::default())),
            ("local, no cost".to_owned(), Some(0.0))
        );
    }
}
