use std::borrow::Cow;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::error::ModelError;
use super::limits::Limits;
use super::probe::Probe;
use super::turn::{Turn, TurnProgress, TurnRequest};

/// One model of one provider.
#[async_trait]
pub trait Model: Send + Sync {
    /// `provider:name`.
    fn id(&self) -> &str;

    /// Whose models these are and on whose account: "Anthropic API, key from ANTHROPIC_API_KEY".
    fn account(&self) -> String;

    /// The host that is asked, with its port where that is an unusual one; `None` where no network is used.
    fn host(&self) -> Option<String> {
        None
    }

    /// What is wrong with the address that the user gave, where another is asked than the one that was meant: a sentence.
    fn address_fault(&self) -> Option<String> {
        None
    }

    /// Ask the provider whether it has this model, in a few short requests that cost nothing.
    async fn probe(&self) -> Probe {
        Probe::NotNeeded
    }

    /// What a person does to get a model that its server has not got: "Get it with `…`". `None` where that is nothing to do
    /// at a terminal.
    fn how_to_get(&self) -> Option<String> {
        None
    }

    /// Whether a run says at its beginning how large its window is: where that depends on a server or on settings.
    fn tells_window(&self) -> bool {
        false
    }

    /// What it takes in one request. A server may be asked for it, once; what is not known is left open.
    async fn limits(&self) -> Limits {
        Limits::default()
    }

    /// Whether it has an answer to a conversation. A recorded run may have none: what is sent back to it is never mended.
    fn can_answer(&self, _request: &TurnRequest) -> bool {
        true
    }

    /// A text that this model is to be given, with masks for the keys in use.
    fn masked<'a>(&self, text: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(text)
    }

    /// Take one turn. Retries and throttling happen inside; `progress` reports them.
    ///
    /// # Errors
    /// When the turn failed after all retries or `cancel` fired. A cancelled turn sends nothing more.
    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError>;
}
