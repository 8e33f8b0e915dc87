//! Asks an editor's models: one request a turn, with the timeouts and the retries of any provider.
//!
//! Invariant: what the editor answers is untrusted and bounded. Deliberately absent: streaming, which the editor's side
//! does not offer, and any LSP type; [`EditorModels`] decides how a request travels.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::answer;
use super::service::{EditorModels, EditorRefusal, RefusalKind};
use crate::models::catalog::Catalog;
use crate::models::error::{ModelError, ModelErrorKind};
use crate::models::limits::Limits;
use crate::models::model::Model;
use crate::models::retry::{AttemptError, RetryPolicy, with_retries};
use crate::models::throttle::Throttle;
use crate::models::turn::{Tier, Turn, TurnProgress, TurnRequest};
use crate::text::short_line;

/// How an editor's models are asked.
#[derive(Debug, Clone)]
pub struct EditorConfig {
    /// How long one answer may take. Long: the editor may have to ask the user first, and does not stream.
    pub answer_timeout: Duration,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Requests under way at once, at most.
    pub parallelism: usize,
    /// What is known of models.
    pub catalog: Arc<Catalog>,
}

/// One editor and one throttle for all its models.
pub struct EditorClient {
    models: Arc<dyn EditorModels>,
    config: EditorConfig,
    throttle: Arc<Throttle>,
}

/// The model that an editor has for a tier.
#[derive(Clone)]
pub struct EditorModel {
    client: Arc<EditorClient>,
    tier: Tier,
    id: String,
}

/// Characters shown of what an editor says.
const SAID: usize = 300;

impl Default for EditorConfig {
    fn default() -> Self {
        Self {
            answer_timeout: Duration::from_secs(600),
            retry: RetryPolicy::default(),
            parallelism: 64,
            catalog: Arc::default(),
        }
    }
}

impl EditorClient {
    /// A client of this editor. Nothing is sent yet.
    pub fn new(models: Arc<dyn EditorModels>, config: EditorConfig) -> Arc<Self> {
        let throttle = Throttle::new(config.parallelism);
        Arc::new(Self { models, config, throttle })
    }

    /// The editor's model for a tier, under the name the user has for it. Which model that is only the editor knows.
    pub fn model(self: &Arc<Self>, tier: Tier, name: &str) -> EditorModel {
        EditorModel { client: Arc::clone(self), tier, id: format!("editor:{name}") }
    }

    /// Ask once.
    async fn attempt(&self, model: &EditorModel, request: &TurnRequest, body: &Value) -> Result<Turn, AttemptError> {
        let answered = tokio::time::timeout(self.config.answer_timeout, self.models.turn(body.clone())).await;
        let answer = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(refusal)) => return Err(refused(model.tier, &refusal)),
            Err(_) => return Err(silent(self.config.answer_timeout)),
        };
        answer::read(&answer, request, body, &model.id).map_err(|unreadable| AttemptError {
            error: ModelError::new(
                ModelErrorKind::Unavailable,
                format!("The answer of your editor's model is not understood: {}.", unreadable.fault),
            )
            .with_usage(unreadable.usage),
            reason: "an answer that is not understood".to_owned(),
            retryable: true,
            overloaded: false,
            retry_after: None,
        })
    }
}

#[async_trait]
impl Model for EditorModel {
    fn id(&self) -> &str {
        &self.id
    }

    fn account(&self) -> String {
        "Your editor's models, billed by its plan".to_owned()
    }

    /// Only what the user says of it: the editor does not.
    async fn limits(&self) -> Limits {
        self.client.config.catalog.limits(&self.id, Limits::default())
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let client = &self.client;
        let body = body(self.tier, request);
        // There is no cache of ours to open, so no task has to wait for another's first byte.
        progress(TurnProgress::FirstByte);
        let (mut turn, lost) = with_retries(PROVIDER, &client.config.retry, &client.throttle, cancel, progress, || {
            client.attempt(self, request, &body)
        })
        .await?;
        turn.usage += lost;
        Ok(turn)
    }
}

/// Who is asked, for people.
const PROVIDER: &str = "Your editor's models";

/// The request as the editor gets it. Nothing in it but what the contract names.
fn body(tier: Tier, request: &TurnRequest) -> Value {
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.input_schema }))
        .collect();
    json!({
        "run": request.run,
        "agent": request.agent,
        "tier": tier,
        "system": request.system.join("\n\n"),
        "messages": request.messages,
        "tools": tools,
        "max_tokens": request.max_tokens,
    })
}

/// What a refusal means: the error a turn ends with, and whether trying again may help.
fn refused(tier: Tier, refusal: &EditorRefusal) -> AttemptError {
    const OR_A_KEY: &str = "or set ANTHROPIC_API_KEY";
    let said = said(&refusal.said);
    let tier = tier.as_str();
    let (kind, message) = match refusal.kind {
        RefusalKind::Blocked => (
            ModelErrorKind::Blocked,
            format!(
                "Your editor's model refused the request{said}. Its plan may be used up, or a policy forbid it: look at \
                 the plan, choose another model for the tier `{tier}` in the editor's settings of Baton, {OR_A_KEY}; then \
                 start again, and what is done stays done."
            ),
        ),
        RefusalKind::NoPermission => (
            ModelErrorKind::Blocked,
            format!(
                "Baton may not use your editor's models{said}. Start the workflow again and allow it when the editor \
                 asks, {OR_A_KEY}."
            ),
        ),
        RefusalKind::NotFound => (
            ModelErrorKind::Settings,
            format!(
                "Your editor has no model for the tier `{tier}`{said}. Sign in to the editor's model provider (such as \
                 Copilot), choose a model for that tier in the editor's settings of Baton, {OR_A_KEY}."
            ),
        ),
        RefusalKind::Unsupported => (
            ModelErrorKind::Settings,
            format!(
                "Your editor offered its models and then did not know the request for a turn{said}. Update its Baton \
                 extension, {OR_A_KEY}."
            ),
        ),
        RefusalKind::Cancelled | RefusalKind::Gone => (ModelErrorKind::Cancelled, "Cancelled.".to_owned()),
        RefusalKind::Failed => (ModelErrorKind::Unavailable, format!("Your editor's model failed{said}.")),
    };
    let is_failure = refusal.kind == RefusalKind::Failed;
    let overloaded = is_failure && is_overload(&refusal.said);
    AttemptError {
        error: ModelError::new(kind, message),
        reason: if overloaded { format!("rate limit or overload{said}") } else { format!("failed{said}") },
        retryable: is_failure,
        overloaded,
        retry_after: None,
    }
}

/// Editors pass on their provider's words, and have no code of their own for "too much at once".
fn is_overload(said: &str) -> bool {
    let said = said.to_lowercase();
    ["rate limit", "rate-limit", "ratelimit", "too many requests", "overloaded", "429", "529"]
        .iter()
        .any(|sign| said.contains(sign))
}

fn silent(waited: Duration) -> AttemptError {
    let waited = humantime::format_duration(waited);
    let message = format!(
        "Your editor's model did not answer within {waited}. See whether the editor asks you something, then start \
         again; what is done stays done."
    );
    AttemptError {
        error: ModelError::new(ModelErrorKind::Unavailable, message),
        reason: "no answer".to_owned(),
        retryable: false,
        overloaded: false,
        retry_after: None,
    }
}

/// What an editor says, as the end of a sentence: one short line that drives no terminal.
fn said(text: &str) -> String {
    match short_line(text, SAID).trim_end_matches('.') {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

#[cfg(test)]
mod tests;
