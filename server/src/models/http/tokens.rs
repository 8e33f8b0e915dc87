use serde_json::Value;

use super::super::estimate::estimated_tokens;
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

/// How long a request is, and what came of its answer, in bytes: tokens that a server does not count are estimated from it.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::models) struct Length {
    /// Of the request; 0 where that is not known, and then nothing is estimated.
    pub(in crate::models) sent: usize,
    /// What the model has written so far: text, tool inputs, and what it thought.
    pub(in crate::models) written: usize,
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

    /// What a whole answer used, without a price. Where a part was not reported, or as nothing though it was there, it is
    /// estimated.
    pub(in crate::models) fn usage(&self, length: Length) -> Usage {
        let reported = Usage {
            input_tokens: self.input.unwrap_or(0),
            cache_write_tokens: self.cache_write.unwrap_or(0),
            cache_read_tokens: self.cache_read.unwrap_or(0),
            output_tokens: self.output.unwrap_or(0),
            cost_usd: None,
            ..Usage::default()
        };
        if length.sent == 0 {
            return reported;
        }
        let (lacks_prompt, lacks_output) = (reported.prompt_tokens() == 0, reported.output_tokens == 0);
        let input_tokens = if lacks_prompt { estimated_tokens(length.sent) } else { reported.input_tokens };
        let output_tokens = if lacks_output { estimated_tokens(length.written) } else { reported.output_tokens };
        let estimated = lacks_prompt || (lacks_output && length.written > 0);
        Usage { input_tokens, output_tokens, estimated, ..reported }
    }

    /// What an answer used that broke off, without a price: what was generated is billed, and a report from before the end
    /// does not hold all of it.
    pub(in crate::models) fn usage_so_far(&self, length: Length) -> Usage {
        let usage = self.usage(length);
        let written = if length.sent == 0 { 0 } else { estimated_tokens(length.written) };
        let is_more = written > usage.output_tokens;
        Usage { output_tokens: usage.output_tokens.max(written), estimated: usage.estimated || is_more, ..usage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Length = Length { sent: 3_200, written: 320 };

    fn counted(input: Option<u64>, output: Option<u64>) -> Tokens {
        Tokens { input, output, ..Tokens::default() }
    }

    fn read(usage: Usage) -> (u64, u64, bool) {
        (usage.prompt_tokens(), usage.output_tokens, usage.estimated)
    }

    #[test]
    fn what_a_server_does_not_count_is_estimated() {
        for (tokens, expected) in [
            (counted(Some(900), Some(80)), (900, 80, false)),
            (counted(None, None), (1_100, 110, true)),
            (counted(Some(0), Some(0)), (1_100, 110, true)),
            (counted(Some(900), None), (900, 110, true)),
            (counted(None, Some(80)), (1_100, 80, true)),
        ] {
            assert_eq!(read(tokens.usage(LENGTH)), expected, "{tokens:?}");
        }
        let cached = Tokens { cache_read: Some(900), ..counted(Some(0), Some(80)) };
        assert_eq!(read(cached.usage(LENGTH)), (900, 80, false), "all of it from the cache");
        let silent = counted(Some(900), Some(0)).usage(Length { written: 0, ..LENGTH });
        assert_eq!(read(silent), (900, 0, false), "nothing was written");
        assert_eq!(read(Tokens::default().usage(Length::default())), (0, 0, false));
    }

    #[test]
    fn of_an_answer_that_broke_off_what_came_counts_beyond_an_early_report() {
        assert_eq!(read(counted(Some(900), Some(1)).usage_so_far(LENGTH)), (900, 110, true));
        assert_eq!(read(counted(Some(900), Some(200)).usage_so_far(LENGTH)), (900, 200, false));
        assert_eq!(read(Tokens::default().usage_so_far(LENGTH)), (1_100, 110, true));
    }
}
