//! A strict client of `baton lsp` over standard input and output: every message the server sends must be framed as
//! the protocol says and read by the test, and every wait has an end.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a test waits for what must come; long, since it matters only when the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server and its client. Dropping it kills the server, and fails the test if a message was not
/// read; what is shown of files need not be, since what is shown next says it all.
pub struct LspClient {
    child: Child,
    stdin: Option<ChildStdin>,
    incoming: Receiver<Value>,
    /// Messages that came and were not read yet, in their order.
    inbox: VecDeque<Value>,
    /// What is shown of each file: the params of the last `textDocument/publishDiagnostics`, by URI.
    shown: BTreeMap<String, Value>,
    last_id: i64,
}

impl LspClient {
    /// Start a server.
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let (send, incoming) = channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            while let Some(message) = read_message(&mut stdout) {
                if send.send(message).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, incoming, inbox: VecDeque::new(), shown: BTreeMap::new(), last_id: 0 }
    }

    /// `initialize` with these params and `initialized`; answers with the server's capabilities.
    pub fn initialize(&mut self, params: Value) -> Value {
        let id = self.request("initialize", params);
        let answer = self.response(id).expect("initialize is answered");
        self.notify("initialized", json!({}));
        answer["capabilities"].clone()
    }

    /// Send a request and answer with its id.
    pub fn request(&mut self, method: &str, params: Value) -> i64 {
        self.last_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params }));
        self.last_id
    }

    /// Run a command of the server's: its result, or its error.
    pub fn execute(&mut self, command: &str, arguments: &[Value]) -> Result<Value, Value> {
        let id = self.request("workspace/executeCommand", json!({ "command": command, "arguments": arguments }));
        self.response(id)
    }

    /// Send a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Answer a request of the server's.
    pub fn answer(&mut self, request: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }));
    }

    /// Answer a request of the server's with an error.
    pub fn refuse(&mut self, request: &Value, error: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }));
    }

    /// The answer to a request: its result, or its error. Other messages stay unread.
    pub fn response(&mut self, id: i64) -> Result<Value, Value> {
        let message = self.take(&format!("the answer to request {id}"), |message| {
            message["id"] == id && message.get("method").is_none()
        });
        if message.get("error").is_some() { Err(message["error"].clone()) } else { Ok(message["result"].clone()) }
    }

    /// The next request or notification of this method. Other messages stay unread.
    pub fn hear(&mut self, method: &str) -> Value {
        self.take(method, |message| message["method"] == method)
    }

    /// The next message, whatever it is.
    pub fn next(&mut self) -> Value {
        self.take("any message", |_| true)
    }

    /// Wait until what is shown of a file is so: the params of its last `textDocument/publishDiagnostics`. Each says all
    /// there is to say of a file, so that the ones before it need not be read.
    pub fn shown_when(&mut self, uri: &str, is_so: impl Fn(&[Value]) -> bool) -> Value {
        let patience = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown.get(uri);
            let diagnostics = shown.and_then(|shown| shown["diagnostics"].as_array()).map(Vec::as_slice);
            if is_so(diagnostics.unwrap_or_default()) {
                return shown.cloned().unwrap_or_default();
            }
            match self.incoming.recv_timeout(patience.saturating_duration_since(Instant::now())) {
                Ok(message) => self.receive(message),
                Err(_) => panic!("waited in vain for {uri} to be shown otherwise: {:#?}", self.shown.get(uri)),
            }
        }
    }

    fn receive(&mut self, message: Value) {
        if message["method"] == "textDocument/publishDiagnostics" {
            let uri = message["params"]["uri"].as_str().expect("a URI").to_owned();
            self.shown.insert(uri, message["params"].clone());
        }
        self.inbox.push_back(message);
    }

    fn receive_what_is_there(&mut self) {
        while let Ok(message) = self.incoming.try_recv() {
            self.receive(message);
        }
    }

    /// Whether no message waits to be read. What is still on its way is not seen.
    pub fn has_read_everything(&mut self) -> bool {
        self.receive_what_is_there();
        self.inbox.is_empty()
    }

    /// Close the server's standard input, as an editor that crashed; the code the process ends with. What it still
    /// said concerns nobody.
    pub fn vanish(&mut self) -> Option<i32> {
        self.stdin = None;
        let code = self.ended();
        while self.incoming.recv_timeout(PATIENCE).is_ok() {}
        self.inbox.clear();
        code
    }

    /// Send the server a signal, as a system that shuts down; the code the process ends with. What it still said concerns
    /// nobody.
    #[cfg(unix)]
    pub fn stopped_by(&mut self, signal: rustix::process::Signal) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
        let code = self.ended();
        while self.incoming.recv_timeout(PATIENCE).is_ok() {}
        self.inbox.clear();
        code
    }

    /// `shutdown` and `exit`, with standard input left open; the code the process ends with.
    pub fn quit(&mut self) -> Option<i32> {
        let id = self.request("shutdown", Value::Null);
        assert_eq!(self.response(id), Ok(Value::Null));
        self.notify("exit", Value::Null);
        self.ended()
    }

    /// Wait for the end of the process; its code.
    pub fn ended(&mut self) -> Option<i32> {
        let patience = Instant::now() + PATIENCE;
        while Instant::now() < patience {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status.code();
            }
            // There is no way to wait for a process with a limit.
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the server did not end");
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let stdin = self.stdin.as_mut().expect("standard input is open");
        write!(stdin, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        stdin.flush().expect("the server reads");
    }

    /// The first unread message that is `wanted`.
    fn take(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.inbox.iter().position(&wanted) {
                return self.inbox.remove(at).expect("it was there");
            }
            match self.incoming.recv_timeout(patience.saturating_duration_since(Instant::now())) {
                Ok(message) => self.receive(message),
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for {what}; unread: {:#?}", self.inbox),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the server left without {what}; unread: {:#?}", self.inbox)
                }
            }
        }
    }
}

impl Drop for LspClient {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if !thread::panicking() {
            // Ends when the reader has seen the end of the server's output.
            self.inbox.extend(self.incoming.iter());
            // They are no message to react to, but what is on the screen.
            self.inbox.retain(|message| message["method"] != "textDocument/publishDiagnostics");
            assert!(self.inbox.is_empty(), "messages nobody read: {:#?}", self.inbox);
        }
    }
}

/// The next message; `None` at the end. Anything that is not framed as the protocol says ends the test loudly.
fn read_message(stdout: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut header = String::new();
    stdout.read_line(&mut header).expect("output is readable");
    if header.is_empty() {
        return None;
    }
    let length = header.strip_prefix("Content-Length: ").and_then(|rest| rest.strip_suffix("\r\n")?.parse().ok());
    let length: usize = length.unwrap_or_else(|| panic!("{header:?} is no header of a message"));
    let mut rest = String::new();
    stdout.read_line(&mut rest).expect("output is readable");
    assert_eq!(rest, "\r\n", "the header has another line");
    let mut body = vec![0; length];
    stdout.read_exact(&mut body).expect("a whole message");
    let message: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(message["jsonrpc"], "2.0", "{message}");
    Some(message)
}
