//! One model turn: the [`Model`] trait, what goes in and what comes out, and the providers behind it.
//!
//! Invariant: nothing here knows of phases, handoffs or the workspace's files. An agent is a label on a request.

mod anthropic;
mod editor;
mod error;
mod message;
mod plain_http;
mod prices;
mod probe;
mod replay;
mod resolve;
mod retry;
mod throttle;

pub use anthropic::{API_VERSION, Anthropic, AnthropicClient, AnthropicConfig, Credential};
pub use editor::{EditorClient, EditorConfig, EditorModel, EditorModels, EditorRefusal, RefusalKind};
pub use error::{ModelError, ModelErrorKind};
pub use message::{Block, Message, Role, StopReason, ToolSpec};
pub use prices::{cost, price_known};
pub use probe::Probe;
pub use replay::{Pace, Replay};
pub use resolve::{Models, Wanted, resolve};
pub use retry::{AttemptError, RetryPolicy, retry_after, with_retries};
pub use throttle::{Slot, Throttle};

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

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
}

/// Everything one turn needs. A conversation is append-only: the next request holds the same messages and more.
#[derive(Debug, Clone)]
pub struct TurnRequest {
    /// The run this turn belongs to.
    pub run: String,
    /// Who speaks: `context`, `plan`, `implement/T1`, `review`.
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
    /// What the turn cost, lost attempts included where the provider told.
    #[serde(default)]
    pub usage: Usage,
}

/// What happens while a turn is under way.
#[derive(Debug, Clone, PartialEq)]
pub enum TurnProgress {
    /// The first byte of the answer came: the prompt is in the provider's cache from here on.
    FirstByte,
    /// Characters generated so far.
    Output {
        /// Characters of text and tool input.
        characters: usize,
    },
    /// The attempt failed and will be made again.
    Retry {
        /// Number of the coming attempt, from 2.
        attempt: u32,
        /// How long until then.
        wait: Duration,
        /// Why, in a few words: "overloaded (529)".
        reason: String,
        /// What the turn's lost attempts cost so far, where the provider told.
        lost: Usage,
    },
    /// The next attempt is still this far away; said every second.
    Waiting {
        /// How long until then.
        left: Duration,
    },
    /// The provider's throttle holds the turn back.
    Throttled,
}

/// One model of one provider.
#[async_trait]
pub trait Model: Send + Sync {
    /// `provider:name`.
    fn id(&self) -> &str;

    /// Whose models these are and on whose account: "Anthropic API, key from ANTHROPIC_API_KEY".
    fn account(&self) -> String;

    /// The host that is asked, with its port where that is an unusual one; `None` where no network is used.
    fn host(&self) -> Option<String> {
        None
    }

    /// Ask the provider whether it has this model, in a few short requests that cost nothing.
    async fn probe(&self) -> Probe {
        Probe::NotNeeded
    }

    /// Take one turn. Retries and throttling happen inside; `progress` hears of them.
    ///
    /// # Errors
    /// When the turn failed for good or `cancel` fired. A cancelled turn sends nothing more.
    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError>;
}

/// A turn as it stands in a transcript: what the `replay` provider plays back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedTurn {
    /// Who spoke; see [`TurnRequest::agent`].
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
}
