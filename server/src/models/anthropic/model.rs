use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Body;
use tokio_util::sync::CancellationToken;

use super::super::error::ModelError;
use super::super::http::{Watch, watching};
use super::super::limits::Limits;
use super::super::model::Model;
use super::super::probe::Probe;
use super::super::retry::AttemptError;
use super::super::turn::{Turn, TurnProgress, TurnRequest};
use super::answer::Answer;
use super::client::AnthropicClient;
use super::described::Known;
use super::{request, windows};

/// One model of the Messages API.
#[derive(Debug, Clone)]
pub struct Anthropic {
    client: Arc<AnthropicClient>,
    known: Arc<Known>,
    name: String,
    id: String,
}

impl AnthropicClient {
    /// One of the API's models, by the API's name for it.
    pub fn model(self: &Arc<Self>, name: impl Into<String>) -> Anthropic {
        let name = name.into();
        Anthropic { client: Arc::clone(self), known: self.known(&name), id: format!("anthropic:{name}"), name }
    }
}

impl Anthropic {
    async fn attempt(&self, request: &TurnRequest, watch: &Watch<'_>) -> Result<Turn, AttemptError> {
        let server = &self.client.server;
        let described = self.client.described(&self.known, &self.name).await;
        let thinking = self.known.thinking(described, self.client.efforts.of(request.tier));
        // More than a model can write is refused.
        let most = self.limits_by(described.limits).max_output.unwrap_or(u32::MAX);
        let body = Body::from(request::body(&self.name, request, request.max_tokens.min(most), thinking));
        let answer = Answer::of(&self.name, Arc::clone(&self.client.catalog));
        let failed = match server.post(server.url(&["v1", "messages"]), &self.name, body, answer, watch).await {
            Ok(answer) => return Ok(answer.finish()),
            Err(failed) => failed,
        };
        let attempt = failed.attempt;
        match failed.refusal.and_then(|refusal| self.known.leave_out(&refusal, thinking)) {
            None => Err(attempt),
            Some(parameter) => Err(AttemptError {
                reason: format!("it refuses `{parameter}`, which is left out from now on"),
                retryable: true,
                retry_after: Some(Duration::ZERO),
                ..attempt
            }),
        }
    }

    /// The user's own word first, then the API's, then the table for the API's own models.
    fn limits_by(&self, described: Limits) -> Limits {
        let is_default = self.client.server.endpoint.is_default;
        let listed = if is_default { windows::limits(&self.name) } else { Limits::default() };
        self.client.catalog.limits(&self.id, described.or(listed))
    }
}

#[async_trait]
impl Model for Anthropic {
    fn id(&self) -> &str {
        &self.id
    }

    fn account(&self) -> String {
        self.client.server.endpoint.account()
    }

    fn host(&self) -> Option<String> {
        Some(self.client.server.endpoint.host.clone())
    }

    async fn probe(&self) -> Probe {
        self.client.probe(&self.name).await
    }

    async fn limits(&self) -> Limits {
        let is_told = self.client.catalog.own(&self.id).is_some_and(|own| own.window.is_some());
        let described =
            if is_told { Limits::default() } else { self.client.described(&self.known, &self.name).await.limits };
        self.limits_by(described)
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let server = &self.client.server;
        let (mut turn, lost) = watching(progress, async |watch| {
            server.with_retries(cancel, progress, || self.attempt(request, watch)).await
        })
        .await?;
        turn.usage += lost;
        Ok(turn)
    }
}
