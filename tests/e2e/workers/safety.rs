//! What is forged, altered, sent a second time or late is refused and told, and nothing follows from it.

use std::time::Duration;

use async_nats::HeaderMap;
use rustix::process::Signal;
use serde_json::json;

use super::peer::{Heard, Peer, Wiretap};
use super::{ACK_WAIT, Lab, has_told};
use crate::support::broker::BUS_KEY;
use crate::support::messages_api::{Reply, Script};
use crate::support::replies::{but, completed, edits, goes_well, own, workspace};
use crate::support::session::Session;
use crate::support::wait::wait_until;

/// Long enough for an attack in the midst of a turn.
const THINKING: Duration = Duration::from_secs(3);

/// A run of one task whose implementer thinks for a while.
fn slow() -> Script {
    slower(THINKING)
}

fn slower(thinking: Duration) -> Script {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(thinking);
    but(Script::new().on("implement/T1", [edit, completed(&["src/t1.rs"])]), &[&[own("T1")]])
}

/// How often a request of each kind is made in [`slow`] when nothing happens.
const REQUESTS: usize = 5;

fn job(name: &str) -> serde_json::Value {
    json!({
        "protocol": 1, "workflow": "forged", "job": name, "phase": "implement", "task": "T1", "attempt": 1,
        "budget": { "usd": 100.0, "tokens": null },
    })
}

/// The entry by which the task is offered.
fn offer_of_t1(tap: &Wiretap) -> Heard {
    let is_it = |heard: &&Heard| {
        let text = String::from_utf8_lossy(&heard.payload).into_owned();
        heard.subject.starts_with("baton.work.") && text.contains("\"offered\"") && text.contains("\"T1\"")
    };
    wait_until("the job of T1", || tap.heard().iter().any(|heard| is_it(&heard)));
    tap.heard().iter().find(is_it).expect("it is there").clone()
}

#[test]
fn a_forged_job_is_refused() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), goes_well(&[&[own("T1")]]), 1) else { return };
    let (peer, stranger) = (
        Peer::at(&lab.broker, ACK_WAIT),
        Peer::with_key(&lab.broker, "another key of thirty-two bytes, or so", ACK_WAIT),
    );
    let refused = |lab: &Lab| lab.worker_log(0).matches("is not sealed with the key").count();
    // No seal, a seal that is none, and that of another key.
    peer.publish("baton.jobs.any", HeaderMap::new(), job("a").to_string().into_bytes()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Baton-Mac", "00.00");
    headers.insert("Nats-Msg-Id", "b:1");
    peer.publish("baton.jobs.any", headers, job("b").to_string().into_bytes()).unwrap();
    stranger.offer("c:1", job("c").to_string().as_bytes());
    wait_until("the three to be refused", || refused(&lab) == 3);
    // Sealed as it should be, but of no log.
    peer.offer("d:1", job("d").to_string().as_bytes());
    wait_until("the fourth", || lab.worker_log(0).contains("implement/T1: refused: its log is not there"));
    assert!(lab.api.requests().is_empty());
    lab.coordinator.start();
    lab.ends_well();
    assert_eq!(lab.api.requested(), REQUESTS);
    assert!(!has_told(&lab.coordinator, "refused"), "it is nothing to the run: {}", lab.coordinator.log());
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
    assert!(lab.fleet.workers[0].is_running());
}

#[test]
fn a_replayed_job_is_refused() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), slow(), 1) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    peer.forget_ids();
    let tap = peer.listen();
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let captured = tap.wait_for("baton.jobs.any", "\"T1\"");
    let again = |peer: &Peer| peer.publish(&captured.subject, captured.headers.clone(), captured.payload.clone());
    wait_until("the queue to take the copy", || again(&peer).is_ok());
    let says = |lab: &Lab, words: &str| lab.worker_log(0).contains(words);
    wait_until("the copy to be refused", || says(&lab, "implement/T1: refused: it came twice, and a worker has it"));
    lab.ends_well();
    assert_eq!(lab.api.requested(), REQUESTS);
    again(&peer).unwrap();
    wait_until("the late copy to be refused", || says(&lab, "implement/T1: refused: it is over"));
    // What was captured before the broker lost its storage is nobody's after that.
    lab.broker.restart_empty();
    wait_until("the queue to be there again", || {
        std::thread::sleep(Duration::from_millis(100));
        again(&peer).is_ok()
    });
    wait_until("the old copy to be refused", || says(&lab, "is not sealed with the key of this bus"));
    assert_eq!(lab.api.requested(), REQUESTS);
}

#[test]
fn an_altered_result_is_refused() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), slow(), 1) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    let tap = peer.listen();
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let (turn, result) = (tap.wait_for("baton.work.", "\"turn\""), tap.wait_for("baton.work.", "\"submitted\""));
    let claimed = offer_of_t1(&tap);
    // Results and turns of another log; the own log's entries once more; and a result with a changed byte.
    for heard in [&turn, &result, &claimed] {
        peer.publish(&claimed.subject, heard.free_headers(), heard.payload.clone()).unwrap();
    }
    let altered = String::from_utf8(claimed.payload.clone()).unwrap().replacen("\"usd\":", "\"usd\":9", 1).into_bytes();
    assert_ne!(altered, claimed.payload);
    peer.publish(&claimed.subject, claimed.free_headers(), altered).unwrap();
    // A forged one without the key.
    let forged = json!({ "kind": "submitted", "claim": 1, "submission": { "input": {}, "files": [] } });
    peer.publish(&claimed.subject, HeaderMap::new(), forged.to_string().into_bytes()).unwrap();
    let refusal = "a message that is not sealed with BATON_BUS_KEY was refused";
    lab.coordinator.wait_for(refusal, |line| line.to_string().contains(refusal));
    lab.ends_well();
    assert_eq!(lab.api.requested(), REQUESTS);
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
    let (workflow, job) = claimed.log();
    let kinds: Vec<String> = peer
        .entries(&workflow, &job)
        .iter()
        .map(|(_, entry)| entry["kind"].as_str().unwrap_or("?").to_owned())
        .collect();
    assert_eq!(kinds, ["opened", "offered", "claimed", "turn", "turn", "submitted", "judged"]);
}

#[test]
fn a_worker_that_was_taken_for_lost_writes_nothing_and_says_so() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), slower(2 * ACK_WAIT), 2) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    let tap = peer.listen();
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let has_it = |lab: &Lab, number: usize| {
        lab.worker_log(number).lines().any(|line| line.contains("implement/T1 of workflow") && line.contains("taken"))
    };
    wait_until("a worker to say that it has it", || has_it(&lab, 0) || has_it(&lab, 1));
    let first = if has_it(&lab, 0) { 0 } else { 1 };
    lab.fleet.workers[first].signal(Signal::STOP);
    wait_until("the other worker to have it", || has_it(&lab, 1 - first));
    lab.fleet.workers[first].signal(Signal::CONT);
    wait_until("the first to give up", || {
        lab.worker_log(first).contains("implement/T1: given up: it is over, or another worker has it")
    });
    lab.ends_well();
    let (workflow, job) = offer_of_t1(&tap).log();
    let mut claim = 0;
    let mut claims = 0;
    for (seq, entry) in peer.entries(&workflow, &job) {
        match entry["kind"].as_str() {
            Some("claimed") => (claim, claims) = (seq, claims + 1),
            Some("turn" | "submitted" | "ended" | "given_back") => assert_eq!(entry["claim"], claim, "{entry}"),
            _ => {}
        }
    }
    assert_eq!(claims, 2);
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
}

#[test]
fn a_worker_with_another_key_is_told_of_and_its_harm_is_mended() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), goes_well(&[&[own("T1")]]), 0) else { return };
    let fleet = |lab: &Lab, key: &str| {
        let link = crate::support::broker::Link::to(lab.broker.address(), 1, std::sync::Arc::clone(&lab.acks));
        let mut worker = crate::support::broker::Worker::new(link, &lab.api, 2, ACK_WAIT).env("BATON_BUS_KEY", key);
        worker.start();
        worker
    };
    let wrong = fleet(&lab, "another key of thirty-two bytes, or so");
    lab.fleet.workers.push(wrong);
    // Somebody is there with the right key, and takes nothing.
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    peer.announce(1);
    lab.coordinator.start();
    wait_until("the job to be refused", || {
        lab.worker_log(0).contains("is not sealed with the key of this bus: check that all have")
    });
    let gone =
        "it is no longer in the queue, and no worker has it: is there one with another BATON_BUS_KEY? Offered again";
    lab.coordinator.wait_for(gone, |line| line.to_string().contains(gone));
    lab.fleet.workers[0].kill();
    let right = fleet(&lab, BUS_KEY);
    lab.fleet.workers.push(right);
    lab.ends_well();
    assert_eq!(lab.api.requested(), REQUESTS);
}

#[test]
fn a_second_run_of_one_workspace_is_refused_as_without_workers() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), slow(), 1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let url = lab.broker.url();
    let refused = |dispatch: &str| {
        let dispatch = format!("--dispatch={dispatch}");
        let baton = lab.coordinator.session.baton(["run", &dispatch, "--auto-approve"]).api(&lab.unused);
        let done = baton.env("BATON_BUS_KEY", BUS_KEY).run();
        (done.code, done.stderr)
    };
    let (here, elsewhere) = (refused(""), refused(&url));
    assert!(here.1.contains("another run is working here"), "{}", here.1);
    let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
    assert_eq!((here.0, last(&here.1)), (elsewhere.0, last(&elsewhere.1)));
    lab.ends_well();
    assert_eq!(lab.api.requested(), REQUESTS);
}

#[test]
fn what_the_broker_doubles_and_reorders_changes_nothing() {
    use crate::support::broker::{Subjects, Trouble};
    let replies: [Reply; 2] = [edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])];
    let script = but(Script::new().on("implement/T1", replies), &[&[own("T1")]]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script, 1) else { return };
    for link in [&lab.fleet.workers[0].link, &lab.coordinator.link] {
        link.begin(Trouble::Double(0.3));
        link.begin(Trouble::Swap(Subjects::Same, 0.2));
        link.begin(Trouble::Swap(Subjects::Different, 0.2));
    }
    lab.coordinator.start();
    lab.ends_well();
    assert_eq!(lab.api.requested(), REQUESTS);
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
}
