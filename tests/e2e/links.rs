//! That the broker and the links of the tests do what tests of workers believe they do, seen by a client of the broker.
#![cfg(all(unix, feature = "nats"))]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, Context, stream};

use crate::support::broker::{Acks, Broker, Link, Subjects, Trouble, Way, nats_server};
use crate::support::wait::wait_until;

/// How long a client waits for an acknowledgement that does not come.
const IN_VAIN: Duration = Duration::from_secs(1);

/// A broker with the stream `S` of the subjects `s.>`, and a client whose link is ours.
struct Lab {
    runtime: tokio::runtime::Runtime,
    broker: Broker,
    link: Link,
    acks: Arc<Acks>,
    client: Context,
}

impl Lab {
    /// `None` where there is no broker to start.
    fn new(seed: u64) -> Option<Self> {
        let broker = Broker::start(&nats_server()?);
        let acks = Arc::new(Acks::default());
        let link = Link::to(broker.address(), seed, Arc::clone(&acks));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let options = async_nats::ConnectOptions::new()
                .reconnect_delay_callback(|_| Duration::from_millis(20))
                .connection_timeout(Duration::from_secs(2));
            let mut client = jetstream::new(options.connect(link.url()).await.unwrap());
            client.set_timeout(Duration::from_secs(10));
            client
        });
        let lab = Self { runtime, broker, link, acks, client };
        lab.make_stream();
        Some(lab)
    }

    fn make_stream(&self) {
        let config = stream::Config { name: "S".into(), subjects: vec!["s.>".into()], ..Default::default() };
        self.runtime.block_on(self.client.create_stream(config)).expect("a stream");
    }

    /// Whether it was acknowledged in so long.
    fn publish(&self, subject: &str, payload: &str, limit: Duration) -> bool {
        let (subject, payload) = (subject.to_owned(), payload.to_owned());
        self.runtime.block_on(async {
            let publish = async { self.client.publish(subject, payload.into()).await.ok()?.await.ok() };
            tokio::time::timeout(limit, publish).await.ok().flatten().is_some()
        })
    }

    /// Publish it until it is acknowledged: what is written before the client has seen that its connection is closed is lost
    /// with it.
    #[track_caller]
    fn publishes(&self, subject: &str, payload: &str) {
        let is_acknowledged = || self.publish(subject, payload, Duration::from_secs(5));
        wait_until(&format!("{payload} to be acknowledged"), is_acknowledged);
    }

    /// What the stream holds, asked past the link.
    fn stored(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let client = jetstream::new(async_nats::connect(self.broker.url()).await.unwrap());
            let stream = client.get_stream("S").await.unwrap();
            let last = stream.cached_info().state.last_sequence;
            let mut found = Vec::new();
            for sequence in 1..=last {
                let message = stream.get_raw_message(sequence).await.unwrap();
                found.push(String::from_utf8(message.payload.to_vec()).unwrap());
            }
            found
        })
    }
}

#[test]
fn a_killed_broker_comes_back_with_what_it_kept_and_one_whose_storage_is_lost_with_nothing() {
    let Some(mut lab) = Lab::new(1) else { return };
    lab.publishes("s.a", "kept");
    lab.broker.restart();
    lab.publishes("s.a", "after it");
    assert_eq!(lab.stored(), ["kept", "after it"]);
    lab.broker.restart_empty();
    assert!(!lab.publish("s.a", "nowhere", Duration::from_secs(2)), "there is no stream that could take it");
    lab.make_stream();
    lab.publishes("s.a", "anew");
    assert_eq!(lab.stored(), ["anew"]);
    assert_eq!(lab.broker.monitoring("varz")["port"], lab.broker.address().port());
    assert!(lab.broker.log().contains("Server is ready"));
}

#[test]
fn a_stopped_broker_answers_once_it_goes_on() {
    let Some(lab) = Lab::new(2) else { return };
    lab.broker.stop();
    assert!(!lab.publish("s.a", "while it stands", IN_VAIN));
    lab.broker.go_on();
    lab.publishes("s.a", "afterwards");
    assert_eq!(lab.stored(), ["while it stands", "afterwards"]);
}

#[test]
fn a_cut_link_is_made_again_when_it_is_healed() {
    let Some(lab) = Lab::new(3) else { return };
    lab.publishes("s.a", "before");
    lab.link.begin(Trouble::Cut);
    assert!(!lab.publish("s.a", "cut", IN_VAIN));
    lab.link.heal();
    lab.publishes("s.a", "after");
    let stored = lab.stored();
    // A client may send again what it had not sent when its connection closed.
    assert_eq!([&stored[0], stored.last().unwrap()], ["before", "after"]);
    lab.link.reset();
    lab.publishes("s.a", "after a reset");
}

#[test]
fn frames_are_lost_in_one_direction_and_the_connection_stays_open() {
    let Some(lab) = Lab::new(4) else { return };
    lab.publishes("s.a", "before");
    lab.link.begin(Trouble::Drop(Way::ToBroker));
    assert!(!lab.publish("s.a", "lost", IN_VAIN));
    lab.link.heal();
    lab.link.begin(Trouble::Drop(Way::ToClient));
    assert!(!lab.publish("s.a", "stored unseen", IN_VAIN));
    lab.link.heal();
    lab.publishes("s.a", "after");
    assert_eq!(lab.stored(), ["before", "stored unseen", "after"]);
}

#[test]
fn frames_wait_while_they_are_held() {
    for way in [Way::ToBroker, Way::ToClient] {
        let Some(lab) = Lab::new(5) else { return };
        lab.publishes("s.a", "before");
        lab.link.begin(Trouble::Hold(way));
        assert!(!lab.publish("s.a", "held", IN_VAIN), "{way:?}");
        lab.link.heal();
        lab.publishes("s.a", "after");
        assert_eq!(lab.stored(), ["before", "held", "after"], "{way:?}");
    }
}

#[test]
fn frames_are_late_both_ways() {
    let Some(lab) = Lab::new(6) else { return };
    let delay = Duration::from_millis(150);
    lab.link.begin(Trouble::Delay(delay));
    let began = Instant::now();
    lab.publishes("s.a", "late");
    assert!(began.elapsed() >= 2 * delay, "{:?}", began.elapsed());
}

#[test]
fn messages_come_twice() {
    let Some(lab) = Lab::new(7) else { return };
    lab.link.begin(Trouble::Double(1.0));
    lab.publishes("s.a", "one");
    lab.link.heal();
    lab.publishes("s.a", "two");
    assert_eq!(lab.stored(), ["one", "one", "two"]);
    lab.link.begin(Trouble::Double(0.5));
    for _ in 0..40 {
        lab.publishes("s.a", "by chance");
    }
    let stored = lab.stored().len() - 3;
    assert!((41..80).contains(&stored), "{stored} of 40");
}

#[test]
fn neighbours_change_places_by_their_subjects() {
    let Some(lab) = Lab::new(8) else { return };
    let swapped = |subjects: Subjects, names: [&str; 2]| {
        lab.link.begin(Trouble::Swap(subjects, 1.0));
        lab.runtime.block_on(async {
            // Sent together, so that they are neighbours; the acknowledgements come whenever they do.
            let mut acks = Vec::new();
            for (subject, payload) in names.iter().zip(["first", "second"]) {
                acks.push(lab.client.publish((*subject).to_owned(), payload.into()).await.unwrap().into_future());
            }
            for ack in acks {
                ack.await.unwrap();
            }
        });
        lab.link.heal();
        let stored = lab.stored();
        stored[stored.len() - 2..].to_vec()
    };
    assert_eq!(swapped(Subjects::Same, ["s.a", "s.a"]), ["second", "first"]);
    assert_eq!(swapped(Subjects::Same, ["s.a", "s.b"]), ["first", "second"]);
    assert_eq!(swapped(Subjects::Different, ["s.a", "s.b"]), ["second", "first"]);
    assert_eq!(swapped(Subjects::Different, ["s.a", "s.a"]), ["first", "second"]);
}

#[test]
fn acknowledged_answers_are_known_by_their_marks_even_where_the_acknowledgement_is_lost() {
    let Some(lab) = Lab::new(9) else { return };
    let turn = |number: usize| format!("{{\"id\":\"{}\"}}", Acks::mark(number));
    lab.publishes("s.a", &turn(7));
    assert_eq!(lab.acks.acknowledged().into_keys().collect::<Vec<_>>(), [7]);
    lab.link.begin(Trouble::Drop(Way::ToBroker));
    assert!(!lab.publish("s.a", &turn(8), IN_VAIN), "it is lost on its way");
    lab.link.heal();
    lab.link.begin(Trouble::Drop(Way::ToClient));
    assert!(!lab.publish("s.a", &turn(9), IN_VAIN), "its acknowledgement is lost");
    wait_until("the acknowledgement", || lab.acks.acknowledged().contains_key(&9));
    assert_eq!(lab.acks.acknowledged().into_keys().collect::<Vec<_>>(), [7, 9]);
    assert!(lab.link.frames() > 6);
}
