//! The editor at the other end: what the server tells and asks it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::{notification, request};

/// Cheap to clone. Nothing here waits for the client to read: messages queue up in the order they are sent.
///
/// It stands in for `tower_lsp::Client`, which ends the process when the answer to an abandoned request comes.
#[derive(Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    out: mpsc::UnboundedSender<Outgoing>,
    next_id: AtomicI64,
    asked: Mutex<HashMap<i64, oneshot::Sender<Result<Value, Refusal>>>>,
    gone: CancellationToken,
    /// Fired when the client's process has ended, whatever its end of the connection looks like.
    dead: CancellationToken,
}

/// What goes to the client next.
pub(crate) enum Outgoing {
    /// A JSON-RPC message.
    Message(Vec<u8>),
    /// Nothing more; whoever writes may stop.
    Last,
}

/// The client's error instead of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    /// JSON-RPC's code.
    pub(crate) code: i64,
    /// What the client says.
    pub(crate) message: String,
    /// What it says to programs.
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
    /// A client whose messages come out of the receiver.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Outgoing>) {
        let (out, queue) = mpsc::unbounded_channel();
        let (gone, dead) = (CancellationToken::new(), CancellationToken::new());
        let inner = Inner { out, next_id: AtomicI64::new(1), asked: Mutex::default(), gone, dead };
        (Self { inner: Arc::new(inner) }, queue)
    }

    /// Tell the client something. It is queued when this returns.
    pub(crate) fn notify<N: notification::Notification>(&self, params: N::Params) {
        self.send(&json!({ "jsonrpc": "2.0", "method": N::METHOD, "params": params }));
    }

    /// Ask the client something and wait for the answer, however long it takes.
    ///
    /// The future may be dropped at any moment: the request is then withdrawn by `$/cancelRequest`, and a late answer
    /// goes nowhere.
    ///
    /// # Errors
    /// When the client refuses, answers nonsense, or leaves.
    pub(crate) async fn request<R: request::Request>(&self, params: R::Params) -> Result<R::Result, RequestError> {
        let id = self.inner.next_id.fetch_add(1, Ordering::Relaxed);
        let (answer, mut answered) = oneshot::channel();
        self.asked().insert(id, answer);
        let _withdrawn_on_drop = Withdraw { client: self, id };
        let mut message = json!({ "jsonrpc": "2.0", "id": id, "method": R::METHOD });
        match serde_json::to_value(params)? {
            // JSON-RPC has params that are an array or an object, or none.
            Value::Null => {}
            params => message["params"] = params,
        }
        self.send(&message);
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

    /// Queue a JSON-RPC message.
    pub(crate) fn send<T: Serialize>(&self, message: &T) {
        match serde_json::to_vec(message) {
            // When nobody writes any more, nobody reads either.
            Ok(bytes) => drop(self.inner.out.send(Outgoing::Message(bytes))),
            Err(error) => tracing::error!(%error, "a message to the editor cannot be written as JSON"),
        }
    }

    /// Hand an answer to whoever asked.
    pub(crate) fn answer(&self, id: i64, answer: Result<Value, Refusal>) {
        match self.asked().remove(&id) {
            // Whoever asked may have just turned away.
            Some(asked) => drop(asked.send(answer)),
            None => tracing::debug!(id, "an answer to a request that nobody waits for"),
        }
    }

    /// The client left: nobody waits for its answers any longer.
    pub(crate) fn leave(&self) {
        self.inner.gone.cancel();
    }

    /// The client's process has ended.
    pub(crate) fn die(&self) {
        self.inner.dead.cancel();
    }

    /// Returns when it has.
    pub(crate) async fn dead(&self) {
        self.inner.dead.cancelled().await;
    }

    /// Nothing more will be sent.
    pub(crate) fn finish(&self) {
        drop(self.inner.out.send(Outgoing::Last));
    }

    /// A poisoned lock only means that a thread panicked; each change of the map is whole.
    fn asked(&self) -> MutexGuard<'_, HashMap<i64, oneshot::Sender<Result<Value, Refusal>>>> {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a request back unless it was answered.
struct Withdraw<'a> {
    client: &'a Client,
    id: i64,
}

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        let unanswered = self.client.asked().remove(&self.id).is_some();
        if unanswered && !self.client.inner.gone.is_cancelled() {
            self.client.send(&json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": self.id } }));
        }
    }
}
