use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Body;
use tokio_util::sync::CancellationToken;

use super::super::error::ModelError;
use super::super::http::watching;
use super::super::model::Model;
use super::super::probe::Probe;
use super::super::turn::{Turn, TurnProgress, TurnRequest};
use super::answer::Answer;
use super::client::AnthropicClient;
use super::request;

/// One model of the Messages API.
#[derive(Debug, Clone)]
pub struct Anthropic {
    client: Arc<AnthropicClient>,
    name: String,
    id: String,
}

impl AnthropicClient {
    /// One of the API's models, by the API's name for it.
    pub fn model(self: &Arc<Self>, name: impl Into<String>) -> Anthropic {
        let name = name.into();
        Anthropic { client: Arc::clone(self), id: format!("anthropic:{name}"), name }
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

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let server = &self.client.server;
        let body = bytes::Bytes::from(request::body(&self.name, request));
        let (mut turn, lost) = watching(progress, async |watch| {
            let attempt = || async {
                let answer = Answer::of(&self.name, Arc::clone(&self.client.catalog));
                let body = Body::from(body.clone());
                let answered = server.post(server.url(&["v1", "messages"]), &self.name, body, answer, watch).await;
                answered.map(Answer::finish).map_err(|failed| failed.attempt)
            };
            server.with_retries(cancel, progress, attempt).await
        })
        .await?;
        turn.usage += lost;
        Ok(turn)
    }
}
