use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Body;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::super::error::ModelError;
use super::super::http::{Watch, watching};
use super::super::limits::Limits;
use super::super::model::Model;
use super::super::probe::Probe;
use super::super::retry::AttemptError;
use super::super::turn::{Turn, TurnProgress, TurnRequest};
use super::answer::Answer;
use super::client::OpenAiClient;
use super::refusal::{self, Sent};
use super::request::{self, Asked};

/// Requests of one attempt: one, and one for each thing that a refusal may teach.
const MOST_REQUESTS: usize = 10;

/// One model of Chat Completions.
#[derive(Debug, Clone)]
pub struct OpenAi {
    client: Arc<OpenAiClient>,
    name: String,
    id: String,
    limits: Arc<OnceCell<Limits>>,
}

impl OpenAiClient {
    /// One of the server's models, by the server's name for it.
    pub fn model(self: &Arc<Self>, name: impl Into<String>) -> OpenAi {
        let name = name.into();
        OpenAi { client: Arc::clone(self), id: format!("openai:{name}"), name, limits: Arc::default() }
    }
}

impl OpenAi {
    /// Ask once, and again where a refusal says how to ask.
    async fn attempt(&self, request: &TurnRequest, watch: &Watch<'_>) -> Result<Turn, AttemptError> {
        let client = &self.client;
        // Other servers and their models may know no such parameter; where the user names one, it is tried.
        let efforts = if client.is_own() { client.efforts.or_usual() } else { client.efforts };
        let effort = efforts.of(request.tier);
        let mut fits = None;
        let mut requests = 1;
        loop {
            let learned = client.learned(&self.name);
            let asked = Asked { host: client.host(), model: &self.name, effort, learned: &learned, fits };
            let body = Body::from(request::body(&asked, request));
            let answer = Answer::of(&self.name, Arc::clone(&client.catalog));
            let url = client.url(&["chat", "completions"]);
            let failed = match client.server.post(url, &self.name, body, answer, watch).await {
                Ok(answer) => return Ok(answer.finish()),
                Err(failed) => failed,
            };
            let sent = Sent { limit: asked.limit(), effort, learned: &learned };
            let instead = failed.refusal.as_ref().and_then(|refusal| refusal::answer(refusal, &sent));
            match instead {
                _ if requests >= MOST_REQUESTS => return Err(failed.attempt),
                Some(refusal::Answer::Fits(tokens)) if fits.is_none() => fits = Some(tokens),
                Some(refusal::Answer::Learned(now)) => client.keep(&self.name, &learned, now),
                // Another request may have learned meanwhile what this one lacked.
                _ if failed.refusal.is_some() && client.learned(&self.name) != learned => {}
                _ => return Err(failed.attempt),
            }
            requests += 1;
        }
    }
}

#[async_trait]
impl Model for OpenAi {
    fn id(&self) -> &str {
        &self.id
    }

    fn account(&self) -> String {
        self.client.server.endpoint.account()
    }

    fn host(&self) -> Option<String> {
        Some(self.client.host().to_owned())
    }

    async fn probe(&self) -> Probe {
        self.client.probe(&self.name).await
    }

    fn tells_window(&self) -> bool {
        true
    }

    async fn limits(&self) -> Limits {
        *self.limits.get_or_init(|| self.client.limits(&self.id, &self.name)).await
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let (mut turn, lost) = watching(progress, async |watch| {
            self.client.server.with_retries(cancel, progress, || self.attempt(request, watch)).await
        })
        .await?;
        turn.usage += lost;
        Ok(turn)
    }
}
