//! Which models the API has, for `baton doctor`, and what it says of one.
//!
//! Source: Anthropic's API reference, "List Models" and "Get a Model": `GET /v1/models?limit=…&after_id=…` answers
//! `{data: [{id}], has_more, last_id}`, and `GET /v1/models/{id}` knows aliases too. Other servers have neither, or a
//! list without pages.

use std::sync::atomic::Ordering;

use super::super::http::Unanswered;
use super::super::probe::{Probe, nearest};
use super::client::{AnthropicClient, Listed};
use super::described::{Described, Known};

/// What is asked for, in messages.
const WHAT: &str = "its list of models";
const WHAT_OF_ONE: &str = "what it knows of the model";
/// Times that nothing answered, after which nothing is asked for any more: a server may leave this request alone open.
const MOST_UNANSWERED: u32 = 3;
/// Most entries of a page that the API allows.
const PAGE: &str = "1000";
/// Pages read of a list that does not end.
const MOST_PAGES: usize = 20;
/// Names that a message lists where the wanted one is missing.
const MOST_NAMES: usize = 3;

impl AnthropicClient {
    /// Whether the API has the model of this name.
    pub(super) async fn probe(&self, name: &str) -> Probe {
        let names = match self.listed.get_or_init(|| self.list()).await {
            Ok(Some(names)) => names,
            Ok(None) => return Probe::NotListed,
            Err(Unanswered { error, reached }) => return Probe::Failed { error: error.clone(), reached: *reached },
        };
        if names.iter().any(|known| known == name) {
            return Probe::Found;
        }
        // An alias, such as one without its date, stands in no list.
        match self.server.ask(self.server.url(&["v1", "models", name]), None, WHAT).await {
            Ok(Some(_)) => Probe::Found,
            Ok(None) if self.server.endpoint.is_default => Probe::Missing { has: nearest(name, names, MOST_NAMES) },
            // Small servers list the one model they have, and serve it under any name.
            Ok(None) => Probe::NotListed,
            Err(Unanswered { error, reached }) => Probe::Failed { error, reached },
        }
    }

    /// What the API says of a model: asked once a run, unless nothing answered. What is not known is not sent.
    pub(super) async fn described(&self, known: &Known, name: &str) -> Described {
        let asking = async || match self.server.ask(self.server.url(&["v1", "models", name]), None, WHAT_OF_ONE).await {
            Ok(Some(answer)) => Ok(Described::of(&answer)),
            Ok(None) | Err(Unanswered { reached: true, .. }) => Ok(Described::default()),
            Err(_) if known.unanswered.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_UNANSWERED => {
                Ok(Described::default())
            }
            Err(unanswered) => Err(unanswered),
        };
        known.described.get_or_try_init(asking).await.copied().unwrap_or_default()
    }

    async fn list(&self) -> Listed {
        let mut names = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.server.url(&["v1", "models"]);
            url.query_pairs_mut().append_pair("limit", PAGE);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after_id", after);
            }
            let Some(page) = self.server.ask(url.clone(), None, WHAT).await? else { return Ok(None) };
            let Some(models) = page["data"].as_array() else { return Err(self.server.no_list(&url)) };
            names.extend(models.iter().filter_map(|model| model["id"].as_str()).map(str::to_owned));
            let next = page["last_id"].as_str().filter(|_| page["has_more"] == true).map(str::to_owned);
            if next.is_none() || next == after {
                break;
            }
            after = next;
        }
        Ok(Some(names))
    }
}
