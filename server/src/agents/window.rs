//! A model's limits, planned for: how many tokens a prompt comes to, and what answer it leaves room for.

use crate::contracts::Usage;
use crate::models::{BYTES_A_TOKEN, FactSource, Limits, MARGIN};

/// What may be counted. Most prose has more bytes a token, and what tools answer is no prose; fewer than one is nonsense.
const COUNTED_BYTES_A_TOKEN: (f64, f64) = (1.0, 3.6);
/// A server that counts fewer tokens than one for so many bytes does not count the whole prompt.
const MOST_BYTES_A_TOKEN: u64 = 8;
/// The least room for an answer: a submission, or a few calls.
const LEAST_ANSWER: u32 = 2048;
/// Room that results leave beside the least answer: what the next calls and their answers take at least.
const SPARE: u64 = 512;

/// What a conversation may take of its model's window.
#[derive(Debug, Clone)]
pub(super) struct Window {
    limits: Limits,
    /// Most tokens that an answer is wanted to have.
    wanted: u32,
    /// Bytes a token, as counted last.
    bytes_a_token: f64,
    /// Tokens of the conversation as the last answer counted them, and the bytes it had then.
    counted: (u64, usize),
    /// Bytes of a first prompt that the server refused as too long.
    refused: Option<usize>,
}

/// A prompt that leaves no room for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full {
    /// Tokens of the window.
    pub(super) window: u64,
    /// Tokens of the prompt, estimated, and of the least answer.
    pub(super) needed: u64,
    /// Where the window is known from.
    pub(super) from: FactSource,
}

impl Window {
    pub(super) fn new(limits: Limits, wanted: u32) -> Self {
        let wanted = limits.max_output.map_or(wanted, |most| wanted.min(most.max(1)));
        Self { limits, wanted, bytes_a_token: BYTES_A_TOKEN, counted: (0, 0), refused: None }
    }

    /// Take in what the model takes now: a server may have had to make its window smaller.
    pub(super) fn limit(&mut self, limits: Limits) {
        self.wanted = limits.max_output.map_or(self.wanted, |most| self.wanted.min(most.max(1)));
        self.limits = limits;
    }

    /// Most tokens that an answer may have where the window has room.
    pub(super) fn wanted(&self) -> u32 {
        self.wanted
    }

    /// The same for a fresh conversation, in which nothing was counted yet.
    pub(super) fn fresh(&self) -> Self {
        Self { counted: (0, 0), ..self.clone() }
    }

    /// Take in that the server refused a first prompt of so many bytes as too long, whatever its window is.
    pub(super) fn refuse(&mut self, bytes: usize) {
        self.refused = Some(bytes);
    }

    /// Take in what the server counted of a turn: `prompt` bytes were sent, and with the answer the conversation has `all` of them.
    pub(super) fn count(&mut self, usage: &Usage, prompt: usize, all: usize) {
        if usage.estimated || usage.prompt_tokens() < prompt as u64 / MOST_BYTES_A_TOKEN || prompt == 0 {
            return;
        }
        let (least, most) = COUNTED_BYTES_A_TOKEN;
        self.bytes_a_token = (prompt as f64 / usage.prompt_tokens().max(1) as f64).clamp(least, most);
        self.counted = (usage.total_tokens(), all);
    }

    /// Tokens of a conversation of so many bytes.
    pub(super) fn tokens(&self, bytes: usize) -> u64 {
        let (tokens, counted) = self.counted;
        let more = bytes.saturating_sub(counted) as f64 * MARGIN / self.bytes_a_token;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^64")]
        let more = more.ceil() as u64;
        tokens + more
    }

    /// Most tokens the answer to a prompt of so many bytes may have.
    ///
    /// # Errors
    /// When there is no room for one.
    pub(super) fn answer(&self, bytes: usize) -> Result<u32, Full> {
        let Some(window) = self.limits.window else { return Ok(self.wanted) };
        let (prompt, least) = (self.tokens(bytes), self.least_answer(window));
        let room = u32::try_from(window.saturating_sub(prompt)).unwrap_or(u32::MAX);
        if room < least {
            return Err(Full { window, needed: prompt + u64::from(least), from: self.limits.window_from });
        }
        Ok(self.wanted.min(room))
    }

    /// What a conversation of so many bytes needs, and what there is; `None` where no limit is known.
    pub(super) fn full(&self, bytes: usize) -> Option<Full> {
        let window = self.limits.window?;
        Some(Full { window, needed: self.tokens(bytes) + u64::from(self.wanted), from: self.limits.window_from })
    }

    /// Bytes that may be added to a conversation of so many, so that it can go on; `None` where no limit is known.
    pub(super) fn room(&self, bytes: usize) -> Option<usize> {
        let window = self.limits.window?;
        let taken = self.tokens(bytes) + u64::from(self.least_answer(window)) + SPARE;
        Some(self.bytes_of(window.saturating_sub(taken)))
    }

    /// Most bytes of a first prompt that leaves room for answers; `None` where no limit is known. A conversation that starts over
    /// because the window was full leaves more room.
    pub(super) fn prompt(&self, is_again: bool) -> Option<usize> {
        let (of_window, below_refused) = (self.prompt_of_window(is_again), self.refused.map(|bytes| bytes / 5 * 3));
        of_window.into_iter().chain(below_refused).min()
    }

    fn prompt_of_window(&self, is_again: bool) -> Option<usize> {
        let window = self.limits.window?;
        let least = u64::from(self.least_answer(window)) + SPARE;
        let kept = if is_again { least.max(u64::from(self.wanted).min(window / 4)) } else { least };
        Some(self.bytes_of(window.saturating_sub(kept)))
    }

    fn bytes_of(&self, tokens: u64) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive; beyond usize it saturates"
        )]
        let bytes = (tokens as f64 * self.bytes_a_token / MARGIN) as usize;
        bytes
    }

    fn least_answer(&self, window: u64) -> u32 {
        let quarter = u32::try_from(window / 4).unwrap_or(u32::MAX);
        self.wanted.min(LEAST_ANSWER).min(quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(tokens: u64) -> Window {
        Window::new(Limits { window: Some(tokens), ..Limits::default() }, 16_000)
    }

    fn usage(input: u64, output: u64) -> Usage {
        Usage { input_tokens: input, output_tokens: output, ..Usage::default() }
    }

    #[test]
    fn without_limits_nothing_changes() {
        let open = Window::new(Limits::default(), 16_000);
        assert_eq!((open.answer(100 << 20), open.room(0), open.prompt(false)), (Ok(16_000), None, None));
        let short = Window::new(Limits { max_output: Some(8_192), ..Limits::default() }, 16_000);
        assert_eq!(short.answer(100 << 20), Ok(8_192));
        assert_eq!(Window::new(Limits { max_output: Some(64_000), ..Limits::default() }, 16_000).answer(0), Ok(16_000));
    }

    #[test]
    fn the_answer_counts_toward_the_window() {
        let window = window(32_768);
        assert_eq!(window.answer(32_000), Ok(16_000));
        assert_eq!(window.answer(64_000), Ok(32_768 - 22_000));
        assert_eq!(
            window.answer(100_000),
            Err(Full { window: 32_768, needed: 34_375 + 2_048, from: FactSource::Table })
        );
        let small = Window::new(Limits { window: Some(4_096), ..Limits::default() }, 16_000);
        assert_eq!(small.answer(8_000), Ok(4_096 - 2_750), "a quarter of a small window is enough");
    }

    #[test]
    fn a_diff_of_64_kb_fits_a_window_of_32k_beside_a_prompt_and_tools() {
        let (prompt_and_tools, diff) = (18 << 10, 64 << 10);
        assert!(window(32_768).prompt(false).unwrap() >= prompt_and_tools + diff);
        assert!(window(32_768).room(prompt_and_tools).unwrap() >= diff);
    }

    #[test]
    fn what_a_server_counts_is_believed_while_it_makes_sense() {
        let mut window = window(32_768);
        window.count(&usage(20_000, 500), 40_000, 41_000);
        assert_eq!(window.tokens(41_000), 20_500);
        assert_eq!(window.tokens(43_000), 20_500 + 1_100, "two bytes a token from now on");
        let before = window.clone();
        window.count(&usage(7, 7), 40_000, 41_000);
        window.count(&usage(0, 0), 0, 0);
        window.count(&Usage { estimated: true, ..usage(20_000, 500) }, 20_000, 21_000);
        assert_eq!((window.counted, window.bytes_a_token), (before.counted, before.bytes_a_token));
        window.count(&usage(10_000, 1), 60_000, 60_000);
        assert!((window.bytes_a_token - 3.6).abs() < 1e-9, "what comes may be denser than what was counted");
        assert_eq!(window.fresh().tokens(0), 0);
    }

    #[test]
    fn a_conversation_that_starts_over_leaves_more_room() {
        let window = window(32_768);
        assert!(window.prompt(true).unwrap() < window.prompt(false).unwrap() - 10_000);
        let mut open = Window::new(Limits::default(), 16_000);
        open.refuse(100_000);
        assert_eq!((open.fresh().prompt(true), open.answer(1 << 30)), (Some(60_000), Ok(16_000)));
        for bytes in [0, 1_000, 50_000, usize::MAX / 4] {
            let room = window.room(bytes).unwrap();
            assert!(room == 0 || window.answer(bytes + room).is_ok(), "{bytes}");
        }
    }
}
