//! Runs that are stopped or killed while a check is at work.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{api, check, results, run, session, told};
use crate::support::messages_api::{Script, agents};
use crate::support::wait::{PROMPTLY, wait_until};

/// Nothing is waited for that long that is right.
const SOON: Duration = PROMPTLY;

#[test]
fn a_run_that_is_killed_in_its_checks_runs_them_again_and_does_no_task_twice() {
    let session = session(1, &[check("one", "echo one"), check("two", "test -e go || { touch at-work; sleep 60; }")]);
    let api = api(Script::new(), &["T1"]);
    let running = run(&session, &api).start();
    wait_until("the second check is at work", || session.exists("at-work"));
    running.kill();
    assert_eq!(results(&session), ["one: passed, 0, null, null"]);
    session.write("go", "");
    let asked = api.requests().len();
    session.run(&api, ["--auto-approve"]).expect(0).prints("Approved; checks passed: one, two.");
    let again = agents(&api.requests()[asked..]);
    assert_eq!(again, ["review"], "no task is done again");
    let begun = told(&session).into_iter().filter(|told| told.ends_with("running")).collect::<Vec<_>>();
    assert_eq!(begun, ["check one: running", "check two: running", "check two: running"]);
}

#[test]
fn a_run_that_is_stopped_ends_its_check_at_once() {
    let command = "test -e go || { echo $$ > pid; sleep 60 & sleep 60; }";
    let session = session(1, &[check("slow", command), check("next", "true")]);
    let api = api(Script::new(), &["T1"]);
    let running = run(&session, &api).start();
    wait_until("the check is at work", || session.exists("pid") && session.text("pid").ends_with('\n'));
    let stopped = Instant::now();
    running.signal(Signal::INT);
    running.wait().expect(130);
    assert!(stopped.elapsed() < SOON, "{:?}", stopped.elapsed());
    let pid = session.text("pid").trim().to_owned();
    let is_gone = || std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "));
    wait_until("the process of the check is gone", is_gone);
    // What had not ended is told as such, and runs when the workflow goes on.
    assert_eq!(results(&session), ["slow: skipped, null, cancelled, null", "next: skipped, null, cancelled, null"]);
    session.baton(["status"]).run().expect(0).prints("it had not ended when the run was stopped");
    session.write("go", "");
    session.run(&api, ["--auto-approve"]).expect(0).prints("Approved; checks passed: slow, next.");
    assert_eq!(results(&session), ["slow: passed, 0, null, null", "next: passed, 0, null, null"]);
}
