//! What an agent is, and what drives it is given.

use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::budget::Budget;
use super::opening::Opening;
use crate::memory::{Tells, Transcript};
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
    /// What is done already when the conversation has to start over: an implementer's staged edits.
    pub so_far: Option<Box<dyn Fn() -> String + Send + Sync>>,
    /// Whether a call (tool, input) only reads what other tasks may change meanwhile. A resumed conversation keeps the
    /// recorded answers of such calls; with any other difference the recorded turns no longer apply.
    pub reads_others: Option<ReadsOthers>,
}

impl Brief {
    /// All its tools, the one it ends with last.
    pub(super) fn tools(&self) -> Vec<ToolSpec> {
        let mut tools = self.toolbox.specs();
        tools.push(self.submit.clone());
        tools
    }
}

/// Whether a call only reads what others may change meanwhile.
pub type ReadsOthers = Box<dyn Fn(&str, &Value) -> bool + Send + Sync>;

/// What an agent is doing, for people who watch.
#[derive(Debug, Clone)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubmitTry {
    /// From 1.
    pub number: u32,
    /// Whether nothing that is sent back can be mended any more.
    pub is_last: bool,
}

impl SubmitTry {
    /// Whether it is the last one only because a recorded run has no answer to what is sent back to it.
    pub fn ends_recording(self) -> bool {
        self.is_last && self.number < SUBMIT_TRIES
    }
}

/// Takes a submission, or answers with what is wrong with it, for the model.
pub type Accept<'a, T> = &'a (dyn Fn(Value, SubmitTry) -> Result<T, Vec<String>> + Send + Sync);
