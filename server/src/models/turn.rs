use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{Block, Message, StopReason, ToolSpec};
use crate::contracts::Usage;

/// How strong a model a piece of work needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Gathering, and mechanical edits.
    Fast,
    /// Writing code.
    Balanced,
    /// Planning and judging.
    Powerful,
}

impl Tier {
    /// The word used in settings and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Powerful => "powerful",
        }
    }

    /// The tier of the next stronger model; `None` of the last.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Fast => Some(Self::Balanced),
            Self::Balanced => Some(Self::Powerful),
            Self::Powerful => None,
        }
    }
}

/// Everything one turn needs. A conversation is append-only: the next request holds the same messages and more.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// The run this turn belongs to.
    pub run: String,
    /// The agent: `context`, `plan`, `implement/T1`, `review`.
    pub agent: String,
    /// The tier the model was chosen for.
    pub tier: Tier,
    /// The system prompt in parts; together the stable prefix, the same bytes for every task of a phase.
    pub system: Vec<String>,
    /// The tools the model may call.
    pub tools: Vec<ToolSpec>,
    /// The conversation, starting and ending with a user message.
    pub messages: Vec<Message>,
    /// Most tokens the answer may have.
    pub max_tokens: u32,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The blocks, known and unknown, to be sent back verbatim.
    pub content: Vec<Block>,
    /// Why it stopped.
    pub stop_reason: StopReason,
    /// The model that answered, as the provider names it.
    #[serde(default)]
    pub model: String,
    /// What the turn cost, lost attempts included; estimated where the provider does not count it.
    #[serde(default)]
    pub usage: Usage,
}

/// What happens while a turn is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnProgress {
    /// The first byte of the answer came: the prompt is in the provider's cache from here on.
    FirstByte,
    /// Characters generated so far.
    Output {
        /// Characters of text and tool input.
        characters: usize,
    },
    /// The model was asked, and nothing of its answer has come yet; reported now and then.
    Unanswered {
        /// How long ago it was asked.
        waited: Duration,
    },
    /// The attempt failed and will be made again.
    Retry {
        /// The coming attempt.
        again: Retry,
        /// How long until then.
        wait: Duration,
        /// What the turn's lost attempts cost so far.
        lost: Usage,
    },
    /// The next attempt is still this far away; reported every second.
    Waiting {
        /// The coming attempt.
        again: Retry,
        /// How long until then.
        left: Duration,
    },
    /// The provider's throttle holds the turn back.
    Throttled {
        /// Who is asked: "Anthropic API".
        provider: String,
    },
    /// The waiting is over, and the provider is asked.
    Asking {
        /// Who is asked.
        provider: String,
        /// The attempt, where it is not the first.
        again: Option<Retry>,
    },
}

/// An attempt that is made because the one before it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Who is asked: "Anthropic API".
    pub provider: String,
    /// Why the one before failed, in a few words: "overloaded (529)".
    pub reason: String,
    /// Its number, from 2.
    pub attempt: u32,
    /// How many there are at most; `None` where only the time of waiting is bounded.
    pub most: Option<u32>,
    /// Whether the provider said that it is overloaded, so that all who ask it slow down.
    #[serde(default)]
    pub is_overload: bool,
}

impl Retry {
    /// What people are told while it is waited for: "Anthropic API: rate limit (429); waiting 8 s, try 2".
    pub fn waiting(&self, left: Duration) -> String {
        let Self { provider, reason, .. } = self;
        let wait = if left.is_zero() { String::new() } else { format!("waiting {:.0} s, ", left.as_secs_f64().ceil()) };
        format!("{provider}: {reason}; {wait}{}", self.count())
    }

    /// "try 2 of 5"
    pub fn count(&self) -> String {
        let of = self.most.map(|most| format!(" of {most}")).unwrap_or_default();
        format!("try {}{of}", self.attempt)
    }
}

/// A turn as it stands in a transcript: what the `replay` provider plays back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedTurn {
    /// Which agent sent it; see [`TurnRequest::agent`].
    pub agent: String,
    /// `provider:name` of the model that was asked.
    pub model: String,
    /// SHA-256 of the request, in hex.
    #[serde(default)]
    pub request_sha256: String,
    /// What came back.
    pub response: Turn,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub elapsed_ms: u64,
    /// Whether it was cut because the budget had room for a shorter answer only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_by_budget: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_at_once_is_not_said_to_wait() {
        let reason = "too little memory".to_owned();
        let again = Retry { provider: "Ollama".to_owned(), reason, attempt: 2, most: Some(5), is_overload: false };
        assert_eq!(again.waiting(Duration::ZERO), "Ollama: too little memory; try 2 of 5");
        assert_eq!(again.waiting(Duration::from_millis(300)), "Ollama: too little memory; waiting 1 s, try 2 of 5");
    }
}
