//! What an agent is, and what drives it is given.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::error::AgentError;
use super::opening::Opening;
use crate::memory::{Tells, Transcript, TranscriptLine};
use crate::models::{Model, Tier, ToolSpec, TurnProgress};
use crate::tools::Toolbox;

/// Times a model may submit something invalid.
pub(super) const SUBMIT_TRIES: u32 = 3;

/// What all conversations of a run share.
pub struct RunContext {
    /// The run's id.
    pub run: String,
    /// Records every turn.
    pub transcript: Arc<Transcript>,
    /// What the user tells its agents.
    pub tells: Arc<Tells>,
    /// What may be spent.
    pub budget: Arc<Budget>,
    /// Fires when the user stops the run.
    pub cancel: CancellationToken,
    /// Where each turn has to be known before it is acted on, for conversations that are held for a run elsewhere. What is
    /// resumed then may have been begun with another model.
    pub relay: Option<Arc<dyn TurnRelay>>,
}

/// Takes the turns of conversations that are held for a run elsewhere.
#[async_trait]
pub trait TurnRelay: Send + Sync {
    /// Waits until the model may be asked.
    async fn admit(&self);

    /// Makes a line of the transcript known there. It returns once the line cannot be lost any more.
    ///
    /// # Errors
    /// When it cannot be made known: the line is not acted on.
    async fn relay(&self, line: &TranscriptLine) -> Result<(), AgentError>;
}

/// One agent: who it is, what it is given, what it may use.
pub struct Brief {
    /// Its label: `context`, `plan`, `implement/T1`, `review`.
    pub agent: String,
    /// The model that serves it.
    pub model: Arc<dyn Model>,
    /// The tier the model was chosen for.
    pub tier: Tier,
    /// The stable prefix: prompt, then what all agents of the phase share.
    pub system: Vec<String>,
    /// What this agent alone is given; shortened where the model's window is too small for all of it.
    pub first_message: Opening,
    /// The tools it may call besides its submit tool.
    pub toolbox: Toolbox,
    /// The tool it ends with.
    pub submit: ToolSpec,
    /// Most tokens an answer may have.
    pub max_tokens: u32,
}

impl Brief {
    /// All its tools, the one it ends with last.
    pub(super) fn tools(&self) -> Vec<ToolSpec> {
        let mut tools = self.toolbox.specs();
        tools.push(self.submit.clone());
        tools
    }
}

/// What an agent is doing, for people who watch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Its prompt is in the provider's cache from here on.
    CacheOpened,
    /// It calls a tool: "reading src/main.rs".
    Tool(String),
    /// It was refused a write.
    Refused(String),
    /// The user tells it this, with the request that is being made.
    Told(String),
    /// The provider makes it wait.
    Model(TurnProgress),
    /// A turn came back.
    Turn,
}

/// Receives what an agent is doing.
pub type Report<'a> = &'a (dyn Fn(Activity) + Send + Sync);

/// Which try at submitting something is taken or sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitTry {
    /// From 1.
    pub number: u32,
    /// Whether nothing that is sent back can be mended any more.
    pub is_last: bool,
}

impl SubmitTry {
    /// The one try of an agent that is asked once.
    pub(super) fn only() -> Self {
        Self { number: SUBMIT_TRIES, is_last: true }
    }

    /// Whether it is the last one only because a recorded run has no answer to what is sent back to it.
    pub fn ends_recording(self) -> bool {
        self.is_last && self.number < SUBMIT_TRIES
    }
}

/// Takes what an agent submits, or says what is wrong with it. A function is one.
#[async_trait]
pub trait Judge<T>: Send + Sync {
    /// Takes a submission. Inside: what is wrong with it, for the model.
    ///
    /// # Errors
    /// When there is no answer: the conversation ends, and can be resumed.
    async fn judge(&self, input: Value, submit_try: SubmitTry) -> Result<Result<T, Vec<String>>, AgentError>;
}

#[async_trait]
impl<T, F: Fn(Value, SubmitTry) -> Result<T, Vec<String>> + Send + Sync> Judge<T> for F {
    async fn judge(&self, input: Value, submit_try: SubmitTry) -> Result<Result<T, Vec<String>>, AgentError> {
        Ok(self(input, submit_try))
    }
}

/// Who takes what an agent submits.
pub type Accept<'a, T> = &'a dyn Judge<T>;
