//! A real NATS server with JetStream.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use serde_json::Value;

use super::nkeys::{user_with_seed, user_with_token};
use super::tls::Certificates;
use super::{Broker, Server, all_events, doctor, finds, is_caught_up_with, notices, run_to, skip_without};
use crate::support::greeting::{GREETING, script};
use crate::support::messages_api::MessagesApi;
use crate::support::ports::free_port;
use crate::support::session::Session;

const PASSWORD: &str = "bus-password";

/// A server that keeps what it takes in the folder beside the workspace.
struct Nats {
    program: PathBuf,
    port: u16,
    certificates: Option<Certificates>,
    has_streams: bool,
    /// What its configuration says of who is let in, and a file with the credentials of one.
    users: Option<(String, PathBuf)>,
}

impl Nats {
    /// The server that `tests/setup.sh broker` installs.
    fn new() -> Option<Self> {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        let program = cache.map(|cache| cache.join("baton-tests/nats-2.15.1/bin/nats-server"));
        let program = skip_without("nats-server", program.filter(|file| file.is_file()))?;
        Some(Self { program, port: free_port(), certificates: None, has_streams: true, users: None })
    }

    /// What is done with a client of the server.
    fn with<T>(&self, act: impl AsyncFnOnce(Context) -> T) -> T {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let mut options = ConnectOptions::new();
            options = match &self.users {
                None => options.user_and_password("me".to_owned(), PASSWORD.to_owned()),
                Some((_, file)) => match std::fs::read_to_string(file).unwrap() {
                    seed if seed.starts_with("SU") => options.nkey(seed.trim().to_owned()),
                    credentials => options.credentials(&credentials).unwrap(),
                },
            };
            if let Some(certificates) = &self.certificates {
                options = options.require_tls(true).add_root_certificates(certificates.issuer.clone());
            }
            let client = options.connect(format!("nats://127.0.0.1:{}", self.port)).await.unwrap();
            act(jetstream::new(client)).await
        })
    }

    /// The configuration of the stream.
    fn stream(&self) -> Config {
        self.with(async |context| context.get_stream("BATON").await.unwrap().cached_info().config.clone())
    }
}

impl Broker for Nats {
    fn start(&self, folder: &Path) -> Server {
        let mut command = Command::new(&self.program);
        if self.has_streams {
            command.arg("-js");
        }
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]).arg(folder.join("jetstream"));
        match &self.users {
            None => command.args(["--user", "me", "--pass", PASSWORD]),
            Some((configuration, _)) => {
                let file = folder.join("nats.conf");
                std::fs::write(&file, configuration).unwrap();
                command.arg("-c").arg(file)
            }
        };
        if let Some(Certificates { certificate, key, .. }) = &self.certificates {
            command.args(["--tls", "--tlscert"]).arg(certificate).arg("--tlskey").arg(key);
        }
        Server::start(command.stdout(Stdio::null()).stderr(Stdio::null()), self.port)
    }

    fn address(&self, password: &str) -> String {
        let scheme = if self.certificates.is_some() { "tls" } else { "nats" };
        match &self.users {
            None => format!("{scheme}://me:{password}@127.0.0.1:{}", self.port),
            Some((_, file)) => format!("{scheme}://127.0.0.1:{}?creds={}", self.port, file.display()),
        }
    }

    fn events(&self) -> Vec<Value> {
        self.with(async |context| {
            let mut stream = context.get_stream("BATON").await.unwrap();
            let state = stream.info().await.unwrap().state.clone();
            let mut found = Vec::new();
            for sequence in state.first_sequence..=state.last_sequence {
                let message = stream.get_raw_message(sequence).await.unwrap();
                let event: Value = serde_json::from_slice(&message.payload).unwrap();
                let word = |name: &str| event[name].as_str().unwrap().to_owned();
                let subject = format!("baton.events.{}.{}.{}", word("workflow"), word("phase"), word("status"));
                assert_eq!(message.subject.to_string(), subject);
                found.push(event);
            }
            found
        })
    }
}

#[test]
fn jetstream_keeps_every_event_once_and_what_it_missed_while_it_was_down() {
    let Some(nats) = Nats::new() else { return };
    is_caught_up_with(&nats);
}

#[test]
fn the_stream_that_is_made_keeps_events_for_a_month_and_one_that_is_there_stays_as_it_is() {
    let Some(nats) = Nats::new() else { return };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = nats.start(&session.path(".."));
    finds(doctor(&session, &api, &nats.address(PASSWORD)), &format!("nats://127.0.0.1:{} answers", nats.port));
    let made = nats.stream();
    assert_eq!((made.max_age, made.duplicate_window), (Duration::from_secs(30 * 86_400), Duration::from_secs(3600)));
    let other = Config { max_age: Duration::from_secs(86_400), ..made };
    nats.with(async |context| drop(context.update_stream(&other).await.unwrap()));
    run_to(&session, &api, &nats.address(PASSWORD)).run().expect(0);
    assert_eq!(nats.stream().max_age, other.max_age);
    assert_eq!(nats.events(), all_events(&session));
}

#[test]
fn a_stream_that_is_full_is_told_of_once_and_gets_everything_when_there_is_room() {
    let Some(nats) = Nats::new() else { return };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = nats.start(&session.path(".."));
    let full = Config {
        name: "BATON".to_owned(),
        subjects: vec!["baton.events.>".to_owned()],
        max_messages: 3,
        discard: DiscardPolicy::New,
        ..Config::default()
    };
    nats.with(async |context| drop(context.create_stream(&full).await.unwrap()));
    let (sink, began) = (nats.address(PASSWORD), Instant::now());
    run_to(&session, &api, &sink).env("BATON_RETRY_BASE", "20ms").run().expect(0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let told = format!("Events do not reach nats://127.0.0.1:{}: maximum messages exceeded", nats.port);
    assert_eq!((notices(&session, &told), notices(&session, "do not reach")), (1, 1));
    assert_eq!(nats.events(), all_events(&session)[..3]);
    let roomy = Config { max_messages: -1, ..full };
    nats.with(async |context| drop(context.update_stream(&roomy).await.unwrap()));
    session.baton(["events", "--flush"]).env("BATON_SINKS", &sink).run().expect(0);
    assert_eq!(nats.events(), all_events(&session));
}

#[test]
fn nats_is_reached_by_tls_where_its_issuer_is_trusted_and_not_otherwise() {
    let Some(certificates) = Certificates::make() else { return };
    let Some(nats) = Nats::new() else { return };
    let nats = Nats { certificates: Some(certificates), ..nats };
    super::tls::only_a_trusted_one_gets_events(&nats, nats.certificates.as_ref().unwrap(), PASSWORD);
}

/// With these credentials in a file, and no others, a server takes events.
fn is_let_in_by_a_file(credentials: &str, configuration: String, others: &str) {
    let Some(nats) = Nats::new() else { return };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let file = session.path("../baton.creds");
    std::fs::write(&file, credentials).unwrap();
    let nats = Nats { users: Some((configuration, file.clone())), ..nats };
    let _server = nats.start(&session.path(".."));
    let sink = nats.address("");
    run_to(&session, &api, &sink).run().expect(0);
    assert_eq!(nats.events(), all_events(&session));
    finds(doctor(&session, &api, &sink), &format!("nats://127.0.0.1:{}/… answers", nats.port));
    let refuses = |content: Option<&str>, why: &str| {
        match content {
            Some(content) => std::fs::write(&file, content).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        finds(doctor(&session, &api, &sink), &format!("/… takes no events: {why}"));
    };
    let named = format!("its credentials file {}", file.display());
    refuses(Some(others), "it refuses the credentials of its address");
    refuses(Some("hunter2-password"), &format!("{named} holds neither"));
    refuses(Some("SU2"), "its credentials file holds no seed of a user's NKey");
    refuses(None, &format!("{named} is missing"));
}

#[test]
fn a_credentials_file_with_a_token_lets_events_in() {
    let (credentials, configuration) = user_with_token();
    let (other, _) = user_with_seed();
    is_let_in_by_a_file(&credentials, configuration, &other);
}

#[test]
fn a_file_with_the_seed_of_an_nkey_lets_events_in() {
    let (seed, configuration) = user_with_seed();
    let (other, _) = user_with_token();
    is_let_in_by_a_file(&format!("{seed}\n"), configuration, &other);
}

#[test]
fn another_stream_may_take_events() {
    let Some(nats) = Nats::new() else { return };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = nats.start(&session.path(".."));
    let other = Config { name: "ALL".to_owned(), subjects: vec!["baton.>".to_owned()], ..Config::default() };
    nats.with(async |context| drop(context.create_stream(&other).await.unwrap()));
    let sink = nats.address(PASSWORD);
    finds(doctor(&session, &api, &sink), " answers; its stream ALL takes events");
    run_to(&session, &api, &sink).run().expect(0);
    let kept = nats.with(async |context| context.get_stream("ALL").await.unwrap().cached_info().state.messages);
    assert_eq!(kept, all_events(&session).len() as u64);
}

#[test]
fn a_server_without_streams_is_told_of() {
    let Some(nats) = Nats::new() else { return };
    let nats = Nats { has_streams: false, ..nats };
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let _server = nats.start(&session.path(".."));
    let sink = nats.address(PASSWORD);
    run_to(&session, &api, &sink).run().expect(0);
    assert_eq!(notices(&session, "takes no events: it has no JetStream; start it with that (-js)"), 1);
    finds(doctor(&session, &api, &sink), " takes no events: it has no JetStream; start it with that (-js)");
}
