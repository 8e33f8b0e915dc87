use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tower_lsp::jsonrpc::Result as RpcResult;
use tower_lsp::lsp_types::notification::LogMessage;
use tower_lsp::lsp_types::request::{ShowMessageRequest, WorkspaceFoldersRequest};
use tower_lsp::lsp_types::{
    InitializeParams, InitializeResult, InitializedParams, LogMessageParams, MessageType, ShowMessageRequestParams,
};

use super::*;

/// Longer than anything here takes and shorter than anyone waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server whose every method is a trap.
struct Traps {
    client: Client,
    noted: Mutex<Vec<i64>>,
    open: Notify,
    dropped: Arc<AtomicBool>,
}

#[tower_lsp::async_trait]
impl LanguageServer for Traps {
    async fn initialize(&self, _: InitializeParams) -> RpcResult<InitializeResult> {
        Ok(InitializeResult::default())
    }

    async fn initialized(&self, _: InitializedParams) {
        // A notification that needs an answer of the client before the next message is handled.
        let folders = self.client.request::<WorkspaceFoldersRequest>(()).await;
        self.noted.lock().unwrap().push(folders.unwrap().unwrap().len() as i64);
    }

    async fn shutdown(&self) -> RpcResult<()> {
        Ok(())
    }
}

impl Traps {
    async fn hang(&self) -> RpcResult<Value> {
        let _dropped = OnDrop(self.dropped.clone());
        pending().await
    }

    async fn panic(&self) -> RpcResult<Value> {
        panic!("on purpose")
    }

    async fn wait(&self) -> RpcResult<Value> {
        self.open.notified().await;
        Ok(json!("waited"))
    }

    async fn open(&self) -> RpcResult<Value> {
        self.open.notify_waiters();
        Ok(json!("opened"))
    }

    async fn note(&self, params: Value) {
        // Reversed by anything that runs notifications side by side: the earlier ones yield more often.
        let number = params["n"].as_i64().unwrap();
        for _ in number..20 {
            tokio::task::yield_now().await;
        }
        self.noted.lock().unwrap().push(number);
    }

    async fn note_panic(&self) {
        panic!("on purpose")
    }

    async fn noted(&self) -> RpcResult<Value> {
        Ok(json!(*self.noted.lock().unwrap()))
    }

    async fn abandon(&self) -> RpcResult<Value> {
        let params = ShowMessageRequestParams { typ: MessageType::INFO, message: "?".to_owned(), actions: None };
        let asked = self.client.request::<ShowMessageRequest>(params);
        tokio::select! {
            _ = asked => Ok(json!("answered")),
            () = self.open.notified() => Ok(json!("abandoned")),
        }
    }
}

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The editor's side of a connection. A message that no test has read fails the test.
struct Editor {
    stdin: Option<WriteHalf<DuplexStream>>,
    stdout: BufReader<ReadHalf<DuplexStream>>,
    end: JoinHandle<ConnectionEnd>,
    dropped: Arc<AtomicBool>,
    /// Told the server's own half of a client.
    client: Client,
}

impl Editor {
    /// A connection before `initialize`.
    fn connect() -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (far_in, far_out) = tokio::io::split(far);
        Self::on(near, far_in, far_out)
    }

    fn on<I, O>(near: DuplexStream, far_in: I, far_out: O) -> Self
    where
        I: AsyncRead + Unpin + Send + 'static,
        O: AsyncWrite + Unpin + Send + 'static,
    {
        let dropped = Arc::new(AtomicBool::new(false));
        let (told, hear) = std::sync::mpsc::channel();
        let in_server = dropped.clone();
        let build = move |client: Client| {
            told.send(client.clone()).unwrap();
            let traps = Traps { client, noted: Mutex::default(), open: Notify::new(), dropped: in_server };
            let (service, _socket) = LspService::build(|_| traps)
                .custom_method("hang", Traps::hang)
                .custom_method("panic", Traps::panic)
                .custom_method("wait", Traps::wait)
                .custom_method("open", Traps::open)
                .custom_method("note", Traps::note)
                .custom_method("notePanic", Traps::note_panic)
                .custom_method("noted", Traps::noted)
                .custom_method("abandon", Traps::abandon)
                .finish();
            service
        };
        let (stdout, stdin) = tokio::io::split(near);
        let mut serving = Box::pin(serve(far_in, far_out, build));
        // Runs it up to the building of the service.
        assert!(serving.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        let client = hear.try_recv().unwrap();
        let end = tokio::spawn(serving);
        Self { stdin: Some(stdin), stdout: BufReader::new(stdout), end, dropped, client }
    }

    /// A connection ready for use.
    async fn initialized() -> Self {
        let mut editor = Self::connect();
        editor.initialize().await;
        editor
    }

    async fn initialize(&mut self) {
        self.ask(0, "initialize", json!({ "capabilities": {} })).await;
        assert_eq!(self.hear().await["result"], json!({ "capabilities": {} }));
    }

    async fn send_raw(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).await.unwrap();
    }

    async fn send(&mut self, message: Value) {
        self.send_raw(&frame(message.to_string().as_bytes())).await;
    }

    async fn ask(&mut self, id: i64, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
    }

    async fn tell(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }

    /// The next message of the server.
    async fn hear(&mut self) -> Value {
        let frame = tokio::time::timeout(PATIENCE, read_frame(&mut self.stdout)).await.expect("a message in time");
        match frame.unwrap() {
            Some(Frame::Body(body)) => serde_json::from_slice(&body).unwrap(),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The end, with every message read.
    async fn ended(self) -> ConnectionEnd {
        let (end, unread) = self.ended_with().await;
        assert_eq!(unread, Vec::<Value>::new(), "messages nobody read");
        end
    }

    async fn ended_with(mut self) -> (ConnectionEnd, Vec<Value>) {
        let end = tokio::time::timeout(PATIENCE, &mut self.end).await.expect("an end in time").unwrap();
        let mut unread = Vec::new();
        while let Ok(Some(Frame::Body(body))) = read_frame(&mut self.stdout).await {
            unread.push(serde_json::from_slice(&body).unwrap());
        }
        (end, unread)
    }

    async fn exit(mut self) -> ConnectionEnd {
        self.tell("exit", Value::Null).await;
        self.ended().await
    }
}

#[tokio::test]
async fn exit_ends_with_0_after_shutdown_while_stdin_is_open() {
    let mut editor = Editor::initialized().await;
    editor.ask(1, "shutdown", Value::Null).await;
    assert_eq!(editor.hear().await, json!({ "jsonrpc": "2.0", "result": null, "id": 1 }));
    let end = editor.exit().await;
    assert!(matches!(end.cause, Cause::Exit));
    assert_eq!((end.code(), end.reason()), (0, None));
}

#[tokio::test]
async fn exit_without_shutdown_ends_with_1() {
    assert_eq!(Editor::initialized().await.exit().await.code(), 1);
    assert_eq!(Editor::connect().exit().await.code(), 1);
}

#[tokio::test]
async fn shutdown_and_exit_in_one_breath_are_both_answered() {
    let mut editor = Editor::initialized().await;
    editor.send(json!({ "jsonrpc": "2.0", "id": 1, "method": "shutdown" })).await;
    editor.tell("exit", Value::Null).await;
    let (end, unread) = editor.ended_with().await;
    assert_eq!((end.code(), unread), (0, vec![json!({ "jsonrpc": "2.0", "result": null, "id": 1 })]));
}

#[tokio::test(start_paused = true)]
async fn exit_waits_only_a_moment_for_a_handler_that_hangs() {
    let mut editor = Editor::initialized().await;
    editor.ask(1, "hang", Value::Null).await;
    let dropped = editor.dropped.clone();
    let asked = tokio::time::Instant::now();
    assert_eq!(editor.exit().await.code(), 1);
    assert!(asked.elapsed() <= GRACE_PERIOD * 2, "{:?}", asked.elapsed());
    tokio::task::yield_now().await;
    assert!(dropped.load(Ordering::SeqCst), "the handler was left running");
}

#[tokio::test]
async fn the_end_of_stdin_releases_those_who_wait_for_the_client() {
    let mut editor = Editor::initialized().await;
    let client = editor.client.clone();
    drop(editor.stdin.take());
    // The other half keeps the pipe open, so say that nothing more comes.
    let Editor { stdout, end, .. } = editor;
    drop(stdout);
    tokio::time::timeout(PATIENCE, client.gone()).await.expect("told in time");
    let end = tokio::time::timeout(PATIENCE, end).await.expect("an end in time").unwrap();
    assert_eq!((end.code(), end.reason().unwrap().as_str()), (1, "the editor closed the connection"));
    let refused = client.request::<WorkspaceFoldersRequest>(()).await;
    assert!(matches!(refused, Err(super::super::client::RequestError::Gone)));
}

#[tokio::test]
async fn what_was_asked_before_the_end_of_stdin_is_answered() {
    let (mut near, far) = tokio::io::duplex(1 << 20);
    let asked = [
        json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": { "capabilities": {} } }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "noted" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "shutdown" }),
    ];
    for message in &asked {
        near.write_all(&frame(message.to_string().as_bytes())).await.unwrap();
    }
    near.shutdown().await.unwrap();
    let (far_in, far_out) = tokio::io::split(far);
    let (end, unread) = Editor::on(near, far_in, far_out).ended_with().await;
    assert!(matches!(end.cause, Cause::Closed));
    assert_eq!((end.code(), end.reason()), (0, None));
    assert_eq!(unread.len(), 3);
}

#[tokio::test]
async fn shutdown_is_taken_with_any_parameters_or_none() {
    for params in [json!(null), json!({}), json!([])] {
        let mut editor = Editor::initialized().await;
        editor.ask(1, "shutdown", params).await;
        assert_eq!(editor.hear().await["result"], Value::Null);
        assert_eq!(editor.exit().await.code(), 0);
    }
}

#[tokio::test]
async fn a_panic_in_a_request_is_answered_and_the_server_lives_on() {
    let mut editor = Editor::initialized().await;
    editor.ask(1, "panic", Value::Null).await;
    let answer = editor.hear().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32603)));
    editor.tell("notePanic", Value::Null).await;
    editor.ask(2, "noted", Value::Null).await;
    assert_eq!(editor.hear().await["result"], json!([]));
    editor.exit().await;
}

#[tokio::test]
async fn a_handler_that_hangs_blocks_no_other_and_can_be_cancelled() {
    let mut editor = Editor::initialized().await;
    for id in 1..=200 {
        editor.ask(id, "hang", Value::Null).await;
    }
    editor.ask(201, "noted", Value::Null).await;
    assert_eq!(editor.hear().await["id"], 201);
    for id in 1..=200 {
        editor.tell("$/cancelRequest", json!({ "id": id })).await;
    }
    let mut cancelled = Vec::new();
    for _ in 1..=200 {
        let answer = editor.hear().await;
        assert_eq!(answer["error"]["code"], -32800);
        cancelled.push(answer["id"].as_i64().unwrap());
    }
    cancelled.sort_unstable();
    assert_eq!(cancelled, (1..=200).collect::<Vec<_>>());
    editor.exit().await;
}

#[tokio::test]
async fn requests_run_side_by_side() {
    let mut editor = Editor::initialized().await;
    editor.ask(1, "wait", Value::Null).await;
    editor.ask(2, "open", Value::Null).await;
    let answers = [editor.hear().await["id"].clone(), editor.hear().await["id"].clone()];
    assert_eq!(answers, [json!(2), json!(1)]);
    editor.exit().await;
}

#[tokio::test]
async fn notifications_keep_their_order_and_a_request_sees_those_before_it() {
    let mut editor = Editor::initialized().await;
    for n in 0..20 {
        editor.tell("note", json!({ "n": n })).await;
    }
    editor.ask(1, "noted", Value::Null).await;
    assert_eq!(editor.hear().await["result"], json!((0..20).collect::<Vec<i64>>()));
    editor.exit().await;
}

#[tokio::test]
async fn a_notification_may_ask_the_client_something() {
    let mut editor = Editor::initialized().await;
    editor.tell("initialized", json!({})).await;
    editor.ask(1, "noted", Value::Null).await;
    let asked = editor.hear().await;
    assert_eq!(asked["method"], "workspace/workspaceFolders");
    editor.send(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": [{ "uri": "file:///a", "name": "a" }] })).await;
    assert_eq!(editor.hear().await["result"], json!([1]));
    editor.exit().await;
}

#[tokio::test]
async fn an_abandoned_request_is_withdrawn_and_its_late_answer_is_ignored() {
    let mut editor = Editor::initialized().await;
    editor.ask(1, "abandon", Value::Null).await;
    let asked = editor.hear().await;
    assert_eq!(asked["method"], "window/showMessageRequest");
    editor.ask(2, "open", Value::Null).await;
    let mut heard = [editor.hear().await, editor.hear().await, editor.hear().await];
    heard.sort_by_key(|message| message["id"].as_i64());
    assert_eq!(heard[0], json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": asked["id"] } }));
    assert_eq!((&heard[1]["result"], &heard[2]["result"]), (&json!("abandoned"), &json!("opened")));
    // Late, twice, and refused: as clients do.
    for _ in 0..2 {
        editor.send(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": null })).await;
    }
    let refusal = json!({ "code": -32800, "message": "cancelled" });
    editor.send(json!({ "jsonrpc": "2.0", "id": asked["id"], "error": refusal })).await;
    editor.ask(3, "noted", Value::Null).await;
    assert_eq!(editor.hear().await["result"], json!([]));
    editor.exit().await;
}

#[tokio::test]
async fn an_answer_in_time_is_not_withdrawn() {
    let mut editor = Editor::initialized().await;
    editor.ask(1, "abandon", Value::Null).await;
    let asked = editor.hear().await;
    editor.send(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": null })).await;
    assert_eq!(editor.hear().await["result"], "answered");
    editor.exit().await;
}

#[tokio::test]
async fn a_message_that_is_none_is_answered_and_the_next_one_read() {
    let mut editor = Editor::initialized().await;
    let cases: [(&[u8], Value, i64); 9] = [
        (b"{\"jsonrpc\":", Value::Null, -32700),
        (b"", Value::Null, -32700),
        (b"\"\xff\"", Value::Null, -32700),
        (b"[]", Value::Null, -32600),
        (b"{}", Value::Null, -32600),
        (b"{\"id\":7,\"method\":3}", json!(7), -32600),
        (b"{\"id\":null,\"method\":\"noted\"}", Value::Null, -32600),
        (b"{\"id\":1.5,\"method\":\"noted\"}", Value::Null, -32600),
        (b"{\"id\":7}", Value::Null, -32600),
    ];
    for (body, id, code) in cases {
        editor.send_raw(&frame(body)).await;
        let answer = editor.hear().await;
        let text = String::from_utf8_lossy(body);
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{text}");
    }
    // Deeper than any parser may follow it.
    editor.send_raw(&frame("[".repeat(100_000).as_bytes())).await;
    assert_eq!(editor.hear().await["error"]["code"], -32700);
    editor.ask(8, "noted", Value::Null).await;
    assert_eq!(editor.hear().await["id"], 8);
    editor.exit().await;
}

#[tokio::test]
async fn a_broken_header_ends_the_connection_with_the_reason() {
    let mut editor = Editor::initialized().await;
    editor.send_raw(b"Content-Length: many\r\n\r\n{}").await;
    assert_eq!(editor.hear().await["error"]["code"], -32700);
    let end = editor.ended().await;
    let reason = "the client's message has a broken header: \"Content-Length: many\" names no length";
    assert_eq!((end.code(), end.reason().unwrap().as_str()), (1, reason));
}

#[tokio::test]
async fn requests_before_initialize_and_unknown_ones_are_refused() {
    let mut editor = Editor::connect();
    for method in ["noted", "textDocument/documentSymbol"] {
        editor.ask(1, method, Value::Null).await;
        assert_eq!(editor.hear().await["error"]["code"], -32002);
    }
    editor.initialize().await;
    editor.ask(2, "unknown", Value::Null).await;
    assert_eq!(editor.hear().await["error"]["code"], -32601);
    let document = json!({ "textDocument": { "uri": "file:///a.md" } });
    editor.ask(3, "textDocument/documentSymbol", document).await;
    assert_eq!(editor.hear().await, json!({ "jsonrpc": "2.0", "id": 3, "result": null }), "it has none");
    editor.tell("unknown", Value::Null).await;
    editor.tell("$/unknown", Value::Null).await;
    editor.exit().await;
}

#[tokio::test]
async fn string_ids_come_back_as_they_were() {
    let mut editor = Editor::initialized().await;
    editor.send(json!({ "jsonrpc": "2.0", "id": "a-1", "method": "noted" })).await;
    assert_eq!(editor.hear().await["id"], "a-1");
    editor.exit().await;
}

/// A standard output whose reader has left.
struct Closed;

impl AsyncWrite for Closed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_closed_stdout_ends_the_connection_while_stdin_is_open() {
    let (near, far) = tokio::io::duplex(1 << 20);
    let editor = Editor::on(near, far, Closed);
    let message = LogMessageParams { typ: MessageType::INFO, message: "hello".to_owned() };
    editor.client.notify::<LogMessage>(message);
    let client = editor.client.clone();
    tokio::time::timeout(PATIENCE, client.gone()).await.expect("told in time");
    let end = tokio::time::timeout(PATIENCE, editor.end).await.expect("an end in time").unwrap();
    assert!(matches!(end.cause, Cause::WriteFailed(_)));
    assert_eq!(end.code(), 1);
}
