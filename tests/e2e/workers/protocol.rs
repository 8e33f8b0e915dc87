//! Runs and workers of different versions, and jobs that are none.

use std::time::Duration;

use serde_json::json;

use super::peer::Peer;
use super::{ACK_WAIT, Lab};
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::Session;
use crate::support::wait::wait_until;

#[test]
fn a_job_of_another_protocol_is_refused_and_not_spun_on() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), goes_well(&[&[own("T1")]]), 1) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    peer.offer("x:1", json!({ "protocol": 2, "workflow": "of tomorrow", "what": [] }).to_string().as_bytes());
    let said = "a job of workflow of tomorrow: refused: it is written in protocol 2, and this baton";
    wait_until("it to be refused", || lab.worker_log(0).contains(said));
    let mut random = fastrand::Rng::with_seed(20_261_128);
    let valid = json!({
        "protocol": 1, "workflow": "w", "job": "j", "phase": "implement", "task": "T1", "attempt": 1,
        "budget": { "usd": 1.0, "tokens": null },
    })
    .to_string();
    for number in 0..40 {
        let mut bytes = valid.clone().into_bytes();
        let at = random.usize(..bytes.len());
        bytes[at] = random.u8(..);
        peer.offer(&format!("y:{number}"), &bytes);
    }
    wait_until("all of them to be refused", || lab.worker_log(0).matches(": refused: ").count() >= 41);
    wait_until("the first to be handed out again", || {
        std::thread::sleep(Duration::from_millis(100));
        peer.handed_out_again() > 0
    });
    assert_eq!(lab.worker_log(0).matches(said).count(), 1);
    assert!(lab.api.requests().is_empty());
    lab.coordinator.start();
    lab.ends_well();
    assert!(lab.fleet.workers[0].is_running());
    assert_eq!(lab.worker_log(0).matches(said).count(), 1);
}

#[test]
fn a_worker_of_another_protocol_is_told_of_and_gets_no_work() {
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), goes_well(&[&[own("T1")]]), 0) else { return };
    let peer = Peer::at(&lab.broker, Duration::from_secs(30));
    peer.announce(9);
    let tap = peer.listen();
    lab.coordinator.start();
    wait_until("it to be told of", || {
        let log = lab.coordinator.log();
        log.contains("that speaks protocol 1 (peer has baton 99.0.0, which speaks protocol 9: run the same version on both sides")
    });
    // Once none of them is there, no run was begun.
    assert_eq!(lab.coordinator.ended(2 * super::LIMIT).map(|code| code != 0), Some(true));
    assert!(
        lab.coordinator.log().contains("with the same BATON_BUS_KEY. Nothing was begun"),
        "{}",
        lab.coordinator.log()
    );
    assert!(tap.first("baton.", "").is_none());
}
