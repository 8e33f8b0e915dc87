//! A scripted Messages API on loopback: it answers as its [`Script`] prescribes, fails where the script wants a fault, and
//! refuses what the real API refuses.
//!
//! It speaks HTTP/1.1 from plain threads, so that tests with and without a runtime can use it.

mod cache;
pub mod chat;
mod events;
pub mod http;
mod rules;
mod script;
mod turns;

pub use script::{Fault, RecordedRequest, Reply, RequestName, Script, VALIDATE, agents, answered};
pub use turns::{Asked, AskedTurn};

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use cache::PromptCache;
use http::{Connection, HttpRequest};
use turns::Answer;

use super::under_way::{Requests, UnderWay};

/// The one key, and the one token, that the server knows.
pub const KEY: &str = "test-key";

/// How long a test waits for what must come; long, since it matters only when the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fewer than a client asks for, so that every list has pages.
const MODELS_A_PAGE: usize = 2;

/// A running server; dropping it stops it.
///
/// A request that the real API would refuse is refused, and unless the test asks for the [`violations`], dropping the
/// server then fails the test.
///
/// [`violations`]: Self::violations
pub struct MessagesApi {
    shared: Arc<Shared>,
    address: SocketAddr,
}

struct Shared {
    script: Script,
    seen: Mutex<Seen>,
    news: Condvar,
    cache: Mutex<PromptCache>,
    under_way: Requests,
    stopped: AtomicBool,
}

#[derive(Default)]
struct Seen {
    requests: Vec<RecordedRequest>,
    violations: Vec<String>,
    /// The first messages of each agent's conversations, in the order they came.
    conversations: HashMap<String, Vec<String>>,
    /// Faults spent, by their place in the script.
    faults_spent: HashMap<usize, usize>,
    /// Agents whose last answer was a pause.
    paused: HashSet<String>,
    /// The answers that were sent to their end, in the order of those ends.
    answered: Vec<Answer>,
    /// How often a test has waited for a request, or an answer, of each name.
    waited_for: HashMap<(Progress, RequestName), usize>,
    /// What was asked of `/v1/models`.
    asked_for_models: Vec<String>,
}

/// What a test waits for of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Progress {
    /// It has arrived.
    Arrived,
    /// Its answer was sent to the end.
    Answered,
}

impl MessagesApi {
    /// Start a server that answers so.
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            script,
            seen: Mutex::default(),
            news: Condvar::new(),
            cache: Mutex::default(),
            under_way: Requests::default(),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.is_stopped() {
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

    /// For `ANTHROPIC_BASE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment that leads the binary here.
    pub fn env(&self) -> [(&'static str, String); 2] {
        [("ANTHROPIC_API_KEY", KEY.to_owned()), ("ANTHROPIC_BASE_URL", self.url())]
    }

    /// Every request so far, refused ones included, in the order they came.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.seen().requests.clone()
    }

    /// The requests of one agent, such as `implement/T1`.
    pub fn requests_of(&self, agent: &str) -> Vec<RecordedRequest> {
        self.requests().into_iter().filter(|request| request.agent == agent).collect()
    }

    /// The first message of an agent's conversation, counted from 0.
    #[track_caller]
    pub fn first_message(&self, agent: &str, conversation: usize) -> String {
        let requests = self.requests_of(agent);
        let first = requests.iter().find(|request| request.conversation == conversation);
        first.unwrap_or_else(|| panic!("no conversation {conversation} of {agent}")).first_message()
    }

    /// Wait for a request by its name: an agent (`"plan"`, its first request), an agent's turn (`("review", 1)`), or all
    /// of a [`RequestName`]. Each call waits for one more arrival of that name, so that a request that is sent again can
    /// be waited for again. Fails the test when it does not come.
    #[track_caller]
    pub fn wait_for_request(&self, name: impl Into<RequestName>) {
        self.wait(Progress::Arrived, &name.into());
    }

    /// The same, until its answer was sent to the end.
    #[track_caller]
    pub fn wait_for_answer(&self, name: impl Into<RequestName>) {
        self.wait(Progress::Answered, &name.into());
    }

    #[track_caller]
    fn wait(&self, progress: Progress, name: &RequestName) {
        let mut seen = self.shared.seen();
        let count = seen.waited_for.entry((progress, name.clone())).or_default();
        *count += 1;
        let wanted = *count;
        let missing = |seen: &mut Seen| seen.names(progress).filter(|known| known == name).count() < wanted;
        let (seen, waited) =
            self.shared.news.wait_timeout_while(seen, PATIENCE, missing).unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            let came: Vec<String> = seen.names(progress).map(|name| name.to_string()).collect();
            panic!("the {wanted}. request {name} has not {progress:?} after {PATIENCE:?}; these have: {came:#?}");
        }
    }

    /// The paths, with their queries, at which the list of models was asked for.
    pub fn asked_for_models(&self) -> Vec<String> {
        self.shared.seen().asked_for_models.clone()
    }

    /// Most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.under_way.most()
    }

    /// What was refused since the last call.
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.seen().violations)
    }
}

impl Drop for MessagesApi {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        let violations = self.violations();
        if !thread::panicking() {
            assert!(violations.is_empty(), "requests the real API refuses: {violations:#?}");
        }
    }
}

impl Seen {
    fn names(&self, progress: Progress) -> Box<dyn Iterator<Item = RequestName> + '_> {
        match progress {
            Progress::Arrived => Box::new(self.requests.iter().map(RecordedRequest::name)),
            Progress::Answered => Box::new(self.answered.iter().map(|answer| self.requests[answer.number].name())),
        }
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, PromptCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut connection = Connection::new(stream)?;
        while let Some(request) = connection.read_request()? {
            self.answer(&mut connection, &request)?;
        }
        Ok(())
    }

    fn answer(&self, connection: &mut Connection, request: &HttpRequest) -> io::Result<()> {
        if request.method == "GET" && request.path.starts_with("/v1/models") {
            return self.list_models(connection, request);
        }
        if (request.method.as_str(), request.path.as_str()) != ("POST", "/v1/messages") {
            return refuse(connection, 404, "not_found_error", "Not found");
        }
        let mut under_way = self.under_way.begin();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let recorded = self.record(request, &body, under_way.at_once);
        if !is_authorised(request) {
            under_way.end();
            return refuse(connection, 401, "authentication_error", "invalid x-api-key");
        }
        let mut broken = rules::broken(&request.headers, &body);
        if self.seen().paused.contains(&recorded.agent) {
            broken.retain(|rule| rule != rules::NOT_ENDED);
        }
        if let Some(broken) = broken.into_iter().next() {
            self.violation(format!("{}: {broken}", recorded.agent));
            under_way.end();
            return refuse(connection, 400, "invalid_request_error", &broken);
        }
        match &recorded.fault {
            None | Some(Fault::CutAfterEvents(_) | Fault::CutInsideEvent(_)) => {}
            Some(Fault::IdleAfter(_) | Fault::TrickleAfter(..) | Fault::ErrorEvent(_)) => {}
            Some(Fault::TrickledHeaders) => {
                connection.begin("HTTP/1.1 200 OK\r\nx-filler: ")?;
                return connection.trickle(b"x", || self.is_stopped());
            }
            Some(Fault::TrickledBody(code)) => {
                connection.begin(&format!("HTTP/1.1 {code} Scripted\r\ncontent-length: 60000\r\n\r\n"))?;
                return connection.trickle(b" ", || self.is_stopped());
            }
            Some(Fault::SlowHeaders(wait)) => thread::sleep(*wait),
            Some(Fault::Status { code, headers, body }) => {
                under_way.end();
                return connection.respond(*code, headers, body.as_bytes());
            }
            Some(Fault::Reset) => {
                under_way.end();
                return connection.close();
            }
            Some(Fault::Silence) => return connection.wait_until_left(|| self.is_stopped()),
            Some(Fault::Html200) => {
                under_way.end();
                let html = b"<html><body>Please sign in to this network</body></html>";
                return connection.respond(200, &[("content-type".to_owned(), "text/html".to_owned())], html);
            }
            Some(Fault::GarbageData) => {
                under_way.end();
                let kind = [("content-type".to_owned(), "text/event-stream".to_owned())];
                return connection.respond(200, &kind, b"event: message_start\ndata: {\"type\": oops\n\n");
            }
        }
        let Some(reply) = self.script.reply(&recorded) else {
            let (agent, turn) = (&recorded.agent, recorded.turn + 1);
            let missing = format!("the script has no reply {turn} for {agent}");
            self.violation(missing.clone());
            under_way.end();
            return refuse(connection, 400, "invalid_request_error", &missing);
        };
        if reply.stop_reason.as_deref() == Some("pause_turn") {
            self.seen().paused.insert(recorded.agent.clone());
        } else {
            self.seen().paused.remove(&recorded.agent);
        }
        self.stream(connection, &recorded, &reply, &mut under_way)
    }

    /// `GET /v1/models`, in pages however long they may be, and `GET /v1/models/{id}`.
    fn list_models(&self, connection: &mut Connection, request: &HttpRequest) -> io::Result<()> {
        self.seen().asked_for_models.push(request.path.clone());
        if !is_authorised(request) {
            return refuse(connection, 401, "authentication_error", "invalid x-api-key");
        }
        let fault = self.script.next_fault("models", &mut self.seen().faults_spent);
        match fault {
            Some(Fault::Status { code, headers, body }) => return connection.respond(code, &headers, body.as_bytes()),
            Some(Fault::Html200) => return connection.respond(200, &[], b"<html>Please sign in</html>"),
            Some(_) => return connection.close(),
            None => {}
        }
        let Some(models) = self.script.listed_models() else {
            return connection.respond(404, &[], b"<html>no such page</html>");
        };
        let entry = |id: &String| {
            let mut entry = json!({ "type": "model", "id": id, "display_name": id });
            if let Some(capabilities) = self.script.capabilities() {
                entry["capabilities"] = capabilities.clone();
                entry["max_input_tokens"] = json!(200_000);
                entry["max_tokens"] = json!(12_000);
            }
            entry
        };
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let body = match path.strip_prefix("/v1/models/") {
            // The API knows a model by its alias too: its name without the date.
            Some(name) => match models.iter().find(|id| *id == name || id.starts_with(&format!("{name}-2"))) {
                Some(id) => entry(id),
                None => return refuse(connection, 404, "not_found_error", &format!("model: {name}")),
            },
            None => {
                let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
                let limit = parameter("limit").and_then(|limit| limit.parse::<usize>().ok()).unwrap_or(20);
                if limit > 1000 {
                    return refuse(connection, 400, "invalid_request_error", "limit: must be 1000 at most");
                }
                let after = parameter("after_id").and_then(|after| models.iter().position(|id| id == after));
                let from = after.map_or(0, |after| after + 1);
                let page = &models[from..models.len().min(from + limit.min(MODELS_A_PAGE))];
                json!({
                    "data": page.iter().map(entry).collect::<Vec<_>>(),
                    "has_more": from + page.len() < models.len(),
                    "first_id": page.first(), "last_id": page.last(),
                })
            }
        };
        let json = [("content-type".to_owned(), "application/json".to_owned())];
        connection.respond(200, &json, body.to_string().as_bytes())
    }

    fn record(&self, request: &HttpRequest, body: &Value, at_once: usize) -> RecordedRequest {
        let mut seen = self.seen();
        let mut recorded = RecordedRequest::read(&request.headers, body.clone());
        recorded.at_once = at_once;
        recorded.number = seen.requests.len();
        let conversations = seen.conversations.entry(recorded.agent.clone()).or_default();
        let first = recorded.first_message();
        recorded.conversation = conversations.iter().position(|known| *known == first).unwrap_or_else(|| {
            conversations.push(first);
            conversations.len() - 1
        });
        if is_authorised(request) {
            recorded.fault = self.script.next_fault(&recorded.agent, &mut seen.faults_spent);
        }
        seen.requests.push(recorded.clone());
        self.news.notify_all();
        recorded
    }

    fn violation(&self, violation: String) {
        self.seen().violations.push(violation);
    }

    /// Send the reply as a stream, up to where the fault lies.
    fn stream(
        &self,
        connection: &mut Connection,
        request: &RecordedRequest,
        reply: &Reply,
        under_way: &mut UnderWay<'_>,
    ) -> io::Result<()> {
        let fault = request.fault.as_ref();
        let read = self.cache().read(&request.body);
        thread::sleep(reply.delay);
        let model = request.body["model"].as_str().unwrap_or_default();
        let events = events::of(reply, request, model, &read.usage);
        let seed = request.turn as u64 ^ (request.body.to_string().len() as u64) << 8;
        connection.start_stream(&[("content-type", "text/event-stream; charset=utf-8"), ("request-id", "req_test")])?;
        let whole = match fault {
            Some(
                Fault::CutAfterEvents(n) | Fault::CutInsideEvent(n) | Fault::IdleAfter(n) | Fault::TrickleAfter(n, _),
            ) => (*n).min(events.len()),
            Some(Fault::ErrorEvent(_)) => 2.min(events.len()),
            _ => events.len(),
        };
        let mut batches = batches(&events[..whole], reply.pause).into_iter().peekable();
        // Before the first byte: whoever has it may send the next request at once.
        self.cache().warm(&read);
        while let Some(batch) = batches.next() {
            if batches.peek().is_none() {
                under_way.end();
            }
            connection.send_chunks(&events::odd_pieces(batch.as_bytes(), seed))?;
            thread::sleep(reply.pause);
        }
        match fault {
            Some(Fault::CutInsideEvent(n)) => {
                let half = events.get(*n).map(|event| &event.as_bytes()[..event.len() / 2]).unwrap_or_default();
                connection.send_chunks(&[half])?;
                connection.close()
            }
            Some(Fault::IdleAfter(_)) => connection.wait_until_left(|| self.is_stopped()),
            Some(Fault::TrickleAfter(_, bytes)) => {
                let chunk = format!("{:x}\r\n{bytes}\r\n", bytes.len());
                connection.trickle(chunk.as_bytes(), || self.is_stopped())
            }
            Some(Fault::ErrorEvent(kind)) => {
                let error = json!({ "type": "error", "error": { "type": kind, "message": "sent by the script" } });
                connection.send_chunks(&[events::event("error", &error).as_bytes()])?;
                connection.end_stream()
            }
            _ => {
                connection.end_stream()?;
                self.seen().answered.push(Answer { number: request.number, at: Instant::now() });
                self.news.notify_all();
                Ok(())
            }
        }
    }
}

/// All at once, or one by one where there is a pause between them.
fn batches(events: &[String], pause: Duration) -> Vec<String> {
    if pause.is_zero() { vec![events.concat()] } else { events.to_vec() }
}

fn is_authorised(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    header("x-api-key") == Some(KEY) || header("authorization") == Some(&format!("Bearer {KEY}"))
}

fn refuse(connection: &mut Connection, code: u16, kind: &str, message: &str) -> io::Result<()> {
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    connection.respond(code, &json, script::error_body(kind, message).as_bytes())
}
