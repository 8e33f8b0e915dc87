use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::{OnceCell, Semaphore};

use super::super::catalog::Catalog;
use super::super::effort::Efforts;
use super::super::http::{Api, Server, Unanswered};
use super::super::limits::NumCtx;
use super::address::{Address, DEFAULT, VARIABLE};
use super::cut_prompts::CutPrompts;
use super::shown::Shown;

/// What messages call it.
pub(super) static API: Api = Api {
    name: "Ollama",
    lacking: "Ollama at its /api/chat",
    variable: VARIABLE,
    default_address: DEFAULT,
    own_ends: &["/v1/chat/completions", "/api/chat", "/api/generate", "/api/tags", "/api", "/v1"],
    foreign_ends: &["/v1/messages"],
};

/// The largest context that is asked for where the user says nothing: a larger one needs more memory than most have.
const USUAL_CONTEXT: u64 = 32_768;

/// One client for all models of an Ollama.
#[derive(Debug)]
pub(super) struct OllamaClient {
    pub(super) server: Server,
    pub(super) address: Address,
    pub(super) catalog: Arc<Catalog>,
    pub(super) efforts: Efforts,
    /// Requests that it works on at once. More would wait there, until it took too long for an answer to begin.
    pub(super) places: Semaphore,
    pub(super) prompts: CutPrompts,
    /// The names of its models, once they were asked for.
    pub(super) listed: OnceCell<Result<Vec<String>, Unanswered>>,
    known: Mutex<HashMap<String, Arc<Known>>>,
}

/// What a run has learnt of one model.
#[derive(Debug, Default)]
pub(super) struct Known {
    shown: OnceCell<Shown>,
    /// Whether its context was halved for lack of memory.
    is_halved: AtomicBool,
    /// Whether it refused to be told how to think.
    refuses_think: AtomicBool,
}

/// What came of a lack of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halved {
    /// The context is half of what was asked for, from now on.
    Now,
    /// It was halved before.
    Before,
}

impl OllamaClient {
    pub(super) fn new(
        server: Server,
        address: Address,
        catalog: Arc<Catalog>,
        efforts: Efforts,
        places: usize,
    ) -> Self {
        Self {
            server,
            address,
            catalog,
            efforts,
            places: Semaphore::new(places.max(1)),
            prompts: CutPrompts::default(),
            listed: OnceCell::new(),
            known: Mutex::default(),
        }
    }

    /// What is known of the model of this name.
    pub(super) fn known(&self, name: &str) -> Arc<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(name.to_owned()).or_default())
    }

    /// What Ollama shows of a model: asked once. One that it does not show is like one of which it says nothing.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn shown<'a>(&self, known: &'a Known, name: &str) -> Result<&'a Shown, Unanswered> {
        let asking = async || {
            let body = json!({ "model": name });
            match self.server.ask(self.server.url(&["api", "show"]), Some(&body), "what it knows of the model").await {
                Ok(Some(answer)) => Ok(Shown::of(name, &answer)),
                Ok(None) => Ok(Shown::default()),
                Err(Unanswered { reached: true, .. }) => Ok(Shown::default()),
                Err(unanswered) => Err(unanswered),
            }
        };
        known.shown.get_or_try_init(asking).await
    }

    /// Tokens of the context that each request for this model asks for, which is its window: the same for a whole run, unless
    /// the memory does not suffice.
    pub(super) fn context(&self, known: &Known, shown: &Shown, name: &str) -> u64 {
        self.context_from(known, shown, name).0
    }

    /// The same, with where it is from.
    pub(super) fn context_from(&self, known: &Known, shown: &Shown, name: &str) -> (u64, NumCtx) {
        let own = self.catalog.own(&format!("ollama:{name}")).and_then(|facts| facts.window);
        let (whole, from) = match (own, shown.context) {
            (Some(own), _) => (own, NumCtx::User),
            (None, Some(limit)) if limit <= USUAL_CONTEXT => (limit, NumCtx::Model),
            (None, _) => (USUAL_CONTEXT, NumCtx::Usual),
        };
        if known.is_halved() { ((whole / 2).max(1), NumCtx::Halved) } else { (whole, from) }
    }
}

impl Known {
    pub(super) fn is_halved(&self) -> bool {
        self.is_halved.load(Ordering::Relaxed)
    }

    /// Ask for half of the context from now on, where that was not done yet.
    pub(super) fn halve(&self) -> Halved {
        if self.is_halved.swap(true, Ordering::Relaxed) { Halved::Before } else { Halved::Now }
    }

    pub(super) fn refuses_think(&self) -> bool {
        self.refuses_think.load(Ordering::Relaxed)
    }

    /// Say nothing more of thinking. Returns whether something was said so far.
    pub(super) fn leave_out_think(&self) -> bool {
        !self.refuses_think.swap(true, Ordering::Relaxed)
    }
}
