use super::shortage::Shortage;
use crate::memory::MemoryError;
use crate::models::{FactSource, ModelError, ModelErrorKind, NumCtx};

/// Why an agent handed nothing on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The model could not be asked.
    #[error(transparent)]
    Model(ModelError),
    /// The model's handoff broke its contract each time.
    #[error(
        "the {agent} agent's handoff was not valid in {tries} tries: {}; run again for another try, or choose a stronger \
         model (models.*)", .faults.join("; ")
    )]
    Contract {
        /// Whose handoff.
        agent: String,
        /// How often it tried.
        tries: u32,
        /// What was wrong the last time.
        faults: Vec<String>,
    },
    /// The model talked instead of working.
    #[error("the {agent} agent answered {turns} times without using a tool; a stronger model may do better (models.*)")]
    NoTools {
        /// Whose model.
        agent: String,
        /// Answers without a tool call, in a row.
        turns: u32,
    },
    /// The model declined.
    #[error(
        "the model declined the {agent} agent's work{}; put the task in other words, or choose another model (models.*)",
        because(.reason)
    )]
    Refused {
        /// Whose work.
        agent: String,
        /// What it said.
        reason: String,
    },
    /// The model repeated the same call.
    #[error(
        "the {agent} agent made the same call {times} times with the same answer: {call}; run again for another try, or \
         choose a stronger model (models.*)"
    )]
    Loop {
        /// Whose model.
        agent: String,
        /// The call.
        call: String,
        /// How often.
        times: u32,
    },
    /// A prompt with the least answer does not fit the model's context window, and was not sent.
    #[error("{}", window_text(.agent, .model, *.window, *.needed, *.from, *.is_first))]
    Window {
        /// Whose prompt.
        agent: String,
        /// `provider:name`.
        model: String,
        /// Tokens of the window.
        window: u64,
        /// Tokens that were needed, estimated.
        needed: u64,
        /// Where the window is known from.
        from: FactSource,
        /// Whether it was the first prompt of the agent, so that nothing was sent at all.
        is_first: bool,
    },
    /// The conversation became too long.
    #[error("the {agent} agent did not finish: {reason}; a smaller task or a stronger model (models.*) may do better")]
    TooLong {
        /// Whose conversation.
        agent: String,
        /// Which bound it reached.
        reason: String,
    },
    /// Files that the agent edited elsewhere changed here meanwhile. Nothing of its edits was taken.
    #[error("{0} changed on disk while the agent was at work elsewhere")]
    Changed(String),
    /// The work cannot be done at workers.
    #[error("the work cannot be sent to workers: {0}")]
    Elsewhere(String),
    /// What the workflow may cost is spent, or too little for a turn: `spent: …. Raise …`.
    #[error("the budget is {0} and run again; nothing done so far is lost")]
    Budget(Shortage),
    /// A turn could not be journaled, so the run stops before it costs more.
    #[error("cannot write the transcript: {0}")]
    Journal(#[from] std::io::Error),
    /// The memory folder could not be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl AgentError {
    /// Whether the conversation itself failed: asked again from the beginning, a model may do better. After any other error
    /// the conversation can be resumed.
    pub fn ends_conversation(&self) -> bool {
        match self {
            Self::Contract { .. }
            | Self::NoTools { .. }
            | Self::Refused { .. }
            | Self::Loop { .. }
            | Self::TooLong { .. }
            | Self::Changed(_) => true,
            // A first prompt is as long for the next one that is asked: the settings have to change.
            Self::Window { is_first, .. } => !is_first,
            // Its last answer is journaled and would only fill the window again.
            Self::Model(error) => error.kind == ModelErrorKind::ContextWindow,
            Self::Elsewhere(_) | Self::Budget(_) | Self::Journal(_) | Self::Memory(_) | Self::Cancelled => false,
        }
    }
}

impl From<ModelError> for AgentError {
    fn from(error: ModelError) -> Self {
        match error.kind {
            ModelErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Model(error),
        }
    }
}

fn window_text(agent: &str, model: &str, window: u64, needed: u64, from: FactSource, is_first: bool) -> String {
    let what = if is_first { "first prompt" } else { "conversation" };
    let since = if is_first { "it was not sent" } else { "it was closed, and so was a fresh one" };
    format!(
        "the {agent} agent's {what} needs about {needed} tokens, and the context window of {model} has {window}; {since}. \
         Choose a model with a larger window (models.*), or make the task smaller{}",
        larger(from)
    )
}

/// What else helps where a window is too small.
fn larger(from: FactSource) -> &'static str {
    match from {
        FactSource::NumCtx(NumCtx::Halved) => "; it was halved for lack of memory, so more of that helps too",
        FactSource::NumCtx(NumCtx::Model) => "",
        FactSource::NumCtx(NumCtx::Usual) => "; where there is memory for a larger one, say so (model_facts)",
        FactSource::NumCtx(NumCtx::User) | FactSource::User | FactSource::Server | FactSource::Table => {
            "; if the model's window is larger than that, say so (model_facts)"
        }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_helps_a_window_that_is_too_small_is_true_of_it() {
        let told = |from| window_text("plan", "ollama:q", 8_192, 9_000, from, true);
        for (from, end) in [
            (FactSource::Server, "if the model's window is larger than that, say so (model_facts)"),
            (FactSource::NumCtx(NumCtx::Usual), "where there is memory for a larger one, say so (model_facts)"),
            (FactSource::NumCtx(NumCtx::Model), "or make the task smaller"),
            (FactSource::NumCtx(NumCtx::Halved), "it was halved for lack of memory, so more of that helps too"),
        ] {
            assert!(told(from).ends_with(end), "{}", told(from));
        }
    }
}
