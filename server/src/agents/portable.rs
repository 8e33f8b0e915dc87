//! A conversation as data, so that it can be held elsewhere.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::error::AgentError;
use super::opening::Opening;
use super::shortage::Shortage;
use crate::contracts::Usage;
use crate::models::{FactSource, Model, ModelError, ModelErrorKind, Tier, ToolSpec};
use crate::tools::{PortableTools, Toolbox};

/// A [`Brief`] as data. Keys that this process knows are masked in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PortableBrief {
    /// The agent's label.
    pub agent: String,
    /// The tier of its model. Which model that is, is up to who holds the conversation.
    pub tier: Tier,
    system: Vec<String>,
    first_message: Opening,
    /// The tools it may call.
    pub tools: PortableTools,
    submit: ToolSpec,
    max_tokens: u32,
}

impl Brief {
    /// The conversation as data.
    pub fn portable(&self) -> PortableBrief {
        let masked = |text: &str| self.model.masked(text).into_owned();
        PortableBrief {
            agent: self.agent.clone(),
            tier: self.tier,
            system: self.system.iter().map(|part| masked(part)).collect(),
            first_message: self.first_message.map(&masked),
            tools: self.toolbox.portable(&masked),
            submit: self.submit.clone(),
            max_tokens: self.max_tokens,
        }
    }
}

impl PortableBrief {
    /// The conversation, to be held with this model and these tools.
    pub fn brief(self, model: Arc<dyn Model>, toolbox: Toolbox) -> Brief {
        let Self { agent, tier, system, first_message, submit, max_tokens, .. } = self;
        Brief { agent, model, tier, system, first_message, toolbox, submit, max_tokens }
    }
}

/// Why an agent elsewhere handed nothing on, as far as that is about the conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants and fields are those of AgentError")]
pub enum PortableError {
    Model { model: ModelErrorKind, message: String, usage: Usage },
    Contract { agent: String, tries: u32, faults: Vec<String> },
    NoTools { agent: String, turns: u32 },
    Refused { agent: String, reason: String },
    Loop { agent: String, call: String, times: u32 },
    Window { agent: String, model: String, window: u64, needed: u64, from: FactSource, is_first: bool },
    TooLong { agent: String, reason: String },
    Changed { path: String },
    Budget { reason: String },
}

impl TryFrom<AgentError> for PortableError {
    type Error = AgentError;

    /// The error as data; back where it is about the machine, or a stop.
    fn try_from(error: AgentError) -> Result<Self, AgentError> {
        Ok(match error {
            AgentError::Model(ModelError { kind, message, usage }) => Self::Model { model: kind, message, usage },
            AgentError::Contract { agent, tries, faults } => Self::Contract { agent, tries, faults },
            AgentError::NoTools { agent, turns } => Self::NoTools { agent, turns },
            AgentError::Refused { agent, reason } => Self::Refused { agent, reason },
            AgentError::Loop { agent, call, times } => Self::Loop { agent, call, times },
            AgentError::Window { agent, model, window, needed, from, is_first } => {
                Self::Window { agent, model, window, needed, from, is_first }
            }
            AgentError::TooLong { agent, reason } => Self::TooLong { agent, reason },
            AgentError::Budget(shortage) => Self::Budget { reason: shortage.into_reason() },
            other @ (AgentError::Journal(_)
            | AgentError::Memory(_)
            | AgentError::Changed(_)
            | AgentError::Elsewhere(_)
            | AgentError::Cancelled) => return Err(other),
        })
    }
}

impl From<PortableError> for AgentError {
    fn from(error: PortableError) -> Self {
        match error {
            PortableError::Model { model, message, usage } => {
                Self::Model(ModelError::new(model, message).with_usage(usage))
            }
            PortableError::Contract { agent, tries, faults } => Self::Contract { agent, tries, faults },
            PortableError::NoTools { agent, turns } => Self::NoTools { agent, turns },
            PortableError::Refused { agent, reason } => Self::Refused { agent, reason },
            PortableError::Loop { agent, call, times } => Self::Loop { agent, call, times },
            PortableError::Window { agent, model, window, needed, from, is_first } => {
                Self::Window { agent, model, window, needed, from, is_first }
            }
            PortableError::TooLong { agent, reason } => Self::TooLong { agent, reason },
            PortableError::Changed { path } => Self::Changed(path),
            PortableError::Budget { reason } => Self::Budget(Shortage::other(reason)),
        }
    }
}
