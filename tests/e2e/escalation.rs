//! A task that its model failed at is done once more by the next tier, before anything of it is published.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::checks::{check, has_view, set_checks};
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{blocked, but, completed, edits, own, partial, with, workspace};
use crate::support::session::Session;

const HAIKU: &str = "anthropic:claude-haiku-5-5";
const SONNET: &str = "anthropic:claude-sonnet-5-5";

fn failed(why: &str) -> Reply {
    Reply::tool("submit_result", json!({ "status": "failed", "changes": [], "notes": why, "blockers": [] }))
}

fn tries() -> Reply {
    Reply::tool("try_check", json!({ "name": "test" }))
}

/// T1, whose first and second attempts answer so.
fn script(first: Vec<Reply>, second: Vec<Reply>) -> Script {
    but(Script::new().rounds("implement/T1", [first, second]), &[&[own("T1")]])
}

fn run(session: &Session, api: &MessagesApi) -> crate::support::session::Baton {
    session.baton(["run", "--task", "Do it", "--auto-approve"]).api(api)
}

fn attempts(session: &Session) -> Value {
    session.handoff("impl_report.json")["results"][0]["attempts"].clone()
}

/// The models that T1 was asked of, a conversation each.
fn models(api: &MessagesApi) -> Vec<String> {
    let requests = api.requests_of("implement/T1");
    let first = requests.iter().filter(|request| request.turn == 0);
    first.map(|request| request.body["model"].as_str().unwrap_or_default().to_owned()).collect()
}

fn says(session: &Session, text: &str) -> bool {
    let events = session.events_of(session.runs().last().expect("a run"));
    events.iter().any(|event| event["message"].as_str().is_some_and(|message| message.contains(text)))
}

#[test]
fn the_next_tier_goes_on_with_the_edits_and_notes_of_one_that_failed() {
    let session = Session::new(&workspace(1));
    let first = vec![edits("src/t1.rs", "    0\n", "    1\n"), failed("I cannot find out what 2 is.")];
    let second = vec![edits("src/t1.rs", "    1\n", "    2\n"), completed(&["src/t1.rs"])];
    let api = MessagesApi::start(script(first, second));
    let done = run(&session, &api).run().expect(0);
    done.prints(&format!("T1 took 2 attempts: {HAIKU} (failed), {SONNET} (completed)."));
    assert_eq!(models(&api), ["claude-haiku-5-5", "claude-sonnet-5-5"]);
    assert!(session.text("src/t1.rs").contains("    2\n"), "{}", session.text("src/t1.rs"));
    let told = api.first_message("implement/T1", 1);
    for part in ["handed it on as failed", "src/t1.rs are in place", "I cannot find out what 2 is."] {
        assert!(told.contains(part), "{part:?} is not in:\n{told}");
    }
    let both = json!([
        { "tier": "fast", "model": HAIKU, "status": "failed" },
        { "tier": "balanced", "model": SONNET, "status": "completed" },
    ]);
    assert_eq!(attempts(&session), both);
    assert!(says(&session, &format!("second attempt by the balanced tier ({SONNET}): failed")));
    assert!(api.violations().is_empty(), "{:?}", api.violations());
}

#[test]
fn a_task_that_breaks_a_check_is_done_once_more_and_else_its_part_counts() {
    if !has_view() {
        return;
    }
    for second in [vec![failed("I am no better.")], vec![Reply::text("hm"), Reply::text("hm"), Reply::text("hm")]] {
        let session = Session::new(&workspace(1));
        set_checks(&session, "auto", &[check("test", "grep -q ' 0$' src/t1.rs")]);
        let broken = vec![edits("src/t1.rs", "    0\n", "    1\n"), tries(), partial("The check fails.")];
        let worse = [vec![edits("src/t1.rs", "    1\n", "    9\n")], second].concat();
        let api = MessagesApi::start(script(broken, worse));
        run(&session, &api).env("BATON_MAX_REPAIR_ROUNDS", "0").run();
        assert!(session.text("src/t1.rs").contains("    1\n"), "the first's part is published");
        assert_eq!(session.handoff("impl_report.json")["results"][0]["status"], "partial");
        let statuses: Vec<Value> =
            attempts(&session).as_array().expect("attempts").iter().map(|one| one["status"].clone()).collect();
        assert_eq!(statuses, ["partial", "failed"]);
        assert!(says(&session, ": partly done, and check test fails that passed before"));
        assert!(says(&session, "second attempt failed, and the first counts"));
    }
}

#[test]
fn a_check_that_failed_before_or_was_not_tried_is_no_reason() {
    let part = || vec![edits("src/t1.rs", "    0\n", "    1\n"), partial("Half of it.")];
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script(part(), part()));
    run(&session, &api).run().expect(0);
    assert_eq!(models(&api).len(), 1);
    assert_eq!(attempts(&session), Value::Null);

    let api = MessagesApi::start(script(vec![blocked("It needs a key.")], part()));
    let session = Session::new(&workspace(1));
    run(&session, &api).run().expect(1);
    assert_eq!(models(&api).len(), 1, "no model helps where something is missing");
    if !has_view() {
        return;
    }
    let session = Session::new(&workspace(1));
    set_checks(&session, "auto", &[check("test", "false")]);
    let tried = vec![edits("src/t1.rs", "    0\n", "    1\n"), tries(), partial("The check fails.")];
    let api = MessagesApi::start(script(tried, part()));
    run(&session, &api).env("BATON_MAX_REPAIR_ROUNDS", "0").run();
    assert_eq!(models(&api).len(), 1, "it fails without the task too");
}

#[test]
fn the_same_model_or_too_small_a_rest_of_the_budget_is_said_and_nothing_is_tried() {
    let first = || vec![failed("No idea.")];
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script(first(), first()));
    run(&session, &api).env("BATON_MODELS_BALANCED", HAIKU).run().expect(1);
    assert_eq!(models(&api).len(), 1);
    assert!(says(&session, "no second attempt: failed, and the balanced tier has the same model"));

    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script(first(), first()));
    run(&session, &api).env("BATON_BUDGET_TOKENS", "45000").run().expect(1);
    assert_eq!(models(&api).len(), 1);
    assert!(says(&session, "no second attempt by the balanced tier: failed, and it may take about"));
}

#[test]
fn a_second_attempt_that_meets_the_budget_goes_on_under_a_larger_one() {
    let session = Session::new(&workspace(1));
    let costly =
        edits("src/t1.rs", "    0\n", "    2\n").usage(json!({ "input_tokens": 5_000, "output_tokens": 200_000 }));
    let api = MessagesApi::start(script(vec![failed("No idea.")], vec![costly, completed(&["src/t1.rs"])]));
    let done = run(&session, &api).env("BATON_BUDGET_USD", "1").run().expect(3);
    done.prints("Raise budget_usd");
    let asked = api.requests_of("implement/T1").len();
    assert_eq!(asked, 2, "a turn of each attempt");
    // The same budget leaves it where it is.
    let again = session.baton(["run", "--auto-approve"]).api(&api).env("BATON_BUDGET_USD", "1").run().expect(3);
    again.prints("Raise budget_usd");
    assert_eq!(api.requests_of("implement/T1").len(), asked);
    let end = session.baton(["run", "--auto-approve"]).api(&api).run().expect(0);
    end.prints(&format!("T1 took 2 attempts: {HAIKU} (failed), {SONNET} (completed)."));
    assert_eq!(api.requests_of("implement/T1").len(), asked + 1, "what was paid for is kept");
}

#[test]
fn a_task_that_both_tiers_fail_at_lists_its_attempts_everywhere() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script(vec![failed("No idea.")], vec![failed("Nor have I.")]));
    let words = format!("T1 took 2 attempts: {HAIKU} (failed), {SONNET} (failed).");
    run(&session, &api).run().expect(1).prints(&words);
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["tasks"][0]["attempts"], attempts(&session));
    assert_eq!(attempts(&session).as_array().map(Vec::len), Some(2));
    assert!(status["summary"].as_str().expect("a summary").contains("T1 failed: Nor have I. "), "{status}");
    session.baton(["status"]).run().expect(0).prints(&format!("attempts: {HAIKU} (failed), {SONNET} (failed)"));

    // What neither model handed on in the right form is no result of theirs, and both were asked all the same.
    let session = Session::new(&workspace(1));
    let idle = || vec![Reply::text("hm"), Reply::text("hm"), Reply::text("hm")];
    let bad = || Reply::tool("submit_result", json!({ "status": "what" }));
    let api = MessagesApi::start(script(vec![bad(), bad(), bad()], idle()));
    run(&session, &api).run();
    assert_eq!(attempts(&session).as_array().map(Vec::len), Some(2), "{}", session.handoff("impl_report.json"));
}

#[test]
fn a_second_attempt_that_was_killed_goes_on_and_none_is_paid_for_twice() {
    let session = Session::new(&workspace(1));
    let first = vec![edits("src/t1.rs", "    0\n", "    1\n"), failed("No idea.")];
    let second = vec![edits("src/t1.rs", "    1\n", "    2\n"), completed(&["src/t1.rs"])];
    let stalled = script(first, second).stall_once(&("implement/T1", 1, 1).into());
    let api = MessagesApi::start(stalled);
    let running = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request(("implement/T1", 1, 1));
    running.kill();
    session.run(&api, []).expect(0);
    let asked: Vec<(usize, usize)> =
        api.requests_of("implement/T1").iter().map(|request| (request.conversation, request.turn)).collect();
    assert_eq!(asked, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 1)]);
    assert!(session.text("src/t1.rs").contains("    2\n"));
    assert_eq!(attempts(&session).as_array().map(Vec::len), Some(2));
}

#[test]
fn of_a_moderate_task_the_powerful_tier_is_asked() {
    let session = Session::new(&workspace(1));
    let task = with(own("T1"), json!({ "estimated_complexity": "moderate" }));
    let first = vec![edits("src/t1.rs", "    0\n", "    1\n"), failed("No idea.")];
    let second = vec![completed(&["src/t1.rs"])];
    let api = MessagesApi::start(but(Script::new().rounds("implement/T1", [first, second]), &[&[task]]));
    run(&session, &api).run().expect(0);
    assert_eq!(models(&api), ["claude-sonnet-5-5", "claude-opus-5-5"]);
    assert!(session.text("src/t1.rs").contains("    1\n"), "it found the first's edits good");
}
