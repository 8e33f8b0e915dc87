//! The coordinator says when a worker may ask its model; without it workers go on.

use std::time::{Duration, Instant};

use crate::support::messages_api::Script;
use crate::support::replies::{but, completed, edits, own, workspace};
use crate::support::session::Session;
use crate::workers::Lab;

/// How long each turn takes.
const TURN: Duration = Duration::from_millis(1500);

#[test]
fn without_a_coordinator_a_worker_goes_on_after_a_moment_of_silence() {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(TURN);
    let script = but(Script::new().on("implement/T1", [edit, completed(&["src/t1.rs"])]), &[&[own("T1")]]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script, 1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    lab.coordinator.kill();
    lab.api.wait_for_answer("implement/T1");
    let answered = Instant::now();
    lab.api.wait_for_request(("implement/T1", 0, 1));
    let silence = answered.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(10)).contains(&silence), "{silence:?}");
    lab.coordinator.start();
    lab.ends_well();
    assert_eq!(lab.api.requests_of("implement/T1").len(), 2, "nothing is paid twice");
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
}
