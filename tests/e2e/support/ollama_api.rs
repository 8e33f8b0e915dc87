//! An Ollama on loopback, made from its API's documentation and its server's code: it shows and lists its models, refuses what
//! the real one refuses, and cuts a prompt that is longer than its context as the real one does.
//!
//! What its models say is a [`Script`], as for the Messages API.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

use super::messages_api::http::{Connection, HttpRequest};
use super::messages_api::{RecordedRequest, Script};
use super::under_way::{Requests, UnderWay};

/// A running Ollama; dropping it stops it, and fails the test when it was sent what Ollama could not have read.
pub struct OllamaApi {
    shared: Arc<Shared>,
    address: SocketAddr,
}

/// What Ollama has and how it behaves.
pub struct Behaviour {
    script: Script,
    /// Its models, each with its context and its capabilities.
    models: Vec<(String, u64, Vec<&'static str>)>,
    /// The largest context for which there is memory.
    memory: u64,
    /// Whether it knows `truncate`, which came with 0.12.6.
    is_new: bool,
    /// Answers of this status before any other: `(status, error)`.
    errors: Vec<(u16, String)>,
    /// An error line in the middle of so many answers.
    broken_answers: usize,
}

/// A chat request as it came.
#[derive(Debug, Clone)]
pub struct Chat {
    /// As in [`RecordedRequest`].
    pub agent: String,
    /// The body.
    pub body: Value,
}

struct Shared {
    behaviour: Behaviour,
    chats: Mutex<Vec<Chat>>,
    violations: Mutex<Vec<String>>,
    errors_sent: AtomicUsize,
    broken: AtomicUsize,
    under_way: Requests,
    stopped: AtomicBool,
}

/// Bytes a token of what it reads.
const BYTES_A_TOKEN: usize = 3;

impl Behaviour {
    /// An Ollama of today without models.
    pub fn new(script: Script) -> Self {
        Self { script, models: Vec::new(), memory: u64::MAX, is_new: true, errors: Vec::new(), broken_answers: 0 }
    }

    /// With a model.
    pub fn model(mut self, name: &str, context: u64, capabilities: &[&'static str]) -> Self {
        self.models.push((name.to_owned(), context, capabilities.to_vec()));
        self
    }

    /// With memory for so large a context.
    pub fn memory(self, memory: u64) -> Self {
        Self { memory, ..self }
    }

    /// Of a version that does not know `truncate`, and cuts.
    pub fn old(self) -> Self {
        Self { is_new: false, ..self }
    }

    /// That first answers chats with this error.
    pub fn error(mut self, status: u16, message: &str) -> Self {
        self.errors.push((status, message.to_owned()));
        self
    }

    /// Whose runner crashes in the middle of so many answers.
    pub fn broken_answers(self, broken_answers: usize) -> Self {
        Self { broken_answers, ..self }
    }

    /// Start it.
    pub fn start(self) -> OllamaApi {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            behaviour: self,
            chats: Mutex::default(),
            violations: Mutex::default(),
            errors_sent: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            under_way: Requests::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&accepting);
                thread::spawn(move || {
                    // An error here is a client that went away, which clients may do.
                    let _gone = shared.serve(stream);
                });
            }
        });
        OllamaApi { shared, address }
    }
}

impl OllamaApi {
    /// For `OLLAMA_HOST`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The chat requests so far, refused ones included, in the order they came.
    pub fn chats(&self) -> Vec<Chat> {
        lock(&self.shared.chats).clone()
    }

    /// Most chats that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.under_way.most()
    }
}

impl Drop for OllamaApi {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        let violations = lock(&self.shared.violations).clone();
        if !thread::panicking() {
            assert!(violations.is_empty(), "requests that Ollama could not have read: {violations:#?}");
        }
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(stream)?;
        while let Some(request) = connection.read_request()? {
            self.answer(&mut connection, &request)?;
        }
        Ok(())
    }

    fn answer(&self, connection: &mut Connection, request: &HttpRequest) -> io::Result<()> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let name = body["model"].as_str().unwrap_or_default();
        let models = &self.behaviour.models;
        let model = models.iter().find(|(known, ..)| known == name || known.strip_suffix(":latest") == Some(name));
        match (request.method.as_str(), request.path.as_str(), model) {
            ("GET", "/api/tags", _) => {
                let models: Vec<Value> =
                    models.iter().map(|(name, ..)| json!({ "name": name, "model": name })).collect();
                respond(connection, 200, &json!({ "models": models }))
            }
            ("POST", "/api/show", Some((_, context, capabilities))) => respond(
                connection,
                200,
                &json!({
                    "details": { "family": "qwen3" }, "capabilities": capabilities,
                    "model_info": { "general.architecture": "qwen3", "qwen3.context_length": context },
                }),
            ),
            ("POST", "/api/chat", model) => {
                let mut under_way = self.under_way.begin();
                let converted = converted(&body);
                let recorded = RecordedRequest::read(&request.headers, converted);
                lock(&self.chats).push(Chat { agent: recorded.agent.clone(), body: body.clone() });
                let answer = match model {
                    Some((_, _, capabilities)) => self.chat(&recorded, &body, capabilities),
                    None => Err((404, format!("model '{name}' not found"))),
                };
                send(connection, answer, &mut under_way)
            }
            (_, "/api/show", None) => refuse(connection, 404, &format!("model '{name}' not found")),
            _ => connection.respond(404, &[], b"404 page not found"),
        }
    }

    /// The lines of an answer, or the status and message of a refusal.
    fn chat(
        &self,
        request: &RecordedRequest,
        body: &Value,
        capabilities: &[&str],
    ) -> Result<Vec<Value>, (u16, String)> {
        let name = body["model"].as_str().unwrap_or_default();
        let broken: Vec<String> = broken(body).into_iter().map(|fault| format!("{}: {fault}", request.agent)).collect();
        if let Some(fault) = broken.first().cloned() {
            lock(&self.violations).extend(broken);
            return Err((400, fault));
        }
        let sent = self.errors_sent.fetch_add(1, Ordering::SeqCst);
        if let Some((status, message)) = self.behaviour.errors.get(sent) {
            return Err((*status, message.clone()));
        }
        if !capabilities.contains(&"tools") {
            return Err((400, format!("registry.ollama.ai/library/{name} does not support tools")));
        }
        if !body["think"].is_null() && !capabilities.contains(&"thinking") {
            return Err((400, format!("\"{name}\" does not support thinking")));
        }
        let context = body["options"]["num_ctx"].as_u64().unwrap_or(4096);
        if context > self.behaviour.memory {
            return Err((500, "model requires more system memory (9.9 GiB) than is available (7.6 GiB)".to_owned()));
        }
        let whole = tokens(body, 0);
        let read = kept(body, context);
        if whole > context && self.behaviour.is_new && body["truncate"] == false {
            let message = format!("request ({whole} tokens) exceeds the available context size ({context} tokens)");
            let inner = json!({ "error": {
                "code": 400, "message": message, "type": "exceed_context_size_error",
                "n_prompt_tokens": whole, "n_ctx": context,
            } });
            return Err((400, inner.to_string()));
        }
        let Some(reply) = self.behaviour.script.reply(request) else {
            let missing = format!("the script has no reply {} for {}", request.turn + 1, request.agent);
            lock(&self.violations).push(missing.clone());
            return Err((400, missing));
        };
        let mut lines: Vec<Value> = Vec::new();
        for block in reply.content() {
            lines.extend(lines_of(name, &block));
        }
        if self.broken.fetch_add(1, Ordering::SeqCst) < self.behaviour.broken_answers {
            lines.push(json!({ "error": "an error was encountered while running the model: unexpected EOF" }));
        } else {
            let written = lines.iter().map(|line| line.to_string().len()).sum::<usize>() / BYTES_A_TOKEN;
            lines.push(json!({
                "model": name, "message": { "role": "assistant", "content": "" }, "done": true,
                "done_reason": "stop",
                "prompt_eval_count": read, "eval_count": written,
            }));
        }
        Ok(lines)
    }
}

/// Send what a chat is answered with.
fn send(
    connection: &mut Connection,
    answer: Result<Vec<Value>, (u16, String)>,
    under_way: &mut UnderWay<'_>,
) -> io::Result<()> {
    let lines = match answer {
        Ok(lines) => lines,
        Err((status, message)) => {
            under_way.end();
            return refuse(connection, status, &message);
        }
    };
    connection.start_stream(&[("content-type", "application/x-ndjson")])?;
    let last = lines.len().saturating_sub(1);
    for (number, line) in lines.iter().enumerate() {
        if number == last {
            under_way.end();
        }
        let text = format!("{line}\n");
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        connection.send_chunks(&[first, second])?;
    }
    connection.end_stream()
}

/// What Ollama's own reader would refuse, and what a client of it should not leave out.
fn broken(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if body["options"]["num_ctx"].as_u64().is_none() {
        faults.push("options.num_ctx is not set".to_owned());
    }
    for message in list(&body["messages"]) {
        if !message["content"].is_string() {
            faults.push("json: cannot unmarshal content".to_owned());
        }
        for call in list(&message["tool_calls"]) {
            if !call["function"]["arguments"].is_object() {
                faults.push("json: cannot unmarshal string into Go struct field arguments".to_owned());
            }
        }
        if message["role"] == "tool" && message["tool_name"].as_str().is_none_or(str::is_empty) {
            faults.push("a tool's result does not name the tool".to_owned());
        }
    }
    faults
}

/// Tokens of a prompt without so many of its first messages; those of the system stay.
fn tokens(body: &Value, without: usize) -> u64 {
    let messages = list(&body["messages"]);
    let is_kept = |(n, message): &(usize, &Value)| *n >= without || message["role"] == "system";
    let kept = messages.iter().enumerate().filter(is_kept);
    let bytes: usize = kept.map(|(_, message)| message.to_string().len()).sum();
    ((bytes + body["tools"].to_string().len()) / BYTES_A_TOKEN) as u64
}

/// Tokens that are read: first messages are left out until the rest fits, the last one never; what is still too long is cut to
/// the context.
fn kept(body: &Value, context: u64) -> u64 {
    let last = list(&body["messages"]).len().saturating_sub(1);
    let fits = (0..=last).map(|without| tokens(body, without)).find(|tokens| *tokens <= context);
    fits.unwrap_or(context)
}

/// The request as the Messages API would get it, as far as a script looks at it.
fn converted(body: &Value) -> Value {
    let is_system = |message: &&Value| message["role"] == "system";
    let (system, messages): (Vec<&Value>, Vec<&Value>) = list(&body["messages"]).iter().partition(is_system);
    let tool =
        |tool: &Value| json!({ "name": tool["function"]["name"], "input_schema": tool["function"]["parameters"] });
    json!({
        "model": body["model"],
        "system": system.first().map(|message| message["content"].clone()),
        "tools": list(&body["tools"]).iter().map(tool).collect::<Vec<_>>(),
        "messages": messages,
    })
}

fn lines_of(model: &str, block: &Value) -> Vec<Value> {
    let says = |message: Value| json!({ "model": model, "message": message, "done": false });
    let halves = |text: &Value| {
        let text: Vec<char> = text.as_str().unwrap_or_default().chars().collect();
        let (first, second) = text.split_at(text.len() / 2);
        [first.iter().collect::<String>(), second.iter().collect()]
    };
    match block["type"].as_str() {
        Some("text") => {
            halves(&block["text"]).map(|text| says(json!({ "role": "assistant", "content": text }))).to_vec()
        }
        Some("thinking") => halves(&block["thinking"])
            .map(|text| says(json!({ "role": "assistant", "content": "", "thinking": text })))
            .to_vec(),
        Some("tool_use") => {
            let call = json!({ "function": { "name": block["name"], "arguments": block["input"] } });
            vec![says(json!({ "role": "assistant", "content": "", "tool_calls": [call] }))]
        }
        _ => Vec::new(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(connection: &mut Connection, status: u16, body: &Value) -> io::Result<()> {
    let kind = [("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    connection.respond(status, &kind, body.to_string().as_bytes())
}

fn refuse(connection: &mut Connection, status: u16, message: &str) -> io::Result<()> {
    respond(connection, status, &json!({ "error": message }))
}
