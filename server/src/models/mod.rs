//! One model turn: the [`Model`] trait, what goes in and what comes out, and the providers behind it.
//!
//! A provider is a file or a folder, which holds all there is to know of it (`provider::Provider`), and one row in
//! `table`. Which providers there are, their default models and their prices: every list is made from that table.
//!
//! Invariant: nothing here knows of phases, handoffs or the workspace's files. An agent is a label on a request.
//!
//! Deliberately absent: a fallback from one provider to another. What the user chose answers, or the run stops.

mod anthropic;
mod catalog;
mod demo;
mod editor;
mod effort;
mod elsewhere;
mod error;
mod estimate;
mod http;
mod limits;
mod listening;
mod message;
mod model;
mod ollama;
mod openai;
mod prices;
mod probe;
mod provider;
mod replay;
mod resolve;
mod retry;
mod secrets;
mod setup;
mod table;
mod throttle;
mod turn;

pub use anthropic::{API_VERSION, Anthropic, AnthropicClient};
pub use catalog::{Catalog, ModelFacts, Price};
pub use editor::{EditorClient, EditorConfig, EditorModel, EditorModels, EditorRefusal, RefusalKind};
pub use effort::{Effort, Efforts};
pub use elsewhere::ModelElsewhere;
pub use error::{ModelError, ModelErrorKind};
pub use estimate::{BYTES_A_TOKEN, MARGIN};
pub use http::{ApiConfig, Credential};
pub use limits::{FactSource, Limits, NumCtx};
pub use message::{Block, Message, Role, StopReason, ToolSpec};
pub use model::Model;
pub use openai::{OpenAi, OpenAiClient};
pub use prices::Rates;
pub use probe::Probe;
pub use replay::{Pace, RECORDED_ACCOUNT, Replay};
pub use resolve::{Models, Wanted, providers, resolve};
pub use retry::{AttemptError, MOST_ATTEMPTS, RetryPolicy, retry_after, with_retries};
pub use secrets::provider_variables;
pub use throttle::{Slot, Throttle};
pub use turn::{RecordedTurn, Retry, Tier, Turn, TurnProgress, TurnRequest};
