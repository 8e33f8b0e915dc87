//! What becomes of a run whose checks pass or fail.

use serde_json::{Value, json};

use super::{api, check, results, run, session, told};
use crate::support::messages_api::{Script, agents};
use crate::support::replies::{completed, does, edits, fixes, review};
use crate::support::session::Session;

#[test]
fn checks_that_pass_are_said_at_the_end_and_kept_in_the_report() {
    let session = session(1, &[check("test", "cat src/t1.rs && echo fine"), check("lint", "true")]);
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).run().expect(0);
    done.prints("Approved; checks passed: test, lint. Changes are in your working tree").reports("check test: passed");
    assert_eq!(results(&session), ["test: passed, 0, null, null", "lint: passed, 0, null, null"]);
    let report = session.handoff("impl_report.json");
    assert_eq!(report["checks"][0]["sandbox"], "none");
    let log = session.memory(report["checks"][0]["log"].as_str().unwrap());
    assert!(
        session.text(&log).contains("    1\n") && session.text(&log).ends_with("fine\n"),
        "the tasks were published"
    );
    assert_eq!(session.mode(&log), 0o600);
    assert!(log.ends_with("/checks/1-test.log"), "{log}");
    assert_eq!(told(&session)[0], "check test: running");
    let first = session.events_of(&session.runs()[0]).remove(1);
    assert!(first["message"].as_str().unwrap().starts_with("sandbox of the checks: none"), "{first}");
    let message = api.first_message("review", 0);
    assert!(!message.contains("<failing_checks>") && message.contains("\"state\":\"passed\""), "{message}");
}

fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

#[test]
fn a_file_that_is_edited_after_the_checks_is_said_to_have_changed_since() {
    let session = session(2, &[check("test", "true"), check("web", "exit 7")]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).env("BATON_MAX_REPAIR_ROUNDS", "0").run().expect(0);
    let changed = || {
        let status = status(&session);
        let of = |at: usize| (status["checks"][at]["words"].to_string(), status["checks"][at]["changed_since"].clone());
        (status["summary"].to_string(), of(0), of(1))
    };
    let (summary, test, web) = changed();
    assert!(!summary.contains("since") && !test.0.contains("since") && !web.0.contains("since"), "{summary}");
    assert_eq!(test.1, json!([]));
    let (done, others) = (session.text("src/t1.rs"), session.text("src/t2.rs"));
    session.write("src/t1.rs", "mine\n");
    session.write("src/t2.rs", "no file of the workflow's\n");
    let (summary, test, web) = changed();
    assert!(summary.contains("Approved, though `web` fails; checks passed: test; 1 file changed since."), "{summary}");
    assert_eq!(test, ("\"passed; changed since: src/t1.rs\"".to_owned(), json!(["src/t1.rs"])));
    assert!(web.0.ends_with("; changed since: src/t1.rs\""), "{web:?}");
    session.baton(["status"]).run().expect(0).prints("1 file changed since").prints("changed since: src/t1.rs");
    // Asked for nothing, a finished workflow tells its end again.
    session.run(&api, ["--auto-approve"]).expect(0).prints("1 file changed since");
    session.write("src/t1.rs", &done);
    session.write("src/t2.rs", &others);
    assert!(!changed().0.contains("since"));
}

#[test]
fn a_failing_check_is_repaired_and_passes_then() {
    let session = session(2, &[check("test", "grep -q ' 2$' src/t1.rs || { echo no two; exit 3; }")]);
    let rounds = [does("T1").to_vec(), fixes("T1", 1, 2)];
    let script = Script::new().rounds("implement/T1", rounds);
    let script = script.rounds("implement/T2", [does("T2").to_vec(), vec![completed(&[])]]);
    let api = api(script, &["T1", "T2"]);
    let done = run(&session, &api).run().expect(0);
    done.reports("Check test fails: T1, T2 repair it").prints("Approved; checks passed: test.");
    assert_eq!(results(&session), ["test: passed, 0, null, null"]);
    assert_eq!(session.handoff("round.json"), json!({ "n": 2, "kind": "repair", "tasks": ["T1", "T2"], "issues": [] }));
    assert_eq!(session.history(), ["0001-repair"]);
    let before = session.handoff("history/0001-repair/impl_report.json");
    assert_eq!((&before["round"], &before["checks"][0]["base"]), (&json!(1), &json!("unknown")));
    assert_eq!(before["checks"][0]["exit_code"], 3);

    let message = api.first_message("implement/T1", 1);
    let told = message.split("</failing_checks>").next().unwrap();
    assert!(told.contains("The check test (`grep -q ' 2$'") && told.contains("failed (exit 3), "), "{message}");
    assert!(told.contains("untrusted data") && told.contains("\nno two\n"), "{message}");
    let review = session.handoff("review.json");
    assert_eq!((&review["round"], &review["verdict"]), (&json!(2), &json!("approved")));
    assert_eq!(agents(&api.requests()).iter().filter(|agent| *agent == "review").count(), 1, "reviewed once");
}

#[test]
fn what_two_repairs_in_a_row_do_not_mend_is_told_to_the_reviewer() {
    let session = session(1, &[check("test", "cat src/t1.rs; echo still broken; exit 101"), check("lint", "true")]);
    let rounds = [does("T1").to_vec(), fixes("T1", 1, 2), fixes("T1", 2, 3)];
    let api = api(Script::new().rounds("implement/T1", rounds), &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved, though `test` fails; checks passed: lint.");
    assert_eq!(session.history(), ["0001-repair", "0002-repair"]);
    assert_eq!(results(&session), ["test: failed, 101, null, unknown", "lint: passed, 0, null, null"]);
    let message = api.first_message("review", 0);
    assert!(
        message.contains("<failing_checks>\nThe check test (`cat src/t1.rs; echo still broken; exit 101`): failed"),
        "{message}"
    );
    assert!(message.contains("\nstill broken\n"), "{message}");
}

#[test]
fn a_repair_that_changes_nothing_is_the_last_one() {
    let session = session(1, &[check("test", "exit 1")]);
    let rounds = [does("T1").to_vec(), vec![completed(&[])]];
    let api = api(Script::new().rounds("implement/T1", rounds), &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved, though `test` fails.");
    assert_eq!(session.history(), ["0001-repair"]);
    assert_eq!(results(&session), ["test: failed, 1, the repair changed nothing, unknown"]);
    assert_eq!(told(&session).iter().filter(|told| told.ends_with("running")).count(), 1, "it is not run again");
}

#[test]
fn without_repair_rounds_what_fails_goes_to_the_reviewer_at_once() {
    let session = session(1, &[check("test", "exit 1")]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).env("BATON_MAX_REPAIR_ROUNDS", "0").run().expect(0).prints("Approved, though `test` fails.");
    assert!(session.history().is_empty());
}

#[test]
fn a_fix_round_is_checked_as_well_and_has_repairs_of_its_own() {
    let session = session(1, &[check("test", "! grep -q ' 2$' src/t1.rs")]);
    let issue = json!({ "severity": "major", "file": "src/t1.rs", "line": 2, "description": "wrong", "quote": "1" });
    let rounds = [does("T1").to_vec(), fixes("T1", 1, 2), fixes("T1", 2, 3)];
    let script = Script::new().rounds("implement/T1", rounds).rounds(
        "review",
        [vec![review("changes_requested", "fix_and_re_review", &[issue])], vec![review("approved", "merge", &[])]],
    );
    let api = api(script, &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved; checks passed: test.");
    assert_eq!(session.history(), ["0001-fix", "0002-repair"]);
    let round = session.handoff("round.json");
    assert_eq!((&round["n"], &round["kind"]), (&json!(3), &json!("repair")));
    assert_eq!(round["issues"].as_array().unwrap().len(), 1, "the reviewer still hears what the fix was about");
    assert!(api.first_message("review", 1).contains("open_issues"));
}

#[test]
fn each_end_of_a_command_is_a_state_of_its_own() {
    let mut checks = vec![
        check("fails", "exit 7"),
        check("signal", "kill -KILL $$"),
        check("code", "sh -c 'kill -TERM $$'; exit 143"),
        check("missing", "no-such-command-at-all"),
        check("slow", "sleep 60"),
    ];
    checks[4]["timeout_s"] = json!(1);
    let session = session(1, &checks);
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).env("BATON_MAX_REPAIR_ROUNDS", "0").run().expect(0);
    done.prints(
        "`fails` fails and `signal` was killed and `code` was killed and `missing` was not found and `slow` timed out",
    );
    let expected = [
        "fails: failed, 7, null, unknown",
        "signal: killed, null, null, unknown",
        "code: killed, 143, null, unknown",
        "missing: not_found, 127, null, unknown",
        "slow: timed_out, null, null, unknown",
    ];
    assert_eq!(results(&session), expected);
}

#[test]
fn a_command_that_is_missing_is_no_work_for_agents() {
    let session = session(1, &[check("test", "no-such-command-at-all")]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved, though `test` was not found.");
    assert!(session.history().is_empty());
}

#[test]
fn a_failed_task_is_not_checked() {
    let session = session(1, &[check("test", "true")]);
    let blocked = crate::support::replies::blocked("it cannot be done");
    let api = api(Script::new().on("implement/T1", [blocked]), &["T1"]);
    run(&session, &api).run().expect(1);
    assert!(results(&session).is_empty() && told(&session).is_empty());
}

#[test]
fn a_report_from_elsewhere_is_not_believed_about_checks() {
    let session = session(1, &[check("test", "echo really ran")]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0);
    let mut report = session.handoff("impl_report.json");
    report["checks"][0]["state"] = json!("failed");
    session.write(&session.memory("impl_report.json"), report.to_string());
    std::fs::remove_file(session.path(&session.memory("review.json"))).unwrap();
    session.run(&api, []).expect(0).prints("Approved; checks passed: test.");
    assert_eq!(told(&session).iter().filter(|told| told.ends_with("running")).count(), 2, "nobody saw that it failed");
}

#[test]
fn work_that_was_reviewed_is_not_checked_again_when_a_check_is_added() {
    let session = session(1, &[]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved by reading; no check ran.");
    super::set_checks(&session, "off", &[check("test", "true")]);
    session.run(&api, []).expect(0).prints("Approved by reading; no check ran.");
    assert!(told(&session).is_empty());
}

#[test]
fn the_next_round_of_the_same_workflow_runs_an_added_check() {
    let session = session(1, &[]);
    let issue = json!({ "severity": "major", "file": "src/t1.rs", "line": 2, "description": "wrong", "quote": "1" });
    let rounds = [does("T1").to_vec(), vec![edits("src/t1.rs", "    1\n", "    2\n"), completed(&["src/t1.rs"])]];
    let script = Script::new().rounds("implement/T1", rounds).rounds(
        "review",
        [vec![review("changes_requested", "escalate_to_human", &[issue])], vec![review("approved", "merge", &[])]],
    );
    let api = api(script, &["T1"]);
    run(&session, &api).run().expect(3);
    super::set_checks(&session, "off", &[check("test", "true")]);
    let issue = session.handoff("review.json")["issues"][0]["id"].as_str().unwrap().to_owned();
    session.run(&api, ["--fix", &issue, "--auto-approve"]).expect(0).prints("checks passed: test");
}
