//! A web server on loopback that is sent events: it answers as a test says, and keeps what it was sent.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How a request is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// With this status.
    Status(u16),
    /// Not at all: the connection is closed in the middle.
    Close,
    /// With 200, after this long.
    After(Duration),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Posted {
    /// What it was answered with.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body as it came.
    pub body: String,
}

/// The server. It ends with the test.
pub struct WebHook {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    /// The answers to the next requests.
    next: VecDeque<Answer>,
    /// The answer to those after.
    then: Answer,
    posted: Vec<Posted>,
}

impl WebHook {
    /// A server that answers these requests so, and all others with 200.
    pub fn start(next: impl IntoIterator<Item = Answer>) -> Self {
        Self::on(0, next)
    }

    /// The same at a port.
    pub fn on(port: u16, next: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let next = next.into_iter().collect();
        let state = Arc::new(Mutex::new(State { next, then: Answer::Status(200), posted: Vec::new() }));
        let served = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&served);
                thread::spawn(move || serve(&stream, &state));
            }
        });
        Self { port, state }
    }

    /// What all other requests are answered with from now on.
    pub fn then(&self, answer: Answer) {
        self.state().then = answer;
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/path-secret", self.port)
    }

    /// What people may see of the address.
    pub fn shown(&self) -> String {
        format!("http://127.0.0.1:{}/…", self.port)
    }

    /// All requests so far.
    pub fn posted(&self) -> Vec<Posted> {
        self.state().posted.clone()
    }

    /// The events that were answered with 200, as they came.
    pub fn taken(&self) -> Vec<Value> {
        let taken = self.posted().into_iter().filter(|posted| posted.status == 200);
        taken.map(|posted| serde_json::from_str(&posted.body).expect("an event")).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let is_event = line.starts_with("POST");
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let mut body = vec![0; headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let answer = {
            let mut state = state.lock().ok()?;
            let next = if is_event { state.next.pop_front() } else { None };
            next.unwrap_or(state.then)
        };
        let status = match answer {
            Answer::Status(status) => status,
            Answer::Close => 0,
            Answer::After(_) => 200,
        };
        if is_event {
            let body = String::from_utf8(body).ok()?;
            state.lock().ok()?.posted.push(Posted { status, headers, body });
        }
        match answer {
            Answer::Close => {
                let mut stream = stream;
                let _ = stream.write_all(b"HTTP/1.1 2");
                return None;
            }
            Answer::After(time) => thread::sleep(time),
            Answer::Status(_) => {}
        }
        let mut stream = stream;
        stream.write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n").as_bytes()).ok()?;
    }
}
