use serde::{Deserialize, Serialize};

use crate::text;

/// Tokens spent and what they cost.
///
/// The three input counts are disjoint: their sum is the prompt. `cost_usd` is null when a model without a known
/// price took part: tokens are then counted, and no sum is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens that were neither written to nor read from the cache.
    pub input_tokens: u64,
    /// Prompt tokens written to the cache.
    pub cache_write_tokens: u64,
    /// Prompt tokens read from the cache.
    pub cache_read_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
    /// US dollars, or null when the price is not known.
    pub cost_usd: Option<f64>,
    /// Whether tokens were estimated, because a server did not count them.
    #[serde(skip_serializing_if = "is_default")]
    pub estimated: bool,
    /// Whether all of it is of models that run on a machine of the user's own.
    #[serde(skip_serializing_if = "is_default")]
    pub local: bool,
    /// US dollars of the part with a price, where another part has none.
    #[serde(skip_serializing_if = "is_default")]
    pub priced_usd: f64,
    /// Tokens of the part without a price, where another part has one. Without it nothing has a price, where `cost_usd` is null.
    #[serde(skip_serializing_if = "is_default")]
    pub unpriced_tokens: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            input_tokens: 0,
            cache_write_tokens: 0,
            cache_read_tokens: 0,
            output_tokens: 0,
            cost_usd: Some(0.0),
            estimated: false,
            local: false,
            priced_usd: 0.0,
            unpriced_tokens: 0,
        }
    }
}

/// More tokens than one turn can use, and more dollars than it can cost.
const MOST_OF_A_TURN: (u64, f64) = (1 << 40, 1e6);

impl Usage {
    /// Whether it can be that of one turn. What others tell may be anything: negative, infinite, or more than there is.
    pub fn is_plausible(&self) -> bool {
        let (most_tokens, most_usd) = MOST_OF_A_TURN;
        let parts = [self.input_tokens, self.cache_write_tokens, self.cache_read_tokens, self.output_tokens];
        let is_price = |usd: f64| (0.0..=most_usd).contains(&usd);
        parts.into_iter().chain([self.unpriced_tokens]).all(|tokens| tokens <= most_tokens)
            && is_price(self.priced_usd)
            && self.cost_usd.is_none_or(is_price)
    }

    /// All prompt tokens.
    pub fn prompt_tokens(&self) -> u64 {
        self.input_tokens + self.cache_write_tokens + self.cache_read_tokens
    }

    /// Prompt and output tokens.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens() + self.output_tokens
    }

    /// US dollars of what has a known price.
    pub fn known_usd(&self) -> f64 {
        self.cost_usd.unwrap_or(self.priced_usd)
    }

    /// Tokens of models whose price is not known.
    pub fn tokens_without_price(&self) -> u64 {
        match self.cost_usd {
            Some(_) => 0,
            None if self.unpriced_tokens > 0 => self.unpriced_tokens,
            None => self.total_tokens(),
        }
    }

    /// For people, beside what one run used of it, unless that is all or nothing: `18.2k tokens · $0.042 in all, 200 tokens ·
    /// $0.001 in this run`.
    pub fn words_with(&self, run: &Self, which: &str) -> String {
        if run == self || run.total_tokens() == 0 {
            return self.words();
        }
        format!("{} in all, {} in {which} run", self.words(), run.words())
    }

    /// For people, with the cost where it is known: `18.2k tokens · $0.042`.
    pub fn words(&self) -> String {
        let about = if self.estimated { "about " } else { "" };
        let tokens = format!("{about}{} tokens", text::tokens(self.total_tokens()));
        match self.cost_words() {
            Some(cost) => format!("{tokens} · {cost}"),
            None => tokens,
        }
    }

    /// For people, what it cost: `$0.042`; `local, no cost` of models on a machine of the user's own; `$0.06 and 12.0k tokens
    /// without a price`. Nothing where no price is known, or nothing was used: that is never "$0".
    pub fn cost_words(&self) -> Option<String> {
        let (usd, unpriced) = (self.known_usd(), self.tokens_without_price());
        match (usd > 0.0, unpriced) {
            (true, 0) => Some(text::cost(usd)),
            (true, _) => Some(format!("{} and {} tokens without a price", text::cost(usd), text::tokens(unpriced))),
            (false, 0) if self.total_tokens() > 0 => Some(if self.local { LOCAL } else { "no cost" }.to_owned()),
            (false, _) => None,
        }
    }
}

/// What a model on a machine of the user's own costs, for people.
pub(super) const LOCAL: &str = "local, no cost";

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        let is_local = |usage: &Self| usage.local || usage.total_tokens() == 0;
        let local = (self.local || other.local) && is_local(self) && is_local(&other);
        // What used nothing has no cost that were not known.
        let cost = |usage: &Self| if usage.total_tokens() == 0 { Some(usage.known_usd()) } else { usage.cost_usd };
        let cost_usd = cost(self).zip(cost(&other)).map(|(a, b)| a + b);
        let known = self.known_usd() + other.known_usd();
        let unpriced = self.tokens_without_price() + other.tokens_without_price();
        self.input_tokens += other.input_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.output_tokens += other.output_tokens;
        let is_mixed = cost_usd.is_none() && unpriced < self.total_tokens();
        *self = Self {
            cost_usd,
            estimated: self.estimated || other.estimated,
            local,
            priced_usd: if is_mixed { known } else { 0.0 },
            unpriced_tokens: if is_mixed { unpriced } else { 0 },
            ..*self
        };
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |mut sum, usage| {
            sum += usage;
            sum
        })
    }
}

/// Whether a field is as it is where it says nothing.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PRICED: Usage = Usage {
        input_tokens: 18_000,
        output_tokens: 200,
        cost_usd: Some(0.042),
        cache_write_tokens: 0,
        cache_read_tokens: 0,
        estimated: false,
        local: false,
        priced_usd: 0.0,
        unpriced_tokens: 0,
    };

    fn sum(parts: &[Usage]) -> Usage {
        parts.iter().copied().sum()
    }

    #[test]
    fn a_cost_stands_where_it_is_known_and_nowhere_else() {
        let unpriced = Usage { cost_usd: None, ..PRICED };
        let free = Usage { cost_usd: Some(0.0), ..PRICED };
        let local = Usage { local: true, ..free };
        for (usage, words) in [
            (PRICED, "18.2k tokens · $0.042"),
            (unpriced, "18.2k tokens"),
            (free, "18.2k tokens · no cost"),
            (local, "18.2k tokens · local, no cost"),
            (Usage { estimated: true, ..PRICED }, "about 18.2k tokens · $0.042"),
            (Usage::default(), "0 tokens"),
            (sum(&[]), "0 tokens"),
            (sum(&[unpriced, unpriced]), "36.4k tokens"),
            (sum(&[local, local]), "36.4k tokens · local, no cost"),
            (sum(&[local, free]), "36.4k tokens · no cost"),
            (sum(&[local, PRICED]), "36.4k tokens · $0.042"),
            (sum(&[local, unpriced]), "36.4k tokens"),
            (sum(&[PRICED, unpriced, PRICED]), "54.6k tokens · $0.084 and 18.2k tokens without a price"),
            (
                sum(&[PRICED, Usage { estimated: true, ..unpriced }]),
                "about 36.4k tokens · $0.042 and 18.2k tokens without a price",
            ),
        ] {
            assert_eq!(usage.words(), words, "{usage:?}");
        }
        assert_eq!(sum(&[PRICED, unpriced]).cost_usd, None, "no sum is claimed");
        let nothing = Usage { cost_usd: None, ..Usage::default() };
        assert_eq!(sum(&[PRICED, nothing, nothing]), PRICED, "what used nothing makes no sum unknown");
    }

    #[test]
    fn what_is_usual_is_written_as_ever_and_old_files_are_read() {
        let plain = json!({
            "input_tokens": 18000, "cache_write_tokens": 0, "cache_read_tokens": 0, "output_tokens": 200, "cost_usd": 0.042,
        });
        assert_eq!(serde_json::to_value(PRICED).unwrap(), plain);
        assert_eq!(serde_json::from_value::<Usage>(plain).unwrap(), PRICED);
        let mixed = sum(&[PRICED, Usage { estimated: true, cost_usd: None, ..PRICED }]);
        let written = serde_json::to_value(mixed).unwrap();
        assert_eq!((&written["estimated"], &written["unpriced_tokens"]), (&json!(true), &json!(18_200)));
        assert_eq!(serde_json::from_value::<Usage>(written).unwrap(), mixed);
        // An earlier version kept nothing of the part with a price.
        let old = serde_json::from_value::<Usage>(json!({ "input_tokens": 5, "cost_usd": null })).unwrap();
        assert_eq!((old.words(), old.known_usd(), old.tokens_without_price()), ("5 tokens".to_owned(), 0.0, 5));

        let all = Usage { input_tokens: 36_000, output_tokens: 400, cost_usd: Some(0.084), ..PRICED };
        assert_eq!(all.words_with(&PRICED, "this"), "36.4k tokens · $0.084 in all, 18.2k tokens · $0.042 in this run");
        assert_eq!(all.words_with(&Usage::default(), "this"), all.words());
        assert_eq!(PRICED.words_with(&PRICED, "this"), PRICED.words());
    }
}
