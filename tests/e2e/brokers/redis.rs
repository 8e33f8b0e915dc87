//! A real Redis server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::tls::Certificates;
use super::{Broker, Server, all_events, is_caught_up_with, notices, program, run_to};
use crate::support::greeting::{GREETING, script};
use crate::support::messages_api::MessagesApi;
use crate::support::ports::free_port;
use crate::support::session::Session;

const PASSWORD: &str = "bus-password";

/// A server that keeps what it takes in the folder beside the workspace.
struct Redis {
    program: PathBuf,
    port: u16,
    certificates: Option<Certificates>,
}

impl Redis {
    fn new(certificates: Option<Certificates>) -> Option<Self> {
        Some(Self { program: program("redis-server")?, port: free_port(), certificates })
    }

    /// `redis-cli` with these arguments; its standard output.
    fn client(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.program.with_file_name("redis-cli"));
        command.args(["-p", &self.port.to_string(), "--no-auth-warning", "-a", PASSWORD]);
        if let Some(certificates) = &self.certificates {
            command.arg("--tls").arg("--cacert").arg(&certificates.issuer);
        }
        let output = command.args(arguments).output().expect("redis-cli runs");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Broker for Redis {
    fn start(&self, folder: &Path) -> Server {
        let mut command = Command::new(&self.program);
        command.args(["--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", "", "--dir"]).arg(folder);
        command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        let port = self.port.to_string();
        match &self.certificates {
            None => command.args(["--port", &port]),
            Some(Certificates { certificate, key, .. }) => command
                .args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no", "--tls-cert-file"])
                .arg(certificate)
                .arg("--tls-key-file")
                .arg(key),
        };
        Server::start(command.stdout(Stdio::null()), self.port)
    }

    fn address(&self, password: &str) -> String {
        let scheme = if self.certificates.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://:{password}@127.0.0.1:{}/0", self.port)
    }

    fn events(&self) -> Vec<Value> {
        let text = self.client(&["--json", "XRANGE", "baton:events", "-", "+"]);
        let found: Vec<(String, Vec<String>)> = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        let read = |(_, fields): (String, Vec<String>)| {
            let event: Value = serde_json::from_str(&fields[3]).unwrap();
            assert_eq!(fields[1], format!("{}:{}", event["run"].as_str().unwrap(), event["seq"]));
            event
        };
        found.into_iter().map(read).collect()
    }
}

#[test]
fn redis_gets_every_event_in_order_and_what_it_missed_while_it_was_down() {
    let Some(redis) = Redis::new(None) else { return };
    is_caught_up_with(&redis);
}

#[test]
fn a_redis_that_is_full_is_told_of_once_and_gets_everything_when_there_is_room() {
    let Some(redis) = Redis::new(None) else { return };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = redis.start(&session.path(".."));
    redis.client(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    redis.client(&["CONFIG", "SET", "maxmemory", "1"]);
    let (sink, began) = (redis.address(PASSWORD), Instant::now());
    run_to(&session, &api, &sink).env("BATON_RETRY_BASE", "20ms").run().expect(0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let shown = format!("redis://127.0.0.1:{}", redis.port);
    let told = format!("Events do not reach {shown}: it answers OOM command not allowed");
    assert_eq!((notices(&session, &told), notices(&session, "do not reach")), (1, 1));
    redis.client(&["CONFIG", "SET", "maxmemory", "0"]);
    session.baton(["events", "--flush"]).env("BATON_SINKS", &sink).run().expect(0);
    assert_eq!(redis.events(), all_events(&session));
}

#[test]
fn a_redis_that_lets_nothing_be_written_refuses_for_good() {
    let Some(redis) = Redis::new(None) else { return };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = redis.start(&session.path(".."));
    redis.client(&[
        "ACL",
        "SETUSER",
        "reader",
        "on",
        ">reader-password",
        "~*",
        "+@read",
        "+@connection",
        "+@transaction",
    ]);
    let sink = format!("redis://reader:reader-password@127.0.0.1:{}/0", redis.port);
    run_to(&session, &api, &sink).run().expect(0);
    let told = "takes no events: it refuses the credentials of its address, or lets them write no stream";
    assert_eq!(notices(&session, told), 1);
    redis.client(&["SET", "baton:events", "no stream"]);
    let done = session.baton(["events", "--flush"]).env("BATON_SINKS", redis.address(PASSWORD)).run().expect(5);
    done.reports("takes none: its key baton:events is no stream");
}

#[test]
fn redis_is_reached_by_tls_where_its_issuer_is_trusted_and_not_otherwise() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(redis) = Redis::new(Some(certificates)) else { return };
    let trusted = redis.certificates.as_ref().unwrap();
    super::tls::only_a_trusted_one_gets_events(&redis, trusted, PASSWORD);
}
