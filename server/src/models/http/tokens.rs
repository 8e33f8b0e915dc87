use serde_json::Value;

use crate::contracts::Usage;

/// Token counts as a server last reported them.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::models) struct Tokens {
    /// Of the prompt, without what a cache wrote or read.
    pub(in crate::models) input: Option<u64>,
    pub(in crate::models) cache_write: Option<u64>,
    pub(in crate::models) cache_read: Option<u64>,
    pub(in crate::models) output: Option<u64>,
}

/// More than any request has; what a server says beyond it is nonsense that must not overflow a sum.
const MOST_TOKENS: u64 = 1_000_000_000;

impl Tokens {
    /// A count out of a server's report, bounded.
    pub(in crate::models) fn count(report: &Value, name: &str) -> Option<u64> {
        report.get(name).and_then(Value::as_u64).map(|tokens| tokens.min(MOST_TOKENS))
    }

    pub(in crate::models) fn is_reported(&self) -> bool {
        self.input.or(self.cache_write).or(self.cache_read).or(self.output).is_some()
    }

    /// As usage without a price; what was not reported counts as nothing.
    pub(in crate::models) fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.input.unwrap_or(0),
            cache_write_tokens: self.cache_write.unwrap_or(0),
            cache_read_tokens: self.cache_read.unwrap_or(0),
            output_tokens: self.output.unwrap_or(0),
            cost_usd: None,
        }
    }
}
