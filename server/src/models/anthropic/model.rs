use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use reqwest::Body;
use tokio_util::sync::CancellationToken;

use super::super::error::ModelError;
use super::super::model::Model;
use super::super::probe::Probe;
use super::super::retry::with_retries;
use super::super::turn::{Turn, TurnProgress, TurnRequest};
use super::client::AnthropicClient;
use super::request;
use super::stream::Watch;

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
        self.client.endpoint.account()
    }

    fn host(&self) -> Option<String> {
        Some(self.client.endpoint.host.clone())
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
        let client = &self.client;
        let body = bytes::Bytes::from(request::body(&self.name, request));
        let opened = AtomicBool::new(false);
        let watch = Watch {
            // The cache is open from the first byte on; a second attempt does not open it again.
            first_byte: &|| {
                if !opened.swap(true, Ordering::Relaxed) {
                    progress(TurnProgress::FirstByte);
                }
            },
            output: &|characters| progress(TurnProgress::Output { characters }),
        };
        let (mut turn, lost) =
            with_retries(&client.endpoint.provider(), &client.config.retry, &client.throttle, cancel, progress, || {
                client.attempt(&self.name, Body::from(body.clone()), &watch)
            })
            .await?;
        turn.usage += lost;
        Ok(turn)
    }
}
