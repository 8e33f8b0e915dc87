//! The one client of `baton lsp`, over standard input and output. It is strict: every message of the server must be
//! framed as the protocol prescribes and safe to show, every request, response and notification must be read by the test, and every wait
//! names what it waits for and has a limit.

mod documents;
mod waits;

pub use documents::{file_uri, range};
pub use waits::{RunEnd, button_titles, check_progress, message_text};

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::wait::{PATIENCE, wait_for_exit};

/// Fails the test where a text of a message is not safe to show. Contents of files are shown by the editor itself.
fn check_safe_to_show(value: &Value, field: &str) {
    match value {
        Value::String(text) if !["before", "after", "diff"].contains(&field) => {
            let unsafe_one = text.chars().find(|c| baton::text::is_unsafe(*c) && !['\n', '\t'].contains(c));
            assert_eq!(unsafe_one, None, "{field} is {text:?}");
        }
        Value::Array(values) => values.iter().for_each(|value| check_safe_to_show(value, field)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| check_safe_to_show(value, name)),
        _ => {}
    }
}

/// A running server and its client. Dropping it kills the server, and fails the test if a message was not read.
/// Diagnostics are exempt: those of a file replace the ones before them.
pub struct LspClient {
    child: Child,
    workspace: PathBuf,
    stdin: Option<ChildStdin>,
    incoming: Receiver<Value>,
    /// Messages that came and were not read yet, in their order.
    inbox: VecDeque<Value>,
    /// Everything that came, read or not, a line each: what a failed wait reports.
    log: Vec<String>,
    /// The params of the last `textDocument/publishDiagnostics` of each file, by URI.
    published: BTreeMap<String, Value>,
    /// Versions of the open documents, by path.
    versions: BTreeMap<String, i64>,
    last_id: i64,
}

impl LspClient {
    /// Start a server by this command, for a client with this workspace.
    pub fn start(command: &mut Command, workspace: &Path) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
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
        Self {
            child,
            workspace: workspace.to_owned(),
            stdin,
            incoming,
            inbox: VecDeque::new(),
            log: Vec::new(),
            published: BTreeMap::new(),
            versions: BTreeMap::new(),
            last_id: 0,
        }
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
    #[track_caller]
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

    /// The response to a request: its result, or its error. Other messages stay unread.
    #[track_caller]
    pub fn response(&mut self, id: i64) -> Result<Value, Value> {
        let message = self.take(&format!("the response to request {id}"), |message| {
            message["id"] == id && message.get("method").is_none()
        });
        if message.get("error").is_some() { Err(message["error"].clone()) } else { Ok(message["result"].clone()) }
    }

    /// The next request or notification of this method. Other messages stay unread.
    #[track_caller]
    pub fn wait_for(&mut self, method: &str) -> Value {
        self.take(method, |message| message["method"] == method)
    }

    /// The next message, whatever it is; `what` is what the test is waiting for.
    #[track_caller]
    pub fn next_message(&mut self, what: &str) -> Value {
        self.take(what, |_| true)
    }

    fn receive(&mut self, message: Value) {
        // A model's turn is sent as it is, and nobody is shown it; so is the text of a document, which the editor shows.
        let is_document = message["result"].as_object().is_some_and(|result| result.keys().eq(["text"]));
        if message["method"] != "baton/languageModel" && !is_document {
            check_safe_to_show(&message, "");
        }
        if message["method"] == "textDocument/publishDiagnostics" {
            let uri = message["params"]["uri"].as_str().expect("a URI").to_owned();
            self.published.insert(uri, message["params"].clone());
        }
        self.log.push(summary(&message));
        self.inbox.push_back(message);
    }

    /// Whether no message waits to be read. What is still on its way is not seen.
    pub fn has_read_everything(&mut self) -> bool {
        while let Ok(message) = self.incoming.try_recv() {
            self.receive(message);
        }
        self.inbox.is_empty()
    }

    /// Close the server's standard input, as an editor that crashed; the exit code. What was not read is dropped.
    pub fn disconnect(&mut self) -> Option<i32> {
        self.stdin = None;
        self.wait_for_exit_unread()
    }

    /// Send the server a signal, as a system that shuts down; the exit code. What was not read is dropped.
    #[cfg(unix)]
    pub fn signal(&mut self, signal: rustix::process::Signal) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
        self.wait_for_exit_unread()
    }

    fn wait_for_exit_unread(&mut self) -> Option<i32> {
        let code = self.wait_for_exit();
        while self.incoming.recv_timeout(PATIENCE).is_ok() {}
        self.inbox.clear();
        code
    }

    /// `shutdown` and `exit`, with standard input left open; the exit code.
    pub fn quit(&mut self) -> Option<i32> {
        self.shut_down();
        self.notify("exit", Value::Null);
        self.wait_for_exit()
    }

    /// `shutdown`.
    pub fn shut_down(&mut self) {
        let id = self.request("shutdown", Value::Null);
        assert_eq!(self.response(id), Ok(Value::Null));
    }

    /// Wait for the end of the process; its exit code.
    #[track_caller]
    pub fn wait_for_exit(&mut self) -> Option<i32> {
        let status = wait_for_exit(&mut self.child, PATIENCE);
        let Some(status) = status else { panic!("waited in vain for the server to end; {}", self.report()) };
        status.code()
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let stdin = self.stdin.as_mut().expect("standard input is open");
        write!(stdin, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server reads");
        stdin.flush().expect("the server reads");
    }

    /// The first unread message that is `wanted`.
    #[track_caller]
    fn take(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.inbox.iter().position(&wanted) {
                return self.inbox.remove(at).expect("it was there");
            }
            self.receive_before(deadline, what);
        }
    }

    /// Receive one more message, or fail the test.
    #[track_caller]
    fn receive_before(&mut self, deadline: Instant, what: &str) {
        match self.incoming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => self.receive(message),
            Err(RecvTimeoutError::Timeout) => panic!("waited in vain for {what}; {}", self.report()),
            Err(RecvTimeoutError::Disconnected) => panic!("the server ended without {what}; {}", self.report()),
        }
    }

    /// Everything that came so far, and in full what was not read.
    fn report(&self) -> String {
        format!("what came instead:\n{}\nunread: {:#?}", self.log.join("\n"), self.inbox)
    }
}

/// A message in one line of limited length.
fn summary(message: &Value) -> String {
    message.to_string().chars().take(240).collect()
}

impl Drop for LspClient {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if !thread::panicking() {
            // Ends when the reader has seen the end of the server's output.
            self.inbox.extend(self.incoming.iter());
            self.inbox.retain(|message| message["method"] != "textDocument/publishDiagnostics");
            assert!(self.inbox.is_empty(), "messages that no one read: {:#?}", self.inbox);
        }
    }
}

/// The next message; `None` at the end. Anything that is not framed as the protocol prescribes fails the test.
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
