//! Which models the API has, for `baton doctor`.
//!
//! Source: Anthropic's API reference, "List Models" and "Get a Model": `GET /v1/models?limit=…&after_id=…` answers
//! `{data: [{id}], has_more, last_id}`, and `GET /v1/models/{id}` knows aliases too. Other servers have neither, or a
//! list without pages.

use std::time::{Duration, SystemTime};

use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::super::error::{ModelError, ModelErrorKind};
use super::super::probe::Probe;
use super::super::probe::nearest;
use super::client::{AnthropicClient, Listed, Unlisted};

/// How long one answer may take. Short: a person waits to learn whether the server is there at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most entries of a page that the API allows.
const PAGE: &str = "1000";
/// Pages read of a list that does not end.
const MOST_PAGES: usize = 20;
/// Bytes read of one answer.
const MOST_BYTES: usize = 4 << 20;
/// Names that a message lists where the wanted one is missing.
const MOST_NAMES: usize = 3;

impl AnthropicClient {
    /// Whether the API has the model of this name.
    pub(super) async fn probe(&self, name: &str) -> Probe {
        let names = match self.listed.get_or_init(|| self.list()).await {
            Ok(Some(names)) => names,
            Ok(None) => return Probe::NotListed,
            Err(Unlisted { error, reached }) => return Probe::Failed { error: error.clone(), reached: *reached },
        };
        if names.iter().any(|known| known == name) {
            return Probe::Found;
        }
        // An alias, such as one without its date, stands in no list.
        let mut url = self.models_url();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(name);
        }
        match self.get(url).await {
            Ok(Some(_)) => Probe::Found,
            Ok(None) if self.endpoint.is_default => Probe::Missing { has: nearest(name, names, MOST_NAMES) },
            // Small servers list the one model they have, and serve it under any name.
            Ok(None) => Probe::NotListed,
            Err(Unlisted { error, reached }) => Probe::Failed { error, reached },
        }
    }

    async fn list(&self) -> Listed {
        let mut names = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.models_url();
            url.query_pairs_mut().append_pair("limit", PAGE);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after_id", after);
            }
            let Some(page) = self.get(url).await? else { return Ok(None) };
            let Some(models) = page["data"].as_array() else { return Err(self.no_list()) };
            names.extend(models.iter().filter_map(|model| model["id"].as_str()).map(str::to_owned));
            let next = page["last_id"].as_str().filter(|_| page["has_more"] == true).map(str::to_owned);
            if next.is_none() || next == after {
                break;
            }
            after = next;
        }
        Ok(Some(names))
    }

    /// One answer as JSON; `None` when there is nothing at this address.
    async fn get(&self, url: Url) -> Result<Option<Value>, Unlisted> {
        let asked = async {
            let sent = self.http.get(url).headers(self.headers.clone()).send().await;
            let mut response =
                sent.map_err(|error| Unlisted { error: self.endpoint.unreachable(error).error, reached: false })?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut body = Vec::new();
            while body.len() < MOST_BYTES {
                // An answer that breaks off cannot be parsed, which is the error below.
                let Ok(Some(bytes)) = response.chunk().await else { break };
                body.extend_from_slice(&bytes);
            }
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
                return Ok(None);
            }
            if !status.is_success() {
                let body = String::from_utf8_lossy(&body);
                let refused = self.endpoint.refused("its list of models", status, &headers, &body, SystemTime::now());
                return Err(Unlisted { error: refused.error, reached: true });
            }
            serde_json::from_slice(&body).map(Some).map_err(|_| self.no_list())
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Unlisted { error: self.endpoint.silent(PATIENCE).error, reached: false }),
        }
    }

    fn no_list(&self) -> Unlisted {
        let hint = if self.endpoint.is_default { "Check the network." } else { "Check ANTHROPIC_BASE_URL." };
        let message =
            format!("{} answers /v1/models with something that is no list of models. {hint}", self.endpoint.provider());
        Unlisted { error: ModelError::new(ModelErrorKind::Unavailable, message), reached: true }
    }

    /// `/v1/models`, beside `/v1/messages`.
    fn models_url(&self) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop().push("models");
        }
        url
    }
}
