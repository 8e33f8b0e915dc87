//! An overloaded provider slows down the turns of all workers together; without the coordinator they go on.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::messages_api::{Fault, Script};
use crate::support::replies::{but, completed, edits, file_of, own, reads, workspace};
use crate::support::session::Session;
use crate::workers::Lab;

/// How long each turn takes.
const TURN: Duration = Duration::from_millis(1500);

/// How many turns of T1 to T3 were under way at once soon after all four tasks had begun, which T4 may be told faults at.
fn turns_at_once(faults: Vec<Fault>) -> Option<usize> {
    let ids = ["T1", "T2", "T3", "T4"];
    let mut script = Script::new().fault("implement/T4", faults);
    for id in ids {
        let file = file_of(id);
        let turns = [reads(&file), edits(&file, "    0\n", "    1\n"), completed(&[&file])];
        script = script.on(&format!("implement/{id}"), turns.map(|turn| turn.after(TURN)));
    }
    let tasks: Vec<Value> = ids.map(own).to_vec();
    let seen: Arc<Mutex<Vec<(String, usize, Instant)>>> = Arc::default();
    let arrivals = Arc::clone(&seen);
    let script = but(script, &[&tasks]).by(move |request| {
        if request.agent.starts_with("implement/") {
            arrivals.lock().unwrap().push((request.agent.clone(), request.turn, Instant::now()));
        }
        None
    });
    let mut lab = Lab::new(Session::new(&workspace(4)), script, 2)?;
    lab.coordinator = lab.coordinator.env("BATON_MAX_PARALLEL_TASKS", "4");
    lab.coordinator.start();
    lab.ends_well();
    for id in ids {
        assert!(lab.coordinator.session.text(&file_of(id)).contains("    1\n"), "{id}");
    }
    let seen = seen.lock().unwrap();
    // T1 goes first, the others begin together.
    let begun =
        seen.iter().find(|(agent, turn, _)| agent == "implement/T3" && *turn == 0).map(|(_, _, at)| *at).unwrap();
    let soon = begun..begun + TURN.mul_f32(1.3);
    let is_meant =
        |(agent, turn, at): &&(String, usize, Instant)| agent != "implement/T4" && *turn > 0 && soon.contains(at);
    let turns: Vec<Instant> = seen.iter().filter(is_meant).map(|(_, _, at)| *at).collect();
    // A turn that came less than a turn's time before is still under way.
    let at_once = |now: &Instant| turns.iter().filter(|at| *at <= now && now.duration_since(**at) < TURN).count();
    Some(turns.iter().map(at_once).max().unwrap_or(0))
}

#[test]
fn an_overload_told_to_one_worker_slows_down_all_of_them() {
    let Some(undisturbed) = turns_at_once(Vec::new()) else { return };
    assert_eq!(undisturbed, 3);
    let overloaded = turns_at_once(vec![Fault::overloaded()]).unwrap();
    assert!(overloaded <= 2, "{overloaded} at once");
}

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
