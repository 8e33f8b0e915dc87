//! The consumers of `server/docs/events.md`, and real brokers (`tests/setup.sh broker`): what is sent arrives, and what was missed is
//! caught up with. What is not installed is skipped, but not in CI.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "nats")]
mod nkeys;
#[cfg(feature = "nats")]
mod permissions;
mod redis;
mod tls;

use crate::support::editors::in_repository;
use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::MessagesApi;
use crate::support::ports::free_port;
use crate::support::session::{Baton, Session};
use crate::support::wait::wait_until;

/// A process that ends with the test.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(crate) fn start(command: &mut Command, port: u16) -> Self {
        let mut server = Self(command.stdin(Stdio::null()).spawn().expect("the server starts"));
        wait_until("the server to listen", || {
            // Its port may have been lent to somebody's connection for a moment.
            if matches!(server.0.try_wait(), Ok(Some(_))) {
                server.0 = command.spawn().expect("the server starts");
            }
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }
}

/// A program that `PATH` leads to; else the test is skipped, but not in CI.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    skip_without(name, found)
}

fn skip_without(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{name} is missing: tests/setup.sh");
        use std::io::Write;
        // A test that says why it is skipped says it to whoever looks; where nobody does, it is skipped all the same.
        let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed (tests/setup.sh)");
    }
    found
}

/// The code of a language in the page.
fn example(language: &str) -> String {
    let page = std::fs::read_to_string(in_repository("server/docs/events.md")).unwrap();
    let (_, code) = page.split_once(&format!("```{language}\n")).expect("an example");
    code.split_once("```").unwrap().0.to_owned()
}

/// A run of the greeting to its end, which sends to this sink.
fn run_to(session: &Session, api: &MessagesApi, sink: &str) -> Baton {
    let run = session.baton(["run", "--task", TASK, "--auto-approve"]).api(api);
    run.env("BATON_SINKS", sink).env("BATON_SINK_KEY", "bus-secret")
}

/// The events of all runs, oldest first.
fn all_events(session: &Session) -> Vec<Value> {
    session.runs().iter().flat_map(|run| session.events_of(run)).collect()
}

/// How many events of the runs say this.
fn notices(session: &Session, words: &str) -> usize {
    let says = |event: &&Value| event["message"].as_str().is_some_and(|text| text.contains(words));
    all_events(session).iter().filter(says).count()
}

/// `baton doctor` with this sink.
fn doctor(session: &Session, api: &MessagesApi, sink: &str) -> Baton {
    session.baton(["doctor", "--json"]).api(api).env("BATON_SINKS", sink)
}

/// That it says this of the only sink.
#[track_caller]
fn finds(doctor: Baton, message: &str) {
    let found = doctor.run().expect(0).json();
    let sink = found["checks"].as_array().unwrap().iter().find(|check| check["name"] == "sink").expect("a sink");
    assert!(sink["message"].as_str().unwrap().contains(message), "{sink}");
    assert!(!found.to_string().contains("-password"), "{found}");
}

/// A broker that is a program.
trait Broker {
    /// Start it, with its data in this folder.
    fn start(&self, folder: &Path) -> Server;

    /// Its address as a sink, with this password.
    fn address(&self, password: &str) -> String;

    /// The events that it has, oldest first.
    fn events(&self) -> Vec<Value>;
}

/// It gets every event of a run, and of a run while it was down when it is back; a wrong password is refused.
fn is_caught_up_with(broker: &impl Broker) {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let folder = session.path("..");
    let sink = broker.address("bus-password");
    let server = broker.start(&folder);
    run_to(&session, &api, &sink).run().expect(0);
    assert_eq!(broker.events(), all_events(&session));
    drop(server);
    finds(doctor(&session, &api, &sink), " does not answer: Connection refused");
    session.baton(["reset"]).run().expect(0);
    session.write("src/lib.rs", GREETING.trim_start_matches("//- /src/lib.rs\n"));
    run_to(&session, &api, &sink).run().expect(0);
    let _server = broker.start(&folder);
    let wrong = broker.address("wrong-password");
    let done = session.baton(["events", "--flush"]).env("BATON_SINKS", &wrong).run().expect(5);
    done.reports("takes none: it refuses the credentials of its address");
    finds(doctor(&session, &api, &wrong), " takes no events: it refuses the credentials of its address");
    session.baton(["events", "--flush"]).env("BATON_SINKS", &sink).run().expect(0);
    assert_eq!(broker.events(), all_events(&session));
    finds(doctor(&session, &api, &sink), " answers");
}

/// Run the consumer of the page, and compare what it prints with the messages of the events.
fn consumer_prints_every_message(program: &Path, language: &str, file: &str) {
    let (session, api, port) = (Session::new(GREETING), MessagesApi::start(script()), free_port());
    session.write(&format!("../{file}"), example(language));
    let output = session.path("../printed");
    let mut command = Command::new(program);
    command.arg(session.path(&format!("../{file}"))).arg(port.to_string()).env("BATON_SINK_KEY", "bus-secret");
    let _server = Server::start(command.stdout(std::fs::File::create(&output).unwrap()).stderr(Stdio::null()), port);
    run_to(&session, &api, &format!("http://127.0.0.1:{port}/")).run().expect(0);
    let messages: String =
        all_events(&session).iter().map(|event| format!("{}\n", event["message"].as_str().unwrap())).collect();
    wait_until("the consumer to print the last event", || session.text("../printed").len() >= messages.len());
    assert_eq!(session.text("../printed"), messages);
}

#[test]
fn the_consumer_in_python_prints_every_event() {
    let Some(python) = program("python3") else { return };
    consumer_prints_every_message(&python, "python", "consumer.py");
}

#[test]
fn the_consumer_in_node_prints_every_event() {
    let Some(node) = program("node") else { return };
    consumer_prints_every_message(&node, "js", "consumer.js");
}
