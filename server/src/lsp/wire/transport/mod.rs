//! Serves a connection, and works around the traps of `tower-lsp` 0.20, so that no other module has to know them.
//!
//! Only the types and the routing of `tower-lsp` are used: its own `Server` runs all handlers in one task, a few at a
//! time, ends on a handler's panic or a malformed frame, and keeps running after `exit` while standard input is open.
//! [`serve`] replaces it:
//! - Every request runs in a task of its own. Notifications and `initialize` run one after the other, in their order.
//! - A request whose handler panics is answered with InternalError.
//! - Answers of the client never wait for a handler, so that any handler may send requests to the client.
//! - A request that the server does not know is answered with `null` where the protocol has that for "nothing".
//! - A message that is no JSON-RPC is answered with an error, and the next one is read. Only a malformed header ends the
//!   connection, since the start of the next message cannot be known.
//! - `exit`, the end of standard input, a closed standard output and the end of the client's process end the connection
//!   at once.

use std::io;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tower_lsp::jsonrpc::{Error, ErrorCode, Id, Request, Response};
use tower_lsp::{LanguageServer, LspService};
use tower_service::Service;

use super::client::{Client, Outgoing, Refusal};
use super::document_content;
use super::framing::{Frame, FramingError, frame, read_frame};
use super::unadvertised::is_answered_with_nothing;

/// How long handlers may still run, and queued messages may still be written, once the connection ends.
const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// How a connection ended.
#[derive(Debug)]
pub(crate) struct ConnectionEnd {
    /// Whether the client had asked to shut down before.
    pub(crate) after_shutdown: bool,
    /// What ended it.
    pub(crate) cause: Cause,
}

/// What ended a connection.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The notification `exit`.
    Exit,
    /// The client closed its end.
    Closed,
    /// The client's process ended, and something else holds the connection open.
    ProcessEnded,
    /// The input cannot be read any further.
    Unreadable(FramingError),
    /// Output can no longer be written.
    WriteFailed(io::Error),
    /// The task that dispatches messages failed.
    DispatcherFailed,
}

impl ConnectionEnd {
    /// The exit code of the process: 0 after `shutdown`, 1 otherwise, as the specification of `exit` says.
    pub(crate) fn code(&self) -> u8 {
        match self.cause {
            Cause::Exit | Cause::Closed | Cause::ProcessEnded if self.after_shutdown => 0,
            _ => 1,
        }
    }

    /// The reason for the log; `None` for an ordinary end.
    pub(crate) fn reason(&self) -> Option<String> {
        match &self.cause {
            Cause::Exit => None,
            Cause::Closed | Cause::ProcessEnded if self.after_shutdown => None,
            Cause::ProcessEnded => Some("the editor's process has ended".to_owned()),
            Cause::Closed => Some("the editor closed the connection".to_owned()),
            Cause::Unreadable(error) => Some(error.to_string()),
            Cause::WriteFailed(error) => Some(format!("the editor does not listen any more: {error}")),
            Cause::DispatcherFailed => Some("an internal error; please report it".to_owned()),
        }
    }
}

/// Serve one client until it leaves. [`Client::gone`] returns as soon as it does; up to two [`GRACE_PERIOD`]s later this
/// returns too.
pub(crate) async fn serve<S, I, O>(stdin: I, stdout: O, build: impl FnOnce(Client) -> LspService<S>) -> ConnectionEnd
where
    S: LanguageServer,
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin + Send + 'static,
{
    let (client, queue) = Client::new();
    let service = build(client.clone());
    let (requests, incoming) = mpsc::unbounded_channel();
    let mut writer = tokio::spawn(write(stdout, queue));
    let mut dispatcher = tokio::spawn(dispatch(service, incoming, client.clone()));
    let mut reader = Reader { client: client.clone(), requests, shutdown: false };
    let mut stdin = BufReader::new(stdin);
    let cause = tokio::select! {
        cause = reader.read(&mut stdin) => cause,
        written = &mut writer => Cause::WriteFailed(written.map_or_else(io::Error::from, write_error)),
        _ = &mut dispatcher => Cause::DispatcherFailed,
        () = client.process_ended() => Cause::ProcessEnded,
    };
    client.leave();
    let end = ConnectionEnd { after_shutdown: reader.shutdown, cause };
    // Requests before the end are still handled and answered: dropping the reader ends their queue.
    drop(reader);
    finish(&end.cause, &client, dispatcher, writer).await;
    end
}

fn write_error(written: io::Result<()>) -> io::Error {
    written.err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
}

async fn finish(
    cause: &Cause,
    client: &Client,
    mut dispatcher: JoinHandle<()>,
    mut writer: JoinHandle<io::Result<()>>,
) {
    if !matches!(cause, Cause::DispatcherFailed) && tokio::time::timeout(GRACE_PERIOD, &mut dispatcher).await.is_err() {
        tracing::warn!("some requests were still running when the editor left");
        dispatcher.abort();
    }
    client.finish();
    if !matches!(cause, Cause::WriteFailed(_)) && tokio::time::timeout(GRACE_PERIOD, &mut writer).await.is_err() {
        writer.abort();
    }
}

/// Reads the client's messages.
struct Reader {
    client: Client,
    requests: mpsc::UnboundedSender<Request>,
    shutdown: bool,
}

/// One message of the client.
#[derive(Debug, PartialEq)]
enum Incoming {
    /// A request or a notification.
    Request(Request),
    /// The answer to a request of the server's.
    Answer(i64, Result<Value, Refusal>),
}

/// Why a message is malformed, and the id to answer under.
#[derive(Debug, PartialEq)]
struct Malformed {
    id: Value,
    code: ErrorCode,
    message: String,
}

impl Reader {
    async fn read<R: AsyncBufRead + Unpin>(&mut self, stdin: &mut R) -> Cause {
        loop {
            let message = match read_frame(stdin).await {
                Ok(Some(Frame::Body(body))) => parse(&body),
                Ok(Some(Frame::TooLarge(bytes))) => Err(not_json(format!("{bytes} bytes are more than a message has"))),
                Ok(None) => return Cause::Closed,
                Err(error) => {
                    if matches!(error, FramingError::Header(_)) {
                        self.refuse(not_json(error.to_string()));
                    }
                    return Cause::Unreadable(error);
                }
            };
            match message {
                Ok(Incoming::Request(request)) if request.method() == "exit" => return Cause::Exit,
                Ok(Incoming::Request(request)) => {
                    self.shutdown |= request.method() == "shutdown" && request.id().is_some();
                    // The receiver is dropped only when the connection ends.
                    drop(self.requests.send(request));
                }
                Ok(Incoming::Answer(id, answer)) => self.client.answer(id, answer),
                Err(malformed) => self.refuse(malformed),
            }
        }
    }

    fn refuse(&self, malformed: Malformed) {
        let Malformed { id, code, message } = malformed;
        tracing::warn!(%message, "a message of the editor is not understood");
        self.client.send(json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code.code(), "message": message } }));
    }
}

fn parse(body: &[u8]) -> Result<Incoming, Malformed> {
    let message: Value = serde_json::from_slice(body).map_err(|error| not_json(error.to_string()))?;
    let invalid = |id: &Value, message: &str| {
        // Any other id would answer a request that was never sent.
        let id = if id.is_string() || id.is_i64() { id.clone() } else { Value::Null };
        Malformed { id, code: ErrorCode::InvalidRequest, message: message.to_owned() }
    };
    let Value::Object(mut message) = message else {
        return Err(invalid(&Value::Null, "a message is a JSON object; batches are not part of the protocol"));
    };
    let id = message.shift_remove("id");
    let method = match message.shift_remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return Err(invalid(&id.unwrap_or_default(), "the method is not a string")),
        None => return answer(&id.unwrap_or_default(), message),
    };
    // tower-lsp refuses `shutdown` with parameters, also with the `null` that some clients send for none.
    let mut params = message.shift_remove("params").filter(|params| !params.is_null() && method != "shutdown");
    // `lsp-types` accepts a missing list of arguments, but not the `null` that some clients send for none.
    if let Some(Value::Object(params)) = &mut params
        && method == "workspace/executeCommand"
        && params.get("arguments").is_some_and(Value::is_null)
    {
        params.shift_remove("arguments");
    }
    let mut request = Request::build(method);
    if let Some(params) = params {
        request = request.params(params);
    }
    let request = match id {
        None => request,
        Some(Value::String(id)) => request.id(id),
        Some(id) => match id.as_i64() {
            Some(id) => request.id(id),
            None => return Err(invalid(&id, "the id is neither an integer nor a string")),
        },
    };
    Ok(Incoming::Request(request.finish()))
}

fn answer(id: &Value, mut message: serde_json::Map<String, Value>) -> Result<Incoming, Malformed> {
    let invalid = |message: &str| {
        Err(Malformed { id: Value::Null, code: ErrorCode::InvalidRequest, message: message.to_owned() })
    };
    // The server's own ids are integers.
    let Some(id) = id.as_i64() else { return invalid("a message has a method, or an id the server asked under") };
    match (message.shift_remove("error"), message.shift_remove("result")) {
        (Some(error), _) if !error.is_null() => {
            let message = error["message"].as_str().unwrap_or("no reason given").to_owned();
            let data = error.get("data").filter(|data| !data.is_null()).cloned();
            Ok(Incoming::Answer(id, Err(Refusal { code: error["code"].as_i64().unwrap_or_default(), message, data })))
        }
        (_, Some(result)) => Ok(Incoming::Answer(id, Ok(result))),
        (_, None) => invalid("an answer has a result or an error"),
    }
}

fn not_json(message: String) -> Malformed {
    Malformed { id: Value::Null, code: ErrorCode::ParseError, message: format!("Parse error: {message}") }
}

async fn dispatch<S: LanguageServer>(
    mut service: LspService<S>,
    mut incoming: mpsc::UnboundedReceiver<Request>,
    client: Client,
) {
    let mut running = JoinSet::new();
    while let Some(request) = incoming.recv().await {
        while running.try_join_next().is_some() {}
        let id = request.id().cloned();
        let in_order = id.is_none() || request.method() == "initialize";
        if request.method() == "initialize" {
            client.read_initialize(request.params());
        }
        let expected = Expected::of(request.method());
        // The service is always ready: nothing is called while `initialize` runs.
        let handled = handle(id, expected, service.call(request), client.clone());
        if in_order {
            handled.await;
        } else {
            running.spawn(handled);
        }
    }
    while running.join_next().await.is_some() {}
}

/// What is special about the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Expected {
    /// `null` where the server does not know the request.
    Nullable,
    /// The text of a document, which is not changed.
    Document,
    /// Nothing is.
    Ordinary,
}

impl Expected {
    fn of(method: &str) -> Self {
        match method {
            document_content::METHOD => Self::Document,
            method if is_answered_with_nothing(method) => Self::Nullable,
            _ => Self::Ordinary,
        }
    }
}

/// Handle a message and answer it.
async fn handle<E>(
    id: Option<Id>,
    expected: Expected,
    handler: impl Future<Output = Result<Option<Response>, E>>,
    client: Client,
) {
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(Ok(Some(response))) if expected == Expected::Nullable && is_unknown(&response) => {
            client.send(Response::from_ok(response.id().clone(), Value::Null));
        }
        Ok(Ok(Some(response))) if expected == Expected::Document && response.is_ok() => client.send_document(response),
        Ok(Ok(Some(response))) => client.send(response),
        // A notification, or a service that has ended.
        Ok(Ok(None) | Err(_)) => {}
        Err(_panic) => {
            tracing::error!("a handler panicked");
            if let Some(id) = id {
                let mut error = Error::internal_error();
                error.message = "Internal error; please report it".into();
                client.send(Response::from_error(id, error));
            }
        }
    }
}

fn is_unknown(response: &Response) -> bool {
    response.error().is_some_and(|error| error.code == ErrorCode::MethodNotFound)
}

async fn write<O: AsyncWrite + Unpin>(mut stdout: O, mut queue: mpsc::UnboundedReceiver<Outgoing>) -> io::Result<()> {
    while let Some(Outgoing::Message(body)) = queue.recv().await {
        stdout.write_all(&frame(&body)).await?;
        if queue.is_empty() {
            stdout.flush().await?;
        }
    }
    stdout.flush().await
}

#[cfg(test)]
mod tests;
