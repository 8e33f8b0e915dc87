//! What people do every day with workers: they stop them, tell agents something, cancel, and edit files meanwhile.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::peer::Peer;
use super::{ACK_WAIT, Lab, has_told};
use crate::support::broker::Trouble;
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, but, completed, edits, own, reads, review, workspace};
use crate::support::session::Session;
use crate::support::wait::wait_until;

/// Long enough for a person to do something in the midst of a turn.
const THINKING: Duration = Duration::from_secs(2);
/// How long a worker may take to end once it has nothing to do.
const ENDING: Duration = Duration::from_secs(10);

/// One task of three turns, the first of which takes so long, and the second a while.
fn slow(first: Duration) -> Script {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(THINKING);
    let turns = [reads("src/t1.rs").after(first), edit, completed(&["src/t1.rs"])];
    but(Script::new().on("implement/T1", turns), &[&[own("T1")]])
}

fn lab(workers: usize) -> Option<Lab> {
    Lab::new(Session::new(&workspace(1)), slow(THINKING), workers)
}

/// How often the agent of the task was asked; each answer is needed once.
fn asked(api: &MessagesApi) -> usize {
    api.requests_of("implement/T1").len()
}

/// The worker that has the task.
fn at_work(lab: &Lab) -> usize {
    let has_it = |number: &usize| lab.worker_log(*number).contains("implement/T1 of workflow");
    let find = || (0..lab.fleet.workers.len()).find(has_it);
    wait_until("a worker to say that it has it", || find().is_some());
    find().expect("one has it")
}

#[test]
fn a_worker_that_is_asked_to_stop_ends_what_it_has_and_takes_no_more() {
    let Some(mut lab) = lab(2) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let first = at_work(&lab);
    assert_eq!(lab.fleet.workers[1 - first].drain(ENDING), Some(0), "an idle one ends at once");
    lab.fleet.workers[first].signal(Signal::TERM);
    wait_until("it to say so", || lab.worker_log(first).contains("Stopping: no more work is taken"));
    wait_until("the task to be done", || lab.worker_log(first).contains("implement/T1: done"));
    wait_until("the worker to end", || lab.worker_log(first).contains(" stopped"));
    assert_eq!(asked(&lab.api), 3);
    // Nobody is there for the review until another one is started.
    lab.fleet.workers[first].start();
    lab.ends_well();
}

#[test]
fn what_is_handed_back_is_gone_on_with_by_another_worker_and_no_answer_is_asked_for_again() {
    let Some(mut lab) = lab(1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    lab.fleet.workers[0].signal(Signal::TERM);
    wait_until("it to say so", || lab.worker_log(0).contains("Stopping: no more work is taken"));
    lab.fleet.workers[0].signal(Signal::TERM);
    wait_until("the worker to hand it back", || {
        lab.worker_log(0).contains("implement/T1: given back: the worker ends")
    });
    wait_until("the worker to end", || lab.worker_log(0).contains(" stopped"));
    lab.fleet.workers[0].start();
    lab.ends_well();
    assert_eq!(asked(&lab.api), 3, "the answer under way was waited for, and it counts");
    assert!(has_told(&lab.coordinator, "gave it back: the worker ends"));
}

#[test]
fn a_worker_whose_model_thinks_for_long_is_not_taken_for_lost() {
    // Offered again, the turn would be paid twice.
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(3 * ACK_WAIT);
    let script = Script::new().on("implement/T1", [edit, completed(&["src/t1.rs"])]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), but(script, &[&[own("T1")]]), 2) else { return };
    lab.coordinator.start();
    lab.ends_well();
    assert_eq!(asked(&lab.api), 2);
    assert!(!has_told(&lab.coordinator, "nothing is heard of worker"));
}

#[test]
fn within_a_second_of_a_cancel_nothing_is_asked_any_more_and_a_resume_pays_nothing_twice() {
    let Some(mut lab) = lab(1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request(("implement/T1", 1));
    let cancelled = Instant::now();
    lab.coordinator.signal(Signal::INT);
    assert_eq!(lab.coordinator.ended(ENDING), Some(130));
    wait_until("the worker to say so", || lab.worker_log(0).contains("implement/T1: cancelled by its coordinator"));
    assert!(lab.api.requests().iter().all(|request| request.at < cancelled + Duration::from_secs(1)));
    lab.coordinator.start();
    lab.ends_well();
    // What was under way at the cancel is asked for again, and nothing else.
    assert_eq!(asked(&lab.api), 4);
}

#[test]
fn what_an_agent_is_told_reaches_it_on_a_worker_with_its_next_request_once() {
    // It is told, and the worker hears of it, in the midst of the first turn.
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), slow(3 * THINKING), 1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let session = &lab.coordinator.session;
    session.baton(["tell", "--task", "T1", "Use tabs here."]).run().expect(0);
    lab.ends_well();
    let bodies: Vec<String> =
        lab.api.requests_of("implement/T1").iter().map(|request| request.body["messages"].to_string()).collect();
    let told: Vec<usize> = bodies.iter().map(|body| body.matches("Use tabs here.").count()).collect();
    assert_eq!(told, [0, 1, 1], "with the second request, and from then on as a part of the conversation");
    let last = lab.coordinator.told().pop().expect("a last line").to_string();
    assert!(!last.contains("not taken"), "{last}");
}

#[test]
fn a_file_that_its_user_edits_while_a_worker_has_the_task_is_done_once_more_on_the_new_text() {
    let session = Session::new(&workspace(1));
    let edit = |old: &str| edits("src/t1.rs", old, "    1\n");
    let slow = [reads("src/t1.rs").after(THINKING), edit("    0\n"), completed(&["src/t1.rs"])].to_vec();
    let again = [reads("src/t1.rs"), edit("    0\n"), completed(&["src/t1.rs"])].to_vec();
    let script = but(Script::new().rounds("implement/T1", [slow, again]), &[&[own("T1")]]);
    let Some(mut lab) = Lab::new(session, script, 1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    let text = format!("// mine\n{}", lab.coordinator.session.text("src/t1.rs"));
    lab.coordinator.session.write("src/t1.rs", &text);
    lab.ends_well();
    assert_eq!(lab.coordinator.session.text("src/t1.rs"), text.replace("    0\n", "    1\n"));
    let again = lab.api.first_message("implement/T1", 1);
    assert!(again.contains("src/t1.rs changed on disk while you were at work") && again.contains("// mine"), "{again}");
}

#[test]
fn a_fix_round_at_workers_comes_to_the_same_end_as_here() {
    let issue = serde_json::json!({
        "severity": "major", "file": "src/t1.rs", "line": 2, "quote": "    1", "description": "It is to be 2.",
    });
    let script = || {
        let rounds = ["    0\n", "    1\n"].map(|old| {
            let new = if old.contains('0') { "    1\n" } else { "    2\n" };
            vec![reads("src/t1.rs"), edits("src/t1.rs", old, new), completed(&["src/t1.rs"])]
        });
        let reviews =
            [vec![review("changes_requested", "fix_and_re_review", std::slice::from_ref(&issue))], vec![approves()]];
        but(Script::new().rounds("implement/T1", rounds).rounds("review", reviews), &[&[own("T1")]])
    };
    let (session, api) = (Session::new(&workspace(1)), MessagesApi::start(script()));
    session.run(&api, ["--task", super::TASK, "--auto-approve"]).expect(0);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script(), 2) else { return };
    lab.coordinator.start();
    lab.ends_well();
    assert_eq!(lab.coordinator.session.text("src/t1.rs"), session.text("src/t1.rs"));
    assert!(session.text("src/t1.rs").contains("    2\n"));
    let agents = |api: &MessagesApi| {
        let mut agents: Vec<String> = api.requests().into_iter().map(|request| request.agent).collect();
        agents.sort();
        agents
    };
    assert_eq!(agents(&lab.api), agents(&api), "a finding is checked by another model there too");
    assert!(lab.unused.requests().is_empty(), "the coordinator asks no model of its own");
}

#[test]
fn a_long_conversation_over_a_long_way_comes_through() {
    let session = Session::new(&workspace(1));
    let line = "0123456789 ".repeat(8);
    let names: Vec<String> = (0..14).map(|number| format!("data/{number}.txt")).collect();
    for name in &names {
        session.write(name, format!("{line}\n").repeat(600));
    }
    // More than goes in one message: it comes in several, one after the other.
    let all = Reply::tools(names.iter().map(|name| ("read_file", json!({ "path": name }))));
    let turns = [all, edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])];
    let Some(mut lab) = Lab::new(session, but(Script::new().on("implement/T1", turns), &[&[own("T1")]]), 1) else {
        return;
    };
    lab.coordinator.start();
    lab.api.wait_for_request("plan");
    lab.coordinator.link.begin(Trouble::Delay(Duration::from_millis(200)));
    lab.ends_well();
    let largest = lab.api.requests_of("implement/T1").iter().map(|request| request.body.to_string().len()).max();
    assert!(largest > Some(600 << 10), "{largest:?}");
    assert_eq!(asked(&lab.api), 3);
}

#[test]
fn what_was_done_without_workers_meanwhile_is_not_paid_again_with_them() {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(THINKING);
    let turns = [reads("src/t1.rs"), reads("src/lib.rs").after(THINKING), edit, completed(&["src/t1.rs"])];
    let script = but(Script::new().on("implement/T1", turns), &[&[own("T1")]]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script, 1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request(("implement/T1", 1));
    wait_until("the first turn to be recorded here", || {
        lab.coordinator.session.of_last_run("transcript.jsonl").contains("\"agent\":\"implement/T1\"")
    });
    lab.fleet.workers[0].kill();
    lab.coordinator.kill();
    // Here, until the second turn is done.
    let mut alone = lab.coordinator.session.baton(["run", "--auto-approve"]).api(&lab.api).start();
    lab.api.wait_for_request(("implement/T1", 2));
    alone.signal(Signal::KILL);
    alone.ended(ENDING);
    lab.fleet.workers[0].start();
    lab.coordinator.start();
    lab.ends_well();
    let asked: Vec<usize> = (0..4)
        .map(|turn| lab.api.requests_of("implement/T1").iter().filter(|request| request.turn == turn).count())
        .collect();
    // The two that were under way at a kill are asked for again.
    assert_eq!(asked, [1, 2, 2, 1]);
}

#[test]
fn files_that_are_gone_at_the_broker_are_sent_again() {
    let Some(mut lab) = lab(1) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    lab.coordinator.start();
    lab.api.wait_for_request(("implement/T1", 1));
    lab.fleet.workers[0].kill();
    peer.purge_files();
    lab.fleet.workers[0].start();
    lab.ends_well();
    // A worker that is long in coming back finds them sent already.
    let is_told = |words: &str| has_told(&lab.coordinator, words);
    assert!(is_told("gave it back: its files cannot be had") || is_told("nothing is heard of worker"));
    assert_eq!(asked(&lab.api), 4, "the one under way at the kill is asked for again");
}

#[test]
fn so_are_the_edits_that_an_earlier_attempt_made() {
    let failed = json!({ "status": "failed", "changes": [], "notes": "I cannot find out what 2 is.", "blockers": [] });
    let first = vec![edits("src/t1.rs", "    0\n", "    1\n"), Reply::tool("submit_result", failed)];
    let second = vec![edits("src/t1.rs", "    1\n", "    2\n").after(THINKING), completed(&["src/t1.rs"])];
    let script = but(Script::new().rounds("implement/T1", [first, second]), &[&[own("T1")]]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script, 1) else { return };
    let peer = Peer::at(&lab.broker, ACK_WAIT);
    lab.coordinator.start();
    lab.api.wait_for_request(("implement/T1", 1, 0));
    lab.fleet.workers[0].kill();
    peer.purge_files();
    lab.fleet.workers[0].start();
    lab.ends_well();
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    2\n"));
    assert_eq!(asked(&lab.api), 5, "the one under way at the kill is asked for again");
}
