//! Holds the conversations of a run: in this process, unless another dispatcher is given.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::phase::{Conversation, Dispatcher, Run};
use crate::agents::{Accept, AgentError, Judge, Report, SubmitTry, ask_once, converse};

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

/// Stands for workers that nobody has connected to: what is to be done by them is not done by a model of this machine.
pub(crate) struct NotConnected;

#[async_trait]
impl Dispatcher for NotConnected {
    async fn hold(
        &self,
        _run: &Run,
        _conversation: &Conversation<'_>,
        _judge: &dyn Judge<()>,
        _report: Report<'_>,
    ) -> Result<(), AgentError> {
        Err(AgentError::Elsewhere("no worker was looked for when this run began; start it again".to_owned()))
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
