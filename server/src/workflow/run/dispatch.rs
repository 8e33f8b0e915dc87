//! Where the conversations of a run are held: in this process, or on other machines.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::phase::Run;
use crate::agents::{Accept, AgentError, Brief, Judge, Report, SubmitTry, ask_once, converse};
use crate::contracts::PhaseName;

/// One conversation of a phase or a task, from its first prompt to what it hands on.
pub struct Conversation<'a> {
    /// The phase.
    pub phase: PhaseName,
    /// The task, where it is one of several.
    pub task: Option<&'a str>,
    /// The round, from 1; `None` where there is none yet.
    pub round: Option<u32>,
    /// SHA-256 of the plan, in hex, where there is one.
    pub plan_sha256: Option<String>,
    /// Whether the agent is asked once, and not driven until it hands on.
    pub is_asked_once: bool,
    /// How many conversations may be under way at once, this one among them.
    pub beside: usize,
    /// The agent. What it has read and edited so far is in its toolbox.
    pub brief: &'a Brief,
}

/// Holds the conversations of a run. What an agent hands on is judged by who asked for the conversation, and so are its edits:
/// they are in the brief's toolbox whenever `judge` is asked, wherever they were made.
#[async_trait]
pub trait Dispatcher: Send + Sync {
    /// Where conversations are held, if not in this process: "workers at nats://host".
    fn place(&self) -> Option<String> {
        None
    }

    /// Hold a conversation until `judge` takes what is handed on.
    ///
    /// # Errors
    /// When the model cannot be asked, does not come to an end, or the run is cancelled.
    async fn hold(
        &self,
        run: &Run,
        conversation: &Conversation<'_>,
        judge: &dyn Judge<()>,
        report: Report<'_>,
    ) -> Result<(), AgentError>;
}

/// Holds conversations in this process.
pub struct Local;

#[async_trait]
impl Dispatcher for Local {
    async fn hold(
        &self,
        run: &Run,
        conversation: &Conversation<'_>,
        judge: &dyn Judge<()>,
        report: Report<'_>,
    ) -> Result<(), AgentError> {
        match conversation.is_asked_once {
            true => ask_once(&run.context, conversation.brief, judge, report).await,
            false => converse(&run.context, conversation.brief, judge, report).await,
        }
    }
}

/// Hold a conversation where the run holds its conversations. Answers with what was taken.
///
/// # Errors
/// Those of [`Dispatcher::hold`].
pub(crate) async fn hold<T: Send>(
    run: &Arc<Run>,
    conversation: &Conversation<'_>,
    accept: Accept<'_, T>,
    report: Report<'_>,
) -> Result<T, AgentError> {
    let keeping = Keeping { accept, taken: Mutex::new(None) };
    run.dispatcher.hold(run, conversation, &keeping, report).await?;
    let taken = keeping.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    taken.ok_or_else(|| AgentError::NoTools { agent: conversation.brief.agent.clone(), turns: 1 })
}

/// Keeps what is taken, so that a dispatcher need not know its type.
struct Keeping<'a, T> {
    accept: Accept<'a, T>,
    taken: Mutex<Option<T>>,
}

#[async_trait]
impl<T: Send> Judge<()> for Keeping<'_, T> {
    async fn judge(&self, input: Value, submit_try: SubmitTry) -> Result<Result<(), Vec<String>>, AgentError> {
        let judged = self.accept.judge(input, submit_try).await?;
        Ok(judged.map(|taken| {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).replace(taken);
        }))
    }
}
