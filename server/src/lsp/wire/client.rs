//! The client at the other end of the connection: notifications to it, and requests with their answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::{notification, request};

use super::document_content;
use super::words::CommandNames;
use crate::contracts::safe_values;

/// Cheap to clone. Nothing here waits for the client to read: messages queue up in the order they are sent.
///
/// Every text that leaves here is safe to show ([`safe_values`]), but for what no person is shown
/// ([`Client::request_unchanged`]) and the texts of documents, which an editor compares with files ([`Client::send_document`]).
///
/// It replaces `tower_lsp::Client`, which panics when the answer to an abandoned request arrives.
#[derive(Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    out: mpsc::UnboundedSender<Outgoing>,
    next_id: AtomicI64,
    pending: Mutex<HashMap<i64, oneshot::Sender<Result<Value, Refusal>>>>,
    gone: CancellationToken,
    /// Fired when the client's process has ended, even if the connection is still open.
    process_ended: CancellationToken,
    /// How it names the server's commands.
    names: OnceLock<CommandNames>,
    /// Whether it takes the server's documents ([`document_content`]).
    takes_documents: AtomicBool,
}

/// An item of the queue to the client.
pub(crate) enum Outgoing {
    /// A JSON-RPC message.
    Message(Vec<u8>),
    /// The end of the queue.
    Last,
}

/// The client's error instead of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// JSON-RPC's code.
    pub(crate) code: i64,
    /// The client's message.
    pub(crate) message: String,
    /// Structured data of the error.
    pub(crate) data: Option<Value>,
}

/// Why a request to the client has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The client refused, or does not know the request.
    #[error("the editor refused: {} ({})", .0.message, .0.code)]
    Refused(Refusal),
    /// The answer is not what the protocol says.
    #[error("the editor's answer is not understood: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The client left.
    #[error("the editor is gone")]
    Gone,
}

impl Client {
    /// A client, and the queue of the messages to it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Outgoing>) {
        let (out, queue) = mpsc::unbounded_channel();
        let (gone, process_ended) = (CancellationToken::new(), CancellationToken::new());
        let (next_id, pending) = (AtomicI64::new(1), Mutex::default());
        let (names, takes_documents) = (OnceLock::new(), AtomicBool::new(false));
        let inner = Inner { out, next_id, pending, gone, process_ended, names, takes_documents };
        (Self { inner: Arc::new(inner) }, queue)
    }

    /// Set how it names the server's commands; the first time counts.
    pub(crate) fn set_names(&self, names: CommandNames) {
        drop(self.inner.names.set(names));
    }

    /// Read what it announces, and `lsp-types` does not know, from the params of its `initialize`.
    pub(crate) fn read_initialize(&self, params: Option<&Value>) {
        self.inner.takes_documents.store(document_content::is_supported(params), Ordering::Relaxed);
    }

    /// Whether it takes the registration of the server's documents.
    pub(crate) fn takes_documents(&self) -> bool {
        self.inner.takes_documents.load(Ordering::Relaxed)
    }

    /// A message with the commands as it names them.
    pub(crate) fn in_its_words(&self, text: &str) -> String {
        match self.inner.names.get() {
            Some(names) => names.in_editor_words(text).into_owned(),
            None => CommandNames::default().in_editor_words(text).into_owned(),
        }
    }

    /// Send a notification. It is queued when this returns.
    pub(crate) fn notify<N: notification::Notification>(&self, params: N::Params) {
        self.send(json!({ "jsonrpc": "2.0", "method": N::METHOD, "params": params }));
    }

    /// Send a request and wait for the answer, without a timeout.
    ///
    /// Cancel safe: when the future is dropped, the request is cancelled by `$/cancelRequest`, and a late answer is ignored.
    ///
    /// # Errors
    /// When the client refuses, answers nonsense, or leaves.
    pub(crate) async fn request<R: request::Request>(&self, params: R::Params) -> Result<R::Result, RequestError> {
        self.ask::<R>(safe_values(serde_json::to_value(params)?)).await
    }

    /// [`Client::request`] with its parameters byte for byte: for what a model is sent.
    ///
    /// # Errors
    /// As [`Client::request`].
    pub(crate) async fn request_unchanged<R: request::Request>(
        &self,
        params: R::Params,
    ) -> Result<R::Result, RequestError> {
        self.ask::<R>(serde_json::to_value(params)?).await
    }

    async fn ask<R: request::Request>(&self, params: Value) -> Result<R::Result, RequestError> {
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, mut answered) = oneshot::channel();
        self.pending().insert(id, answer);
        let _withdrawn_on_drop = Withdraw { client: self, id };
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": R::METHOD });
        // JSON-RPC has params that are an array or an object, or none.
        if !params.is_null() {
            message["params"] = params;
        }
        self.queue(&message);
        let answer = tokio::select! {
            biased;
            answer = &mut answered => answer.map_err(|_| RequestError::Gone)?,
            () = self.inner.gone.cancelled() => return Err(RequestError::Gone),
        };
        Ok(serde_json::from_value(answer.map_err(RequestError::Refused)?)?)
    }

    /// Returns when the client has left, or is about to: work that is done for it alone may stop.
    pub(crate) async fn gone(&self) {
        self.inner.gone.cancelled().await;
    }

    /// Queue the answer that holds a document's text, byte for byte.
    pub(crate) fn send_document<T: Serialize>(&self, answer: T) {
        match serde_json::to_value(answer) {
            Ok(answer) => self.queue(&answer),
            Err(error) => tracing::error!(%error, "a document cannot be written as JSON"),
        }
    }

    /// Queue a JSON-RPC message of which every text is made safe to show.
    pub(crate) fn send<T: Serialize>(&self, message: T) {
        match serde_json::to_value(message) {
            Ok(mut message) => {
                for part in ["params", "result", "error"] {
                    if let Some(part) = message.get_mut(part) {
                        *part = safe_values(part.take());
                    }
                }
                self.queue(&message);
            }
            Err(error) => tracing::error!(%error, "a message to the editor cannot be written as JSON"),
        }
    }

    fn queue(&self, message: &Value) {
        match serde_json::to_vec(message) {
            // The queue is closed only when the connection has ended.
            Ok(bytes) => drop(self.inner.out.send(Outgoing::Message(bytes))),
            Err(error) => tracing::error!(%error, "a message to the editor cannot be written as JSON"),
        }
    }

    /// Complete a pending request.
    pub(crate) fn answer(&self, id: i64, answer: Result<Value, Refusal>) {
        let pending = self.pending().remove(&id);
        match pending {
            // The future may have just been dropped.
            Some(waiting) => drop(waiting.send(answer)),
            None => tracing::debug!(id, "an answer to a request that is not pending"),
        }
    }

    /// The client left: pending requests end.
    pub(crate) fn leave(&self) {
        self.inner.gone.cancel();
    }

    /// The client's process has ended.
    pub(crate) fn set_process_ended(&self) {
        self.inner.process_ended.cancel();
    }

    /// Returns when the client's process has ended.
    pub(crate) async fn process_ended(&self) {
        self.inner.process_ended.cancelled().await;
    }

    /// End the queue: nothing more is sent.
    pub(crate) fn finish(&self) {
        drop(self.inner.out.send(Outgoing::Last));
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is whole.
    fn pending(&self) -> MutexGuard<'_, HashMap<i64, oneshot::Sender<Result<Value, Refusal>>>> {
        self.inner.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Cancels a request on drop, unless it was answered.
struct Withdraw<'a> {
    client: &'a Client,
    id: i64,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        let unanswered = self.client.pending().remove(&self.id).is_some();
        if unanswered && !self.client.inner.gone.is_cancelled() {
            self.client.send(json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": self.id } }));
        }
    }
}
