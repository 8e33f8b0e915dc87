//! The consumers of `server/docs/events.md`, and real brokers (`tests/setup.sh broker`): what is sent arrives, and what was missed is
//! caught up with. What is not installed is skipped, but not in CI.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::editors::in_repository;
use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::MessagesApi;
use crate::support::session::Session;
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
        let server = Self(command.stdin(Stdio::null()).spawn().expect("the server starts"));
        wait_until("the server to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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

fn run(session: &Session, api: &MessagesApi, sink: &str) {
    let run = session.baton(["run", "--task", TASK, "--auto-approve"]).api(api);
    run.env("BATON_SINKS", sink).env("BATON_SINK_KEY", "bus-secret").run().expect(0);
}

fn again(session: &Session) {
    session.baton(["reset"]).run().expect(0);
    session.write("src/lib.rs", GREETING.trim_start_matches("//- /src/lib.rs\n"));
}

/// The events of all runs, oldest first.
fn all_events(session: &Session) -> Vec<Value> {
    session.runs().iter().flat_map(|run| session.events_of(run)).collect()
}

/// Run the consumer of the page, and compare what it prints with the messages of the events.
fn consumer_prints_every_message(program: &Path, language: &str, file: &str) {
    let (session, api, port) = (Session::new(GREETING), MessagesApi::start(script()), free_port());
    session.write(&format!("../{file}"), example(language));
    let output = session.path("../printed");
    let mut command = Command::new(program);
    command.arg(session.path(&format!("../{file}"))).arg(port.to_string()).env("BATON_SINK_KEY", "bus-secret");
    let _server = Server::start(command.stdout(std::fs::File::create(&output).unwrap()).stderr(Stdio::null()), port);
    run(&session, &api, &format!("http://127.0.0.1:{port}/"));
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

/// The entries of the stream, each with its id and its event.
fn entries(redis: &Path, port: u16) -> Vec<(String, Value)> {
    let mut command = Command::new(redis.with_file_name("redis-cli"));
    command.args(["-p", &port.to_string(), "--no-auth-warning", "-a", "bus-password", "--json"]);
    let output = command.args(["XRANGE", "baton:events", "-", "+"]).output().expect("redis-cli runs");
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<(String, Vec<String>)> = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    found.into_iter().map(|(_, fields)| (fields[1].clone(), serde_json::from_str(&fields[3]).unwrap())).collect()
}

#[test]
fn redis_gets_every_event_in_order_and_what_it_missed_while_it_was_down() {
    let Some(redis) = program("redis-server") else { return };
    let (session, api, port) = (Session::new(GREETING), MessagesApi::start(script()), free_port());
    let start = || {
        let mut command = Command::new(&redis);
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--requirepass",
            "bus-password",
            "--save",
            "",
        ]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(session.path(".."));
        Server::start(command.stdout(Stdio::null()), port)
    };
    let sink = format!("redis://:bus-password@127.0.0.1:{port}/0");
    let server = start();
    run(&session, &api, &sink);
    let found = entries(&redis, port);
    assert_eq!(found.iter().map(|(_, event)| event.clone()).collect::<Vec<_>>(), all_events(&session));
    assert!(found.iter().all(|(id, event)| *id == format!("{}:{}", event["run"].as_str().unwrap(), event["seq"])));
    drop(server);
    again(&session);
    run(&session, &api, &sink);
    let _server = start();
    let wrong = sink.replace("bus-password", "wrong-password");
    let done = session.baton(["events", "--flush"]).env("BATON_SINKS", wrong).run().expect(5);
    done.reports("takes none: it refuses the credentials of its address");
    session.baton(["events", "--flush"]).env("BATON_SINKS", &sink).run().expect(0);
    let events: Vec<Value> = entries(&redis, port).into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, all_events(&session));
    let done = session.baton(["doctor"]).api(&api).env("BATON_SINKS", &sink).run().expect(0);
    done.prints(&format!("redis://127.0.0.1:{port} answers"));
}

#[cfg(feature = "nats")]
mod nats {
    use super::*;
    use crate::support::broker::nats_server;

    #[test]
    fn jetstream_keeps_every_event_once_and_what_it_missed_while_it_was_down() {
        let Some(nats) = nats_server() else { return };
        let (session, api, port) = (Session::new(GREETING), MessagesApi::start(script()), free_port());
        let start = || {
            let mut command = Command::new(&nats);
            command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "--user", "me", "--pass", "bus-password"]);
            command.arg("-sd").arg(session.path("../jetstream"));
            Server::start(command.stdout(Stdio::null()).stderr(Stdio::null()), port)
        };
        let sink = format!("nats://me:bus-password@127.0.0.1:{port}");
        let server = start();
        run(&session, &api, &sink);
        drop(server);
        again(&session);
        run(&session, &api, &sink);
        let _server = start();
        let wrong = sink.replace("bus-password", "wrong-password");
        let done = session.baton(["events", "--flush"]).env("BATON_SINKS", wrong).run().expect(5);
        done.reports("takes none: it refuses the credentials of its address");
        session.baton(["events", "--flush"]).env("BATON_SINKS", &sink).run().expect(0);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let found: Vec<(String, Value)> = runtime.block_on(async {
            let options =
                async_nats::ConnectOptions::with_user_and_password("me".to_owned(), "bus-password".to_owned());
            let client = options.connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
            let mut stream = async_nats::jetstream::new(client).get_stream("BATON").await.unwrap();
            let count = stream.info().await.unwrap().state.messages;
            let mut found = Vec::new();
            for sequence in 1..=count {
                let message = stream.get_raw_message(sequence).await.unwrap();
                found.push((message.subject.to_string(), serde_json::from_slice(&message.payload).unwrap()));
            }
            found
        });
        let events: Vec<Value> = found.iter().map(|(_, event)| event.clone()).collect();
        assert_eq!(events, all_events(&session));
        for (subject, event) in &found {
            let word = |name: &str| event[name].as_str().unwrap().to_owned();
            let expected = format!("baton.events.{}.{}.{}", word("workflow"), word("phase"), word("status"));
            assert_eq!(*subject, expected);
        }
    }

    /// The permissions in `server/docs/workers.md` are enough for what is used there, and for no stream of others outside them.
    #[test]
    fn the_permissions_of_the_page_of_workers_are_enough() {
        let Some(nats) = nats_server() else { return };
        let (session, port) = (Session::new(GREETING), free_port());
        let page = std::fs::read_to_string(in_repository("server/docs/workers.md")).unwrap();
        let start = page.find("permissions: {").expect("permissions");
        let permissions = &page[start..start + page[start..].find("```").expect("the end of the example")];
        let config = format!(
            "listen: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\" }}\n\
             authorization {{ users = [ {{ user: me, password: bus-password, {permissions} }} ] }}\n",
            session.path("../jetstream").display()
        );
        session.write("../nats.conf", config);
        let mut command = Command::new(&nats);
        command.arg("-c").arg(session.path("../nats.conf"));
        let _server = Server::start(command.stdout(Stdio::null()).stderr(Stdio::null()), port);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            use async_nats::jetstream::consumer::{pull, push};
            use async_nats::jetstream::stream::Config;
            use futures::StreamExt;
            let options = async_nats::ConnectOptions::with_user_and_password("me".into(), "bus-password".into());
            let client = options.connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
            let mut signals = client.subscribe("baton.signals.>").await.unwrap();
            let context = async_nats::jetstream::new(client.clone());
            for (name, subject, published) in [
                ("BATON_JOBS", "baton.jobs.>", "baton.jobs.any.a"),
                ("BATON_WORK", "baton.work.>", "baton.work.a.1"),
                ("OBJ_baton-files", "$O.baton-files.>", "$O.baton-files.C.a"),
                ("KV_baton-workers", "$KV.baton-workers.>", "$KV.baton-workers.a"),
            ] {
                let config = Config { name: name.to_owned(), subjects: vec![subject.to_owned()], ..Config::default() };
                let stream = context.create_stream(config).await.unwrap();
                context.publish(published, "x".into()).await.unwrap().await.unwrap();
                let durable = pull::Config { durable_name: Some("d".to_owned()), ..pull::Config::default() };
                let mut taken = stream.create_consumer(durable).await.unwrap().messages().await.unwrap();
                let message = taken.next().await.unwrap().unwrap();
                message.double_ack().await.unwrap();
                let ordered = push::OrderedConfig { deliver_subject: client.new_inbox(), ..Default::default() };
                let mut taken = stream.create_consumer(ordered).await.unwrap().messages().await.unwrap();
                assert_eq!(taken.next().await.unwrap().unwrap().subject.as_str(), published);
            }
            client.publish("baton.signals.a", "x".into()).await.unwrap();
            assert_eq!(signals.next().await.unwrap().subject.as_str(), "baton.signals.a");
            let config = Config { name: "OTHER".to_owned(), subjects: vec!["other.>".to_owned()], ..Config::default() };
            context.create_stream(config).await.unwrap();
            let mut slow = context.clone();
            slow.set_timeout(std::time::Duration::from_millis(500));
            let refused = slow.publish("other.a", "x".into()).await.unwrap().await;
            assert!(refused.is_err(), "what is not named may not be published");
        });
    }
}
