//! A peer at the broker that keeps to no rule: it has the primitives, the key if it is given it, and the plain protocol.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::{self, stream};
use baton::bus::{AppendFault, Broker as Bus, BrokerFault, BrokerTimes, BusKey, Offered, Read};
use futures::StreamExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::support::broker::{BUS_KEY, Broker};
use crate::support::messages_api::Reply;
use crate::support::wait::{PATIENCE, wait_until};

/// A peer.
pub(super) struct Peer {
    runtime: Runtime,
    bus: Bus,
    plain: jetstream::Context,
}

/// A message as it went over the wire.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Vec<u8>,
}

/// All that is published at the broker from a moment on.
#[derive(Clone, Default)]
pub(super) struct Wiretap(Arc<Mutex<Vec<Heard>>>);

/// A job that the peer has claimed.
pub(super) struct Claimed {
    pub(super) workflow: String,
    pub(super) job: String,
    /// The phase, and the task where there is one: `implement/T1`.
    pub(super) words: String,
    pub(super) attempt: u64,
    pub(super) claim: u64,
    offered: Offered,
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a reply submits.
pub(super) fn input(reply: &Reply) -> Value {
    reply.content()[0]["input"].clone()
}

impl Peer {
    /// One that has the key.
    pub(super) fn at(broker: &Broker, wait: Duration) -> Self {
        Self::with_key(broker, BUS_KEY, wait)
    }

    pub(super) fn with_key(broker: &Broker, key: &str, wait: Duration) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let times = BrokerTimes { ack_wait: wait, presence: wait.max(Duration::from_secs(3)) };
        let (bus, plain) = runtime.block_on(async {
            let bus =
                Bus::connect_with(&broker.url(), BusKey::new(key).unwrap(), "peer", times).await.expect("a broker");
            bus.prepare().await.expect("streams");
            (bus, jetstream::new(async_nats::connect(broker.url()).await.expect("a broker")))
        });
        Self { runtime, bus, plain }
    }

    fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        let limited = async { timeout(2 * PATIENCE, future).await };
        self.runtime.block_on(limited).unwrap_or_else(|_| panic!("waited in vain for {what}"))
    }

    /// Hear all that is published from now on.
    pub(super) fn listen(&self) -> Wiretap {
        let tap = Wiretap::default();
        let heard = Arc::clone(&tap.0);
        let mut messages = self.wait("a subscription", async {
            let messages = self.plain.client().subscribe(">").await.expect("a subscription");
            self.plain.client().flush().await.expect("a connection");
            messages
        });
        self.runtime.spawn(async move {
            while let Some(message) = messages.next().await {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(Heard {
                    subject: message.subject.to_string(),
                    headers: message.headers.unwrap_or_default(),
                    payload: message.payload.to_vec(),
                });
            }
        });
        tap
    }

    /// Publish into a stream without our code. An error where the stream does not take it, for it had it a moment ago, say.
    pub(super) fn publish(&self, subject: &str, headers: HeaderMap, payload: Vec<u8>) -> Result<u64, String> {
        self.wait("an acknowledgement", async {
            let sent = self.plain.publish_with_headers(subject.to_owned(), headers, payload.into()).await;
            let sent = sent.map_err(|error| error.to_string())?;
            let ack = sent.await.map_err(|error| error.to_string())?;
            if ack.duplicate { Err("it is known as one that was there already".to_owned()) } else { Ok(ack.sequence) }
        })
    }

    /// Have the queue forget at once which ids it had: else it throws away itself what comes twice within two minutes.
    pub(super) fn forget_ids(&self) {
        self.wait("the queue", async {
            let mut stream = self.plain.get_stream("BATON_JOBS").await.expect("the queue");
            let config = stream.info().await.expect("the queue").config.clone();
            let config = stream::Config { duplicate_window: Duration::from_millis(100), ..config };
            self.plain.update_stream(config).await.expect("another window");
        });
    }

    /// Have all files at the broker be gone.
    pub(super) fn purge_files(&self) {
        self.wait("the files", async {
            let stream = self.plain.get_stream("OBJ_baton-files").await.expect("the files");
            stream.purge().await.expect("no files");
        });
    }

    /// How many messages of the queue were handed out again, to any worker.
    pub(super) fn handed_out_again(&self) -> usize {
        self.wait("the consumer", async {
            let stream = self.plain.get_stream("BATON_JOBS").await.expect("the queue");
            let info = stream.consumer_info("any").await.expect("a consumer");
            info.num_redelivered
        })
    }

    pub(super) fn announce(&self, protocol: u32) {
        let body = json!({
            "protocol": protocol, "worker": "peer", "version": "99.0.0", "slots": 1, "busy": 0, "tags": [], "models": [],
        });
        self.wait("an announcement", self.bus.announce("peer", body.to_string().as_bytes())).expect("announced");
    }

    pub(super) fn offer(&self, id: &str, body: &[u8]) {
        self.wait("an offer", self.bus.offer(None, id, body)).expect("offered");
    }

    pub(super) fn put(&self, bytes: &[u8]) -> String {
        let name = sha256(bytes);
        self.wait("a file", self.bus.put_file(&name, bytes.to_vec())).expect("stored");
        name
    }

    /// The entries of a log that are sealed, with their sequences.
    pub(super) fn entries(&self, workflow: &str, job: &str) -> Vec<(u64, Value)> {
        let read = self.wait("a log", self.bus.log(workflow, job).read()).expect("a log");
        let entry = |read: Read| match read {
            Read::Entry(entry) => Some((entry.seq, serde_json::from_slice(&entry.body).unwrap_or_default())),
            Read::Unsealed { .. } => None,
        };
        read.into_iter().filter_map(entry).collect()
    }

    /// Append bytes behind all there is.
    pub(super) fn append_bytes(&self, workflow: &str, job: &str, body: &[u8]) -> u64 {
        let log = self.bus.log(workflow, job);
        self.wait("an entry", async {
            loop {
                let last = log.read().await.expect("a log").last().map_or(0, |read| match read {
                    Read::Entry(entry) => entry.seq,
                    Read::Unsealed { seq } => *seq,
                });
                match log.append(last, body).await {
                    Ok(seq) => return seq,
                    Err(AppendFault::Behind | AppendFault::Fault(BrokerFault::Unreachable { .. })) => {}
                    Err(fault) => panic!("{fault}"),
                }
            }
        })
    }

    pub(super) fn append(&self, claimed: &Claimed, entry: &Value) -> u64 {
        self.append_bytes(&claimed.workflow, &claimed.job, entry.to_string().as_bytes())
    }

    /// Take the next job and claim it, as a worker does.
    pub(super) fn claim(&self) -> Claimed {
        let offered = self.wait("a job", self.bus.take(&[], PATIENCE)).expect("the queue").expect("a job");
        let job: Value = serde_json::from_slice(&offered.body).expect("a job");
        let word = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
        let words = if job["task"].is_string() { format!("{}/{}", word("phase"), word("task")) } else { word("phase") };
        let attempt = job["attempt"].as_u64().expect("an attempt");
        let mut claimed = Claimed { workflow: word("workflow"), job: word("job"), words, attempt, claim: 0, offered };
        let entry = json!({
            "kind": "claimed", "attempt": attempt, "queued": claimed.offered.queued, "worker": "peer", "version": "99.0.0",
        });
        claimed.claim = self.append(&claimed, &entry);
        claimed
    }

    /// Submit something. Answers the sequence.
    pub(super) fn submit(&self, claimed: &Claimed, input: &Value, files: &Value) -> u64 {
        let submission = json!({
            "input": input, "submit_try": { "number": 1, "is_last": false }, "files": files, "refused": [], "tries": [],
        });
        self.append(claimed, &json!({ "kind": "submitted", "claim": claimed.claim, "submission": submission }))
    }

    /// What was found wrong with what was submitted at this place.
    pub(super) fn verdict(&self, claimed: &Claimed, submitted: u64) -> Vec<Value> {
        let judged = || {
            let entries = self.entries(&claimed.workflow, &claimed.job);
            entries.into_iter().find(|(seq, entry)| *seq > submitted && entry["kind"] == "judged")
        };
        wait_until("a verdict", || {
            std::thread::sleep(Duration::from_millis(20));
            judged().is_some()
        });
        judged().expect("a verdict").1["faults"].as_array().cloned().unwrap_or_default()
    }

    /// Submit what is taken, and be done.
    #[track_caller]
    pub(super) fn finish(&self, claimed: &Claimed, input: &Value, files: &Value) {
        let seq = self.submit(claimed, input, files);
        let faults = self.verdict(claimed, seq);
        assert!(faults.is_empty(), "{}: {faults:?}", claimed.words);
        self.done(claimed);
    }

    pub(super) fn done(&self, claimed: &Claimed) {
        self.wait("the queue", claimed.offered.done());
    }
}

impl Wiretap {
    pub(super) fn heard(&self) -> Vec<Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first message on such a subject that has these words in it.
    pub(super) fn first(&self, subject: &str, words: &str) -> Option<Heard> {
        let is_it = |heard: &Heard| {
            heard.subject.starts_with(subject) && String::from_utf8_lossy(&heard.payload).contains(words)
        };
        self.heard().into_iter().find(is_it)
    }

    /// The same, once it is there.
    #[track_caller]
    pub(super) fn wait_for(&self, subject: &str, words: &str) -> Heard {
        wait_until(&format!("{words} on {subject}"), || {
            std::thread::sleep(Duration::from_millis(5));
            self.first(subject, words).is_some()
        });
        self.first(subject, words).expect("it was there")
    }
}

impl Heard {
    /// Its headers without that which orders the log.
    pub(super) fn free_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        #[expect(clippy::iter_over_hash_type, reason = "the order of headers means nothing")]
        for (name, values) in self.headers.iter() {
            if name.to_string() != "Nats-Expected-Last-Subject-Sequence" {
                for value in values {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        headers
    }

    /// The workflow and the job of an entry.
    pub(super) fn log(&self) -> (String, String) {
        let mut tokens = self.subject.split('.').skip(2).map(str::to_owned);
        (tokens.next().expect("a workflow"), tokens.next().expect("a job"))
    }
}
