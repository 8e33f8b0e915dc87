use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Body;
use tokio_util::sync::CancellationToken;

use super::super::error::{ModelError, ModelErrorKind};
use super::super::http::{Failed, Refusal, Unanswered, Watch, watching};
use super::super::limits::{FactSource, Limits};
use super::super::model::Model;
use super::super::probe::Probe;
use super::super::retry::AttemptError;
use super::super::turn::{Retry, Turn, TurnProgress, TurnRequest};
use super::answer::{Answer, Asked};
use super::client::{Halved, Known, OllamaClient};
use super::cut_prompts::{Cut, estimated};
use super::list::lacks_tools;
use super::refusal::{Meaning, meaning};
use super::request;
use super::shown::Shown;
use crate::contracts::Usage;
use crate::text::{cut, safe_line};

/// One model of an Ollama.
#[derive(Debug, Clone)]
pub(super) struct Ollama {
    client: Arc<OllamaClient>,
    known: Arc<Known>,
    name: String,
    id: String,
}

/// What one attempt sent.
#[derive(Debug, Clone, Copy)]
struct Sent<'a> {
    request: &'a TurnRequest,
    shown: &'a Shown,
    /// The context that it asked for, in tokens.
    context: u64,
    /// Whether it said how to think.
    says_think: bool,
}

/// The most of Ollama's own words that a message quotes.
const LONGEST_QUOTE: usize = 300;

/// Whether a model's name says that it runs in Ollama's cloud.
pub(super) fn is_cloud_name(name: &str) -> bool {
    name.ends_with("-cloud") || name.ends_with(":cloud")
}

impl Ollama {
    pub(super) fn new(client: &Arc<OllamaClient>, name: &str) -> Self {
        let known = client.known(name);
        Self { client: Arc::clone(client), known, id: format!("ollama:{name}"), name: name.to_owned() }
    }

    /// Whether it runs in Ollama's cloud, on the user's account there. Names say so: `gpt-oss:120b-cloud`.
    fn is_in_cloud(&self) -> bool {
        is_cloud_name(&self.name) || self.client.server.endpoint.host == "ollama.com"
    }

    /// "Ollama at 127.0.0.1:11434"
    fn place(&self) -> String {
        format!("Ollama at {}", self.client.server.endpoint.host)
    }

    async fn attempt(&self, request: &TurnRequest, watch: &Watch<'_>) -> Result<Turn, AttemptError> {
        let server = &self.client.server;
        let shown =
            self.client.shown(&self.known, &self.name).await.map_err(|unanswered| self.unanswered(unanswered))?;
        let context = self.client.context(&self.known, shown, &self.name);
        let think = shown.think(self.client.efforts.of(request.tier)).filter(|_| !self.known.refuses_think());
        let sent = Sent { request, shown, context, says_think: think.is_some() };
        let body = Body::from(request::body(&self.name, request, context, think));
        let asked = Asked {
            model: self.name.clone(),
            catalog: Arc::clone(&self.client.catalog),
            is_in_cloud: self.is_in_cloud(),
            context,
        };
        let answered = server.post(server.url(&["api", "chat"]), &self.name, body, Answer::of(asked), watch).await;
        let answer = answered.map_err(|failed| self.explained(failed, &sent))?;
        let cut = self.client.prompts.look(&self.name, request, answer.read(), context).filter(|_| !self.is_in_cloud());
        let turn = answer.finish();
        match cut {
            None => Ok(turn),
            Some(cut) => {
                let failed = finally(ModelErrorKind::Request, self.was_cut(cut, shown, context), "a cut prompt");
                Err(AttemptError { error: failed.error.with_usage(turn.usage), ..failed })
            }
        }
    }

    fn unanswered(&self, unanswered: Unanswered) -> AttemptError {
        let reason =
            if unanswered.error.message.contains("did not answer") { "no answer in time" } else { "no connection" };
        let error = self.client.not_running(unanswered).error;
        AttemptError { retry_after: None, ..again(error, reason.to_owned()) }
    }

    /// A failed attempt, in words that say what to do with Ollama.
    fn explained(&self, failed: Failed, sent: &Sent<'_>) -> AttemptError {
        let Sent { shown, context, says_think, .. } = *sent;
        let mut attempt = failed.attempt;
        let Some(refusal) = &failed.refusal else {
            if attempt.reason.starts_with("no connection") {
                attempt.error.message = self.client.with_start(&attempt.error.message);
            }
            return attempt;
        };
        let said = quoted(refusal);
        match meaning(refusal) {
            Meaning::NotPulled => finally(ModelErrorKind::Settings, self.not_pulled(&said), "not pulled (404)"),
            Meaning::NoTools => finally(ModelErrorKind::Settings, lacks_tools(&self.name), "it calls no tools (400)"),
            Meaning::NoThinking if says_think => {
                self.known.leave_out_think();
                again(attempt.error, "it refuses `think` (400), which is left out from now on".to_owned())
            }
            Meaning::TooLittleMemory => self.too_little_memory(attempt.error, &said, sent),
            Meaning::TooLong(tokens) => {
                let has = tokens.map(|tokens| format!(": it has {tokens}")).unwrap_or_default();
                let message = format!(
                    "The prompt does not fit the context of {context} tokens that {} has for {}{has}. {}",
                    self.place(),
                    self.name,
                    self.remedy(tokens, shown, context)
                );
                finally(ModelErrorKind::ContextWindow, message, "too long")
            }
            Meaning::NotSignedIn => {
                let message = format!(
                    "{} wants an account for {}{said}. Run `ollama signin` where it runs, or choose a model that runs \
                     there itself (models.*, OLLAMA_MODEL).",
                    self.place(),
                    self.name
                );
                finally(ModelErrorKind::Auth, message, "not signed in")
            }
            Meaning::NoThinking | Meaning::Other => attempt,
        }
    }

    fn not_pulled(&self, said: &str) -> String {
        let or_choose = "name one that it has (models.*, OLLAMA_MODEL)";
        match self.how_to_get() {
            Some(get) => format!("{} has no model {:?} (404){said}. {get}, or {or_choose}.", self.place(), self.name),
            None => format!("{} has no model {:?} (404){said}. To go on, {or_choose}.", self.place(), self.name),
        }
    }

    /// Half of the context once; then it is the user's to decide.
    fn too_little_memory(&self, error: ModelError, said: &str, sent: &Sent<'_>) -> AttemptError {
        let Sent { request, shown, context, .. } = *sent;
        let halved = self.known.halve();
        let half = self.client.context(&self.known, shown, &self.name);
        // Another task may have halved it while this one was asking.
        if halved == Halved::Now || half < context {
            let reason = format!("too little memory for a context of {context} tokens, so one of {half} is asked for");
            tracing::warn!("{}: {reason}", self.place());
            if estimated(request) > half {
                let message = format!(
                    "{} has too little memory for a context of {context} tokens for {}, and the prompt does not fit one of \
                     {half}. {}",
                    self.place(),
                    self.name,
                    self.remedy(None, shown, half)
                );
                return finally(ModelErrorKind::ContextWindow, message, &reason);
            }
            return again(error, reason);
        }
        let message = format!(
            "{} has too little memory for {}, with a context of {context} tokens too{said}. Free memory, or choose a smaller \
             model (models.*, OLLAMA_MODEL).",
            self.place(),
            self.name
        );
        finally(ModelErrorKind::Request, message, "too little memory")
    }

    /// What people are told where a halved context has no room for the prompt: the conversation begins anew, with less.
    fn begins_anew(&self) -> TurnProgress {
        let again = Retry {
            provider: self.client.server.endpoint.provider(),
            reason: "too little memory, so half of the context is asked for, and less is sent".to_owned(),
            attempt: 2,
            most: None,
            is_overload: false,
        };
        TurnProgress::Retry { again, wait: Duration::ZERO, lost: Usage::default() }
    }

    fn was_cut(&self, cut: Cut, shown: &Shown, context: u64) -> String {
        let Cut { sent, read } = cut;
        let part = if sent > read { format!(": {read} tokens of about {sent} were read") } else { String::new() };
        format!(
            "{} cut the prompt to fit the context of {context} tokens that it has for {}{part}. The answer was not used. {}",
            self.place(),
            self.name,
            self.remedy(Some(sent), shown, context)
        )
    }

    /// What helps a prompt of so many tokens that does not fit.
    fn remedy(&self, tokens: Option<u64>, shown: &Shown, context: u64) -> String {
        let most = shown.context.unwrap_or(u64::MAX);
        if self.known.is_halved() {
            return "The context was halved for lack of memory: more memory, a smaller model (models.*, OLLAMA_MODEL) or a \
                    smaller task may do better."
                .to_owned();
        }
        if most <= context {
            return "The model has no larger one: another model (models.*, OLLAMA_MODEL) or a smaller task may do better."
                .to_owned();
        }
        // With some room for the answer and for what is still to come.
        let wanted = tokens.unwrap_or(context).saturating_mul(5) / 4;
        let window = wanted.max(context + 1).checked_next_power_of_two().unwrap_or(most).min(most);
        format!(
            "Where there is memory for more, write in your own baton/config.toml: [[model_facts]] name = {:?} window = \
             {window} (each on a line of its own). A smaller task may do too.",
            self.id
        )
    }
}

#[async_trait]
impl Model for Ollama {
    fn id(&self) -> &str {
        &self.id
    }

    fn account(&self) -> String {
        let place = self.place();
        if self.is_in_cloud() {
            return format!("{place}, {} in Ollama's cloud, on your account there", self.name);
        }
        let local = if self.client.address.is_local() { "local, " } else { "" };
        let cost = if self.client.catalog.price(&self.id).is_nothing() { "no cost" } else { "at your own price" };
        format!("{place}, {local}{cost}")
    }

    fn host(&self) -> Option<String> {
        Some(self.client.server.endpoint.host.clone())
    }

    fn address_fault(&self) -> Option<String> {
        self.client.address.fault()
    }

    async fn probe(&self) -> Probe {
        self.client.probe(&self.name).await
    }

    fn tells_window(&self) -> bool {
        true
    }

    /// Its window is the context that each request asks for.
    async fn limits(&self) -> Limits {
        let found = match self.client.shown(&self.known, &self.name).await {
            Ok(shown) => {
                let (tokens, from) = self.client.context_from(&self.known, shown, &self.name);
                Limits { window: Some(tokens), max_output: None, window_from: FactSource::NumCtx(from) }
            }
            Err(_) => Limits::default(),
        };
        self.client.catalog.limits(&self.id, found)
    }

    fn how_to_get(&self) -> Option<String> {
        can_be_pasted(&self.name).then(|| format!("Get it with `ollama pull {}`", self.name))
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        let _place = match self.client.places.try_acquire() {
            Ok(place) => Some(place),
            Err(_) => tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(ModelError::cancelled()),
                place = self.client.places.acquire() => {
                    progress(TurnProgress::Asking { provider: self.client.server.endpoint.provider(), again: None });
                    place.ok()
                }
            },
        };
        let was_halved = self.known.is_halved();
        let taken = watching(progress, async |watch| {
            self.client.server.with_retries(cancel, progress, || self.attempt(request, watch)).await
        })
        .await;
        if let Err(error) = &taken
            && error.kind == ModelErrorKind::ContextWindow
            && !was_halved
            && self.known.is_halved()
        {
            progress(self.begins_anew());
        }
        let (mut turn, lost) = taken?;
        turn.usage += lost;
        Ok(turn)
    }
}

/// Whether a model's name may stand in a command for a shell: a workspace may have named it.
fn can_be_pasted(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
    !name.starts_with('-') && name.chars().all(is_plain)
}

/// Ollama's own words, to be put behind ours: `: "…"`, or nothing.
fn quoted(refusal: &Refusal) -> String {
    let words = safe_line(&refusal.body.message);
    let said = cut(words.trim_end_matches('.'), LONGEST_QUOTE);
    if said.is_empty() { String::new() } else { format!(": \"{said}\"") }
}

/// At once, for what is asked for is another thing.
fn again(error: ModelError, reason: String) -> AttemptError {
    let error = ModelError { kind: ModelErrorKind::Unavailable, ..error };
    AttemptError { error, reason, retryable: true, overloaded: false, retry_after: Some(Duration::ZERO) }
}

fn finally(kind: ModelErrorKind, message: String, reason: &str) -> AttemptError {
    let error = ModelError::new(kind, message);
    AttemptError { error, reason: reason.to_owned(), retryable: false, overloaded: false, retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_name_stands_in_a_command() {
        for name in ["qwen3", "qwen2.5-coder:7b", "hf.co/someone/a_model:Q4_K_M"] {
            assert!(can_be_pasted(name), "{name}");
        }
        for name in ["a; rm -rf ~", "$(id)", "a`b", "a b", "--insecure", "a\nb", "é"] {
            assert!(!can_be_pasted(name), "{name}");
        }
    }
}
