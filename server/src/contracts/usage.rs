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
}

impl Default for Usage {
    fn default() -> Self {
        Self { input_tokens: 0, cache_write_tokens: 0, cache_read_tokens: 0, output_tokens: 0, cost_usd: Some(0.0) }
    }
}

impl Usage {
    /// All prompt tokens.
    pub fn prompt_tokens(&self) -> u64 {
        self.input_tokens + self.cache_write_tokens + self.cache_read_tokens
    }

    /// Prompt and output tokens.
    pub fn total_tokens(&self) -> u64 {
        self.prompt_tokens() + self.output_tokens
    }

    /// For people, with the cost where it is known: `18.2k tokens · $0.042`, and `18.2k tokens · no cost` of models that run
    /// on a machine of the user's own.
    pub fn words(&self) -> String {
        let tokens = format!("{} tokens", text::tokens(self.total_tokens()));
        match self.cost_usd {
            Some(usd) if usd <= 0.0 && self.total_tokens() > 0 => format!("{tokens} · no cost"),
            Some(usd) => format!("{tokens} · {}", text::cost(usd)),
            None => tokens,
        }
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.cache_write_tokens += other.cache_write_tokens;
        self.cache_read_tokens += other.cache_read_tokens;
        self.output_tokens += other.output_tokens;
        self.cost_usd = self.cost_usd.zip(other.cost_usd).map(|(a, b)| a + b);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_stands_where_it_is_known() {
        let known = Usage { input_tokens: 18_000, output_tokens: 200, cost_usd: Some(0.042), ..Usage::default() };
        assert_eq!(known.words(), "18.2k tokens · $0.042");
        assert_eq!(Usage { cost_usd: None, ..known }.words(), "18.2k tokens");
        assert_eq!(Usage { cost_usd: Some(0.0), ..known }.words(), "18.2k tokens · no cost");
        assert_eq!(Usage::default().words(), "0 tokens · $0.00");
    }
}
