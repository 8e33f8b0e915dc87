use serde_json::Value;

use super::super::super::http::Tokens;

/// What an answer has cost, as its server says it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    pub(super) tokens: Tokens,
    /// In US dollars, where the server says it.
    pub(super) cost_usd: Option<f64>,
}

impl Counted {
    /// Take in a report. The last holds: some servers count on with every piece.
    ///
    /// Source: OpenAI's API reference (`prompt_tokens` holds what was cached, `completion_tokens` what was thought);
    /// DeepSeek, "Context caching" (`prompt_cache_hit_tokens`); OpenRouter, "Usage accounting" (`cost`, in US dollars, and
    /// `cache_write_tokens`). xAI and Google count what was thought beside the completion, in the total alone.
    pub(super) fn take(&mut self, report: &Value) {
        let Some(prompt) = Tokens::count(report, "prompt_tokens") else { return };
        let details = &report["prompt_tokens_details"];
        let read = Tokens::count(details, "cached_tokens").or_else(|| Tokens::count(report, "prompt_cache_hit_tokens"));
        let read = read.unwrap_or(0).min(prompt);
        let written = Tokens::count(details, "cache_write_tokens").unwrap_or(0).min(prompt - read);
        let completion = Tokens::count(report, "completion_tokens").unwrap_or(0);
        let total = Tokens::count(report, "total_tokens").unwrap_or(0);
        self.tokens = Tokens {
            input: Some(prompt - read - written),
            cache_write: Some(written),
            cache_read: Some(read),
            output: Some(completion.max(total.saturating_sub(prompt))),
        };
        let cost = report["cost"].as_f64().filter(|cost| cost.is_finite() && *cost >= 0.0);
        self.cost_usd = cost.or(self.cost_usd);
    }
}
