//! A scripted Chat Completions API on loopback, which speaks as one of those who have it: it answers as its [`Script`]
//! prescribes, in that dialect, and refuses what that server refuses.

mod dialect;
mod rules;
mod translate;

pub use dialect::Dialect;

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use serde_json::{Value, json};

use super::http::{Connection, HttpRequest};
use super::script::{Fault, RecordedRequest, Reply, Script};

/// The one key that the server knows, where it asks for one.
pub const KEY: &str = "chat-key";
/// The one model that it serves.
pub const MODEL: &str = "some-model";

/// A running server; dropping it stops it. A request that breaks a rule is refused, and unless the test asks for the
/// [`violations`](Self::violations), dropping the server then fails the test.
pub struct ChatApi {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    dialect: Dialect,
    script: Script,
    seen: Mutex<Seen>,
    stopped: AtomicBool,
}

#[derive(Default)]
struct Seen {
    /// The bodies of requests for answers, as they came.
    requests: Vec<Value>,
    agents: Vec<String>,
    violations: Vec<String>,
    conversations: HashMap<String, Vec<String>>,
    faults_spent: HashMap<usize, usize>,
    /// Other paths that were asked for.
    asked: Vec<String>,
}

impl ChatApi {
    /// Start a server that answers so.
    pub fn start(dialect: Dialect, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { dialect, script, seen: Mutex::default(), stopped: AtomicBool::new(false) });
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
        Self { shared, address }
    }

    /// For `OPENAI_BASE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.dialect.path())
    }

    /// The environment that leads the binary here.
    pub fn env(&self) -> [(&'static str, String); 3] {
        [("OPENAI_API_KEY", KEY.to_owned()), ("OPENAI_BASE_URL", self.url()), ("OPENAI_MODEL", MODEL.to_owned())]
    }

    /// The bodies of all requests for answers so far, in the order they came.
    pub fn requests(&self) -> Vec<Value> {
        self.shared.seen().requests.clone()
    }

    /// Who sent them.
    pub fn agents(&self) -> Vec<String> {
        self.shared.seen().agents.clone()
    }

    /// Other paths that were asked for.
    pub fn asked(&self) -> Vec<String> {
        self.shared.seen().asked.clone()
    }

    /// What was refused since the last call.
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.seen().violations)
    }
}

impl Drop for ChatApi {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        let violations = self.violations();
        if !thread::panicking() {
            assert!(violations.is_empty(), "requests the real server refuses: {violations:#?}");
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(stream)?;
        while let Some(request) = connection.read_request()? {
            self.answer(&mut connection, &request)?;
        }
        Ok(())
    }

    fn answer(&self, connection: &mut Connection, request: &HttpRequest) -> io::Result<()> {
        let path = request.path.split('?').next().unwrap_or_default();
        if request.method == "GET" {
            self.seen().asked.push(path.to_owned());
            return match self.dialect.about_models(path) {
                Some(body) => respond(connection, 200, &body),
                None => respond(connection, 404, &json!({ "detail": "Not Found" })),
            };
        }
        if path != format!("{}/chat/completions", self.dialect.path()) {
            return respond(connection, 404, &json!({ "detail": "Not Found" }));
        }
        let authorization = request.headers.get("authorization");
        if authorization.is_some_and(|sent| *sent != format!("Bearer {KEY}")) {
            return respond(connection, 401, &self.dialect.error(401, "Incorrect API key provided"));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let recorded = self.record(request, &body);
        if let Some(refusal) = self.dialect.refuses(&body) {
            return respond(connection, 400, &refusal);
        }
        if let Some(broken) = rules::broken(self.dialect, &body) {
            self.seen().violations.push(format!("{}: {broken}", recorded.agent));
            return respond(connection, 400, &self.dialect.error(400, &broken));
        }
        match &recorded.fault {
            Some(Fault::Status { code, headers, body }) => {
                let mut headers = headers.clone();
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                return connection.respond(*code, &headers, body.as_bytes());
            }
            Some(Fault::CutAfterEvents(_)) | None => {}
            Some(_) => return connection.close(),
        }
        let Some(reply) = self.script.reply(&recorded) else {
            let missing = format!("the script has no reply {} for {}", recorded.turn + 1, recorded.agent);
            self.seen().violations.push(missing.clone());
            return respond(connection, 400, &self.dialect.error(400, &missing));
        };
        self.stream(connection, &recorded, &reply)
    }

    fn record(&self, request: &HttpRequest, body: &Value) -> RecordedRequest {
        let mut seen = self.seen();
        let mut recorded = RecordedRequest::read(&request.headers, translate::messages_request(body));
        let conversations = seen.conversations.entry(recorded.agent.clone()).or_default();
        let first = recorded.first_message();
        recorded.conversation = conversations.iter().position(|known| *known == first).unwrap_or_else(|| {
            conversations.push(first);
            conversations.len() - 1
        });
        recorded.fault = self.script.next_fault(&recorded.agent, &mut seen.faults_spent);
        seen.requests.push(body.clone());
        seen.agents.push(recorded.agent.clone());
        recorded
    }

    fn stream(&self, connection: &mut Connection, request: &RecordedRequest, reply: &Reply) -> io::Result<()> {
        let events = self.dialect.events(reply, request);
        let sent = match request.fault {
            Some(Fault::CutAfterEvents(n)) => n.min(events.len()),
            _ => events.len(),
        };
        connection.start_stream(&[("content-type", "text/event-stream")])?;
        let text = events[..sent].concat();
        let seed = request.turn as u64 ^ text.len() as u64;
        connection.send_chunks(&super::events::odd_pieces(text.as_bytes(), seed))?;
        connection.end_stream()
    }
}

fn respond(connection: &mut Connection, code: u16, body: &Value) -> io::Result<()> {
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    connection.respond(code, &json, body.to_string().as_bytes())
}
