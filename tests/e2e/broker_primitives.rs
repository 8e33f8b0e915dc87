//! What a broker offers for work that is done elsewhere, at a real NATS server (`tests/setup.sh broker`): what it keeps through a
//! kill, what it says when it lost everything, and that nothing is taken which is not sealed for its place.
#![cfg(all(unix, feature = "nats"))]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use baton::bus::{AppendFault, Broker, BrokerFault, BrokerTimes, BusKey, LogEntry, Read};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::brokers::Server;
use crate::support::broker::nats_server;
use crate::support::ports::free_port;

const KEY: &str = "the key of these tests, long enough";
const LIMIT: Duration = Duration::from_secs(30);
const SHORT: BrokerTimes = BrokerTimes { ack_wait: Duration::from_secs(2), presence: Duration::from_secs(5) };
/// Longer than a body that goes in a message.
const LARGE: usize = 700 * 1024;

/// A server of the test's own. Killed as it is dropped.
struct Nats {
    program: PathBuf,
    port: u16,
    storage: TempDir,
    server: Option<Server>,
}

impl Nats {
    fn start() -> Option<Self> {
        let (program, port, storage) = (nats_server()?, free_port(), TempDir::new().unwrap());
        let mut nats = Self { program, port, storage, server: None };
        nats.start_again();
        Some(nats)
    }

    fn kill(&mut self) {
        self.server = None;
    }

    fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &self.port.to_string(), "-sd"]).arg(self.storage.path());
        self.server = Some(Server::start(command.stdout(Stdio::null()).stderr(Stdio::null()), self.port));
    }

    fn lose_everything(&mut self) {
        self.kill();
        self.storage = TempDir::new().unwrap();
        self.start_again();
    }

    fn address(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    async fn broker_with(&self, key: &str) -> Broker {
        let key = BusKey::new(key).unwrap();
        let broker = Broker::connect_with(&self.address(), key, "test", SHORT).await.expect("a connection");
        broker.prepare().await.expect("streams");
        broker
    }

    async fn broker(&self) -> Broker {
        self.broker_with(KEY).await
    }

    /// The server without our code.
    async fn plain(&self) -> jetstream::Context {
        jetstream::new(async_nats::connect(self.address()).await.unwrap())
    }
}

/// A future that is done in time.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("waited for {what}"))
}

/// Asks again until there is a connection, as long as it fails for want of one.
async fn when_reachable<T, F: Future<Output = Result<T, BrokerFault>>>(
    mut ask: impl FnMut() -> F,
) -> Result<T, BrokerFault> {
    let end = Instant::now() + LIMIT;
    loop {
        match ask().await {
            Err(BrokerFault::Unreachable { .. }) if Instant::now() < end => {}
            done => return done,
        }
    }
}

fn bodies(read: &[Read]) -> Vec<String> {
    let text = |read: &Read| match read {
        Read::Entry(LogEntry { body, .. }) => String::from_utf8(body.clone()).unwrap(),
        Read::Unsealed { .. } => "(unsealed)".to_owned(),
    };
    read.iter().map(text).collect()
}

fn entry(read: Read) -> LogEntry {
    match read {
        Read::Entry(entry) => entry,
        Read::Unsealed { seq } => panic!("{seq} is not sealed"),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_append_at_once_one_is_behind() {
    let Some(nats) = Nats::start() else { return };
    let (one, two) = (nats.broker().await.log("w", "j"), nats.broker().await.log("w", "j"));
    let mut after = 0;
    for _ in 0..20 {
        // The same body: it must not pass for the other's entry.
        let (first, second) = tokio::join!(one.append(after, b"mine"), two.append(after, b"mine"));
        after = match (first, second) {
            (Ok(seq), Err(AppendFault::Behind)) | (Err(AppendFault::Behind), Ok(seq)) => seq,
            both => panic!("{both:?}"),
        };
    }
    assert_eq!(one.read().await.unwrap().len(), 20);
    assert_eq!(one.append(0, b"late").await, Err(AppendFault::Behind));
}

/// Forwards connections to a server. Once told, it lets one acknowledgement of the logs get lost, and the connection with it.
async fn forgetful(server: u16, forget: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let forget = Arc::clone(&forget);
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(async move {
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let upwards = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                    let text = String::from_utf8_lossy(&bytes[..count]);
                    let is_ack = text.contains(r#"{"stream":"BATON_WORK","#);
                    if is_ack && forget.swap(false, Ordering::SeqCst) {
                        break;
                    }
                    if to_client.write_all(&bytes[..count]).await.is_err() {
                        break;
                    }
                }
                upwards.abort();
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_whose_acknowledgement_got_lost_stands_there_once() {
    let Some(nats) = Nats::start() else { return };
    nats.broker().await;
    let forget = Arc::new(AtomicBool::new(false));
    let port = forgetful(nats.port, Arc::clone(&forget)).await;
    let key = BusKey::new(KEY).unwrap();
    let broker = Broker::connect(&format!("nats://127.0.0.1:{port}"), key, "test").await.unwrap();
    let log = broker.log("w", "j");
    assert_eq!(log.append(0, b"first").await, Ok(1));
    forget.store(true, Ordering::SeqCst);
    assert_eq!(soon("the entry", log.append(1, b"second")).await, Ok(2));
    assert!(!forget.load(Ordering::SeqCst), "an acknowledgement got lost");
    assert_eq!(bodies(&nats.broker().await.log("w", "j").read().await.unwrap()), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_comes_again_when_its_taker_is_not_heard_of_and_goes_when_it_is_done() {
    let Some(nats) = Nats::start() else { return };
    let (one, two) = (nats.broker().await, nats.broker().await);
    for _ in 0..2 {
        one.offer(None, "job-1", b"work").await.unwrap();
    }
    let taken = one.take(&[], LIMIT).await.unwrap().expect("a job");
    assert_eq!((taken.id.as_str(), taken.delivery, taken.queued, taken.body.as_slice()), ("job-1", 1, 1, &b"work"[..]));
    // Offered twice, it is there once; and while its taker speaks, it stays there.
    let kept = Instant::now();
    while kept.elapsed() < SHORT.ack_wait * 2 {
        taken.keep().await;
        assert!(two.take(&[], SHORT.ack_wait / 4).await.unwrap().is_none());
    }
    drop(taken);
    let again = two.take(&[], LIMIT).await.unwrap().expect("the job of the first");
    assert_eq!((again.id.as_str(), again.delivery, again.queued), ("job-1", 2, 1));
    again.give_back(Duration::ZERO).await;
    let third = one.take(&[], LIMIT).await.unwrap().expect("what was given back");
    assert_eq!(third.delivery, 3);
    third.done().await;
    let stream = nats.plain().await.get_stream("BATON_JOBS").await.unwrap();
    assert_eq!(stream.get_info().await.unwrap().state.messages, 0);
    assert!(two.take(&[], SHORT.ack_wait * 2).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_a_tag_goes_to_those_that_have_it() {
    let Some(nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    let tags = ["gpu box".to_owned(), "any".to_owned()];
    broker.offer(Some("gpu box"), "1", b"").await.unwrap();
    assert!(broker.take(&[], Duration::from_millis(500)).await.unwrap().is_none());
    assert!(broker.take(&["gpu_box".to_owned()], Duration::from_millis(500)).await.unwrap().is_none());
    broker.offer(Some("any"), "2", b"").await.unwrap();
    broker.offer(None, "3", b"").await.unwrap();
    let mut found = Vec::new();
    // What two consumers hand out at once is given back, and comes again.
    while found.len() < 3 {
        let taken = soon("a job", broker.take(&tags, LIMIT)).await.unwrap().expect("a job");
        taken.done().await;
        found.push(taken.id);
    }
    found.sort();
    assert_eq!(found, ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_take_that_waits_gets_a_job_after_the_broker_was_killed_and_started_again() {
    let Some(mut nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    let waiting = tokio::spawn({
        let broker = broker.clone();
        async move { when_reachable(|| broker.take(&[], LIMIT)).await }
    });
    nats.kill();
    nats.start_again();
    when_reachable(|| broker.offer(None, "1", b"work")).await.unwrap();
    assert_eq!(soon("the job", waiting).await.unwrap().unwrap().expect("a job").body, b"work");
}

#[tokio::test(flavor = "multi_thread")]
async fn following_goes_on_after_the_broker_was_killed() {
    let Some(mut nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    let log = broker.log("w", "j.1");
    let mut last = log.append(0, b"0").await.unwrap();
    broker.log("w", "j.2").append(0, b"of another").await.unwrap();
    last = log.append(last, b"1").await.unwrap();
    let (mut follow, mut late) = (log.follow(0), log.follow(last));
    let mut found = Vec::new();
    for _ in 0..2 {
        found.push(soon("what is there", follow.next()).await.unwrap());
    }
    nats.kill();
    // It waits for what is not there yet; dropped meanwhile, it loses nothing.
    assert!(timeout(Duration::from_millis(300), follow.next()).await.is_err());
    nats.start_again();
    for text in ["2", "3", "4"] {
        last = when_reachable(|| async {
            log.append(last, text.as_bytes()).await.map_err(|fault| match fault {
                AppendFault::Fault(fault) => fault,
                AppendFault::Behind => panic!("nobody else appends"),
            })
        })
        .await
        .unwrap();
        found.push(soon("the next", follow.next()).await.unwrap());
        assert_eq!(entry(soon("the next", late.next()).await.unwrap()).seq, last);
    }
    assert_eq!(bodies(&found), ["0", "1", "2", "3", "4"]);
    assert_eq!(log.read().await.unwrap(), found);
    let waiting = tokio::spawn(async move { follow.next().await });
    let sent = Instant::now();
    log.append(last, b"5").await.unwrap();
    let next = entry(soon("the last", waiting).await.unwrap().unwrap());
    assert_eq!(next.body, b"5");
    assert!(sent.elapsed() < Duration::from_secs(4), "it is told, and does not only look now and then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_lost_everything_says_so_and_what_was_captured_before_does_not_verify() {
    let Some(mut nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    let log = broker.log("w", "j");
    log.append(0, b"before").await.unwrap();
    let captured = nats.plain().await.get_stream("BATON_WORK").await.unwrap().get_raw_message(1).await.unwrap();
    let mut follow = log.follow(0);
    assert_eq!(entry(follow.next().await.unwrap()).body, b"before");
    nats.lose_everything();
    let lost = soon("the loss to be found", follow.next()).await.unwrap_err();
    assert!(matches!(lost, BrokerFault::Lost { .. }) && lost.may_pass(), "{lost}");
    assert!(matches!(broker.offer(None, "1", b"").await, Err(BrokerFault::Lost { .. })));
    assert!(matches!(log.append(0, b"").await, Err(AppendFault::Fault(BrokerFault::Lost { .. }))));
    assert!(matches!(broker.announce("me", b"").await, Err(BrokerFault::Lost { .. })));
    assert!(matches!(broker.has_file(&sha256(b"")).await, Err(BrokerFault::Lost { .. })));
    broker.prepare().await.unwrap();
    let lost = soon("the new stream to be found", follow.next()).await.unwrap_err();
    assert!(matches!(lost, BrokerFault::Lost { .. }), "{lost}");
    // Nobody takes the new stream, which is empty, for the log that was read.
    assert!(matches!(log.read_behind(1).await, Err(BrokerFault::Lost { .. })));
    assert!(matches!(log.append(1, b"").await, Err(AppendFault::Fault(BrokerFault::Lost { .. }))));
    let log = broker.log("w", "j");
    let plain = nats.plain().await;
    let sent = plain.publish_with_headers(captured.subject, captured.headers, captured.payload).await.unwrap();
    sent.await.unwrap();
    assert_eq!(log.read().await.unwrap(), [Read::Unsealed { seq: 1 }]);
    log.append(1, b"after").await.unwrap();
    assert_eq!(bodies(&log.read().await.unwrap()), ["(unsealed)", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_connection_breaks_is_not_waited_for() {
    let Some(program) = nats_server() else { return };
    let mut server = crate::support::broker::Broker::start(&program);
    let key = BusKey::new(KEY).unwrap();
    let broker = Broker::connect_with(&server.url(), key, "test", SHORT).await.expect("a connection");
    broker.prepare().await.unwrap();
    let log = broker.log("w", "j");
    log.append(0, b"first").await.unwrap();
    server.stop();
    let mut reading = Box::pin(log.read());
    assert!(futures::poll!(&mut reading).is_pending());
    server.kill();
    server.restart();
    let again = Instant::now();
    let read = soon("the request to end", reading).await;
    assert!(matches!(read, Ok(_) | Err(BrokerFault::Unreachable { .. })), "{read:?}");
    assert!(
        again.elapsed() < Duration::from_secs(7),
        "it ends with the connection, not when it has waited long enough"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_at_another_place_or_altered_does_not_verify() {
    let Some(nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    let (log, other) = (broker.log("w", "j"), broker.log("w", "k"));
    log.append(0, b"first").await.unwrap();
    let plain = nats.plain().await;
    let stream = plain.get_stream("BATON_WORK").await.unwrap();
    let original = stream.get_raw_message(1).await.unwrap();
    let publish = async |subject: String, headers: async_nats::HeaderMap, payload: Vec<u8>| {
        plain.publish_with_headers(subject, headers, payload.into()).await.unwrap().await.unwrap();
    };
    let mut headers = original.headers.clone();
    headers.insert("Nats-Expected-Last-Subject-Sequence", "1");
    // To a later place, to another subject at the same place, and altered by a byte, each with its own seal.
    publish("baton.work.w.j".to_owned(), headers, original.payload.to_vec()).await;
    publish("baton.work.w.k".to_owned(), original.headers.clone(), original.payload.to_vec()).await;
    publish("baton.work.w.l".to_owned(), original.headers.clone(), b"fIrst".to_vec()).await;
    // No seal at all.
    publish("baton.work.w.m".to_owned(), async_nats::HeaderMap::new(), b"first".to_vec()).await;
    assert_eq!(bodies(&log.read().await.unwrap()), ["first", "(unsealed)"]);
    for job in ["k", "l", "m"] {
        assert_eq!(bodies(&broker.log("w", job).read().await.unwrap()), ["(unsealed)"], "{job}");
    }
    let mut follow = log.follow(1);
    assert_eq!(soon("the copy", follow.next()).await.unwrap(), Read::Unsealed { seq: 2 });
    // Whoever read past it goes on behind it.
    log.append(2, b"second").await.unwrap();
    assert_eq!(entry(soon("the next", follow.next()).await.unwrap()).body, b"second");
    other.append(3, b"mine").await.unwrap();
    // An entry of a log is no job.
    publish("baton.jobs.any".to_owned(), original.headers, original.payload.to_vec()).await;
    assert!(matches!(broker.take(&[], LIMIT).await, Err(BrokerFault::Unsealed { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_go_through_the_files() {
    let Some(nats) = Nats::start() else { return };
    let (broker, other) = (nats.broker().await, nats.broker().await);
    let large: Vec<u8> = (0..LARGE).map(|at| u8::try_from(at % 251).unwrap()).collect();
    broker.offer(None, "1", &large).await.unwrap();
    assert!(broker.has_file(&sha256(&large)).await.unwrap());
    let taken = other.take(&[], LIMIT).await.unwrap().expect("a job");
    assert!(taken.body == large);
    let log = other.log("w", "j");
    let mut follow = broker.log("w", "j").follow(0);
    log.append(0, &large[1..]).await.unwrap();
    assert!(entry(soon("the entry", follow.next()).await.unwrap()).body == large[1..]);
    assert!(entry(broker.log("w", "j").read().await.unwrap().remove(0)).body == large[1..]);
    let stream = nats.plain().await.get_stream("BATON_WORK").await.unwrap();
    assert!(stream.get_info().await.unwrap().state.bytes < 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_from_those_with_another_key() {
    let Some(nats) = Nats::start() else { return };
    let (broker, stranger) =
        (nats.broker().await, nats.broker_with("another key of the same kind, and long enough").await);
    stranger.offer(None, "1", b"work").await.unwrap();
    let fault = broker.take(&[], LIMIT).await.err().expect("a fault");
    assert!(matches!(fault, BrokerFault::Unsealed { .. }) && !fault.may_pass(), "{fault}");
    assert!(broker.take(&[], SHORT.ack_wait * 2).await.unwrap().is_none(), "it is gone");
    stranger.log("w", "j").append(0, b"entry").await.unwrap();
    assert_eq!(bodies(&broker.log("w", "j").read().await.unwrap()), ["(unsealed)"]);
    stranger.announce("stranger", b"").await.unwrap();
    broker.announce("friend", b"hello").await.unwrap();
    assert_eq!(broker.announced().await.unwrap(), [("friend".to_owned(), b"hello".to_vec())]);
    let mut signals = broker.signals("w", "j").await.unwrap();
    stranger.signal("w", "j", b"stop").await;
    broker.signal("w", "k", b"of another job").await;
    broker.signal("w", "j", b"go").await;
    assert_eq!(soon("the signal", signals.next()).await.as_deref(), Some(&b"go"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_there_until_it_leaves_or_falls_silent() {
    let Some(nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    for worker in ["one", "two.local"] {
        broker.announce(worker, b"0").await.unwrap();
        broker.announce(worker, worker.as_bytes()).await.unwrap();
    }
    let both = ["one", "two.local"].map(|worker| (worker.to_owned(), worker.as_bytes().to_vec()));
    assert_eq!(broker.announced().await.unwrap(), both);
    broker.withdraw("one").await;
    assert_eq!(broker.announced().await.unwrap(), both[1..]);
    let end = Instant::now() + LIMIT;
    while !broker.announced().await.unwrap().is_empty() {
        assert!(Instant::now() < end, "waited for the worker that says nothing to go");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_70_mib_comes_back_and_is_sent_once() {
    let Some(nats) = Nats::start() else { return };
    let broker = nats.broker().await;
    let mut bytes = vec![7; 70 * 1024 * 1024];
    bytes[12_345_678] = 8;
    let name = sha256(&bytes);
    assert!(!broker.has_file(&name).await.unwrap());
    broker.put_file(&name, bytes.clone()).await.unwrap();
    let stream = nats.plain().await.get_stream("OBJ_baton-files").await.unwrap();
    let stored = stream.get_info().await.unwrap().state.last_sequence;
    broker.put_file(&name, bytes.clone()).await.unwrap();
    assert_eq!(stream.get_info().await.unwrap().state.last_sequence, stored);
    assert!(broker.file(&name).await.unwrap() == bytes);
    let missing = sha256(b"missing");
    assert!(matches!(broker.file(&missing).await, Err(BrokerFault::Lost { .. })));
    assert!(matches!(broker.put_file(&missing, b"other".to_vec()).await, Err(BrokerFault::Other { .. })));
    // A part of it goes.
    stream.delete_message(1).await.unwrap();
    assert!(matches!(broker.file(&name).await, Err(BrokerFault::Unsealed { .. } | BrokerFault::Lost { .. })));
    broker.put_file_again(&name, bytes.clone()).await.unwrap();
    assert!(broker.file(&name).await.unwrap() == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_are_remembered_for_the_longest_time_that_somebody_asks_for() {
    let Some(nats) = Nats::start() else { return };
    // The first one has short times.
    let _first = nats.broker().await;
    let key = BusKey::new(KEY).unwrap();
    let longer = BrokerTimes { presence: Duration::from_secs(90), ..SHORT };
    let second = Broker::connect_with(&nats.address(), key, "test", longer).await.expect("a connection");
    second.prepare().await.unwrap();
    let kept = async || {
        let stream = nats.plain().await.get_stream("KV_baton-workers").await.unwrap();
        stream.get_info().await.unwrap().config.max_age
    };
    assert_eq!(kept().await, Duration::from_secs(90));
    let _third = nats.broker().await;
    assert_eq!(kept().await, Duration::from_secs(90));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_answer_or_refuses_says_why_without_its_address() {
    let Some(nats) = Nats::start() else { return };
    let connect = async |address: &str| Broker::connect(address, BusKey::new(KEY).unwrap(), "test").await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for port in [free_port(), silent.local_addr().unwrap().port()] {
        let began = Instant::now();
        let fault = connect(&format!("nats://me:secret@127.0.0.1:{port}")).await.unwrap_err();
        assert!(matches!(fault, BrokerFault::Unreachable { .. }), "{fault}");
        assert!(!fault.to_string().contains("secret") && !fault.to_string().contains("127.0.0.1"), "{fault}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    let port = free_port();
    let mut command = Command::new(&nats.program);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "--user", "me", "--pass", "bus-password"]);
    let _server = Server::start(command.stdout(Stdio::null()).stderr(Stdio::null()), port);
    let fault = connect(&format!("nats://me:wrong@127.0.0.1:{port}")).await.unwrap_err();
    assert!(matches!(fault, BrokerFault::Refused { .. }), "{fault}");
    let without = connect(&format!("nats://me:bus-password@127.0.0.1:{port}")).await.unwrap();
    let fault = without.prepare().await.unwrap_err();
    assert!(matches!(fault, BrokerFault::Refused { .. }) && fault.to_string().contains("-js"), "{fault}");
}
