//! A person takes the work as it is: by dismissing every issue, or by saying so.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, RequestName, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{approves, but, fixes, own, review, workspace};
use crate::support::session::{Baton, Done, Session};
use crate::support::terminal::Terminal;

const STANDS: &str = "No check ran. Changes are in your working tree; nothing was committed.";

fn issue(file: &str, description: &str) -> Value {
    json!({ "severity": "major", "file": file, "line": 2, "quote": "    1", "description": description })
}

/// A and B stand in the files of T1 and T2.
fn a_and_b() -> Vec<Value> {
    vec![issue("src/t1.rs", "A"), issue("src/t2.rs", "B")]
}

/// Two tasks that are done once and fixed once, and these reviews.
fn server(reviews: impl IntoIterator<Item = Reply>) -> MessagesApi {
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2)])
        .rounds("review", reviews.into_iter().map(|review| vec![review]));
    MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]))
}

/// A workflow whose first and last review this is, so that a person is needed.
fn stopped_at(review: Reply) -> (Session, MessagesApi) {
    let (session, api) = (Session::new(&workspace(2)), server([review, approves()]));
    let run = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api);
    run.env("BATON_MAX_REVIEW_CYCLES", "1").run().expect(3);
    (session, api)
}

fn escalated(issues: &[Value]) -> (Session, MessagesApi) {
    stopped_at(review("rejected", "escalate_to_human", issues))
}

fn baton<'a>(session: &Session, args: impl IntoIterator<Item = &'a str>) -> Done {
    session.baton(args).run()
}

fn accept(session: &Session) -> Done {
    baton(session, ["accept"])
}

/// The outcome, and what comes next.
fn status(session: &Session) -> (Value, Value) {
    let status = baton(session, ["status", "--json"]).expect(0).json();
    (status["outcome"].clone(), status["next"].clone())
}

fn merged() -> (Value, Value) {
    (json!("merged"), json!("none"))
}

fn needs_a_person() -> (Value, Value) {
    (json!("escalated"), json!("none"))
}

fn ids(session: &Session) -> Vec<String> {
    let review = session.handoff("review.json");
    review["issues"].as_array().unwrap().iter().map(|issue| issue["id"].as_str().unwrap().to_owned()).collect()
}

fn last_event(session: &Session) -> Value {
    session.events_of(&session.runs().pop().unwrap()).pop().unwrap()
}

#[test]
fn whatever_the_review_asks_for_the_work_is_taken_as_it_is_with_no_model_and_no_change() {
    for (verdict, action) in
        [("rejected", "escalate_to_human"), ("changes_requested", "fix_and_re_review"), ("rejected", "re_plan")]
    {
        let (session, api) = stopped_at(review(verdict, action, &a_and_b()));
        // Where only the limit of that run called a person, the workflow can go on.
        let outcome = if action == "escalate_to_human" { json!("escalated") } else { Value::Null };
        assert_eq!(status(&session).0, outcome, "{action}");
        let (asked, tree, review) = (api.requests().len(), session.tree(), session.text(".agent_memory/review.json"));
        // No model is set up.
        let done = baton(&session, ["accept", "--because", " As agreed. "]).expect(0);
        assert!(
            done.stdout.starts_with(&format!("Accepted by you; 2 issues dismissed. {STANDS}\n")),
            "{}",
            done.stdout
        );
        assert_eq!(done.stderr, "", "{action}");
        assert_eq!((api.requests().len(), session.tree()), (asked, tree), "{action}");
        assert_eq!(session.text(".agent_memory/review.json"), review, "{action}");
        for (entry, id) in session.handoff("dismissed.json").as_array().unwrap().iter().zip(ids(&session)) {
            assert_eq!((&entry["id"], &entry["because"]), (&json!(id), &json!("As agreed.")), "{action}");
        }
        assert_eq!(session.handoff("accepted.json")["because"], "As agreed.");
        assert_eq!(status(&session), merged(), "{action}");
        let last = last_event(&session);
        assert_eq!((&last["phase"], &last["status"]), (&json!("workflow"), &json!("done")));
        assert!(last["message"].as_str().unwrap().starts_with("Accepted by you; 2 issues dismissed."), "{last}");

        let again = baton(&session, ["accept"]).expect(2);
        again.reports("there is nothing to accept: you accepted the work already");
        session.run(&api, ["--json"]).expect(0);
        assert_eq!(last_event(&session)["message"], format!("Accepted by you; 2 issues dismissed. {STANDS}"));
        assert_eq!(api.requests().len(), asked, "{action}: nothing is fixed or planned again");
    }
}

#[test]
fn a_review_that_names_no_issue_is_accepted_only_by_saying_so() {
    for action in ["escalate_to_human", "fix_and_re_review", "re_plan"] {
        let (session, api) = stopped_at(review("rejected", action, &[]));
        // Where only the limit of that run called a person, the workflow can go on.
        let outcome = if action == "re_plan" { Value::Null } else { json!("escalated") };
        assert_eq!(status(&session).0, outcome, "{action}");
        let again = session.baton(["run"]).api(&api).env("BATON_MAX_REVIEW_CYCLES", "1");
        again.run().expect(3).prints("A person is needed");
        let done = accept(&session).expect(0);
        assert!(done.stdout.starts_with(&format!("Accepted by you. {STANDS}\n")), "{}", done.stdout);
        assert!(!session.exists(".agent_memory/dismissed.json"));
        assert_eq!(status(&session), merged(), "{action}");

        // Another review is another question.
        let text = session.text(".agent_memory/review.json");
        session.write(".agent_memory/review.json", text.replace("The verdict", "My verdict"));
        assert_ne!(status(&session), merged(), "{action}");
        session.write(".agent_memory/review.json", text);
        assert_eq!(status(&session), merged(), "{action}");
    }
}

#[test]
fn with_every_issue_dismissed_the_next_start_ends_as_merged_and_restoring_one_opens_it_again() {
    let (session, api) = escalated(&a_and_b());
    let asked = api.requests().len();
    let [a, b] = <[String; 2]>::try_from(ids(&session)).unwrap();
    let one = baton(&session, ["dismiss", &a, "--because", "Not ours."]).expect(0);
    assert!(!one.stdout.contains("accepted"), "{}", one.stdout);
    session.run(&api, []).expect(3).prints("A person is needed");
    baton(&session, ["dismiss", &b]).expect(0).prints("so the work counts as accepted by you");
    let done = session.run(&api, ["--json"]).expect(0);
    assert_eq!((done.outcome()["outcome"].clone(), status(&session)), (json!("merged"), merged()));
    assert_eq!(done.events().pop().unwrap()["message"], format!("Accepted by you; 2 issues dismissed. {STANDS}"));
    assert!(!session.exists(".agent_memory/accepted.json"));

    baton(&session, ["restore", &b]).expect(0);
    assert_eq!(status(&session), needs_a_person());
    session.run(&api, []).expect(3).prints("B").prints("A person is needed");
    // Also where it was accepted as a whole; what was dismissed before keeps its reason.
    accept(&session).expect(0).prints("Accepted by you; 2 issues dismissed.");
    assert_eq!(session.handoff("dismissed.json")[0]["because"], "Not ours.");
    baton(&session, ["restore", &a]).expect(0);
    assert_eq!(status(&session), needs_a_person());
    assert_eq!(api.requests().len(), asked);

    // And it is fixed as any other; the next review has nothing that was accepted.
    session.run(&api, ["--fix", &a]).expect(0).prints("Approved by reading");
    assert!(session.text("src/t1.rs").contains('2') && session.text("src/t2.rs").contains('1'));
    assert!(!session.exists(".agent_memory/accepted.json"));
    assert!(session.exists(".agent_memory/history/0001-fix/accepted.json"));
}

#[test]
fn what_the_last_version_dismissed_counts_from_when_it_was_written() {
    let (session, api) = escalated(&a_and_b());
    let [a, b] = <[String; 2]>::try_from(ids(&session)).unwrap();
    session.write(".agent_memory/dismissed.json", json!([a]).to_string());
    assert_eq!(status(&session), needs_a_person());
    session.write(".agent_memory/dismissed.json", json!([a, b]).to_string());
    assert_eq!(status(&session), merged());
    session.run(&api, []).expect(0).prints("Accepted by you; 2 issues dismissed.");
}

#[test]
fn a_review_that_repeats_only_what_was_dismissed_before_is_not_accepted_by_itself() {
    let session = Session::new(&workspace(2));
    let second = || review("rejected", "escalate_to_human", &a_and_b()[..1]);
    let api = server([review("changes_requested", "fix_and_re_review", &a_and_b()), second()]);
    let run = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api);
    run.env("BATON_MAX_REVIEW_CYCLES", "1").run().expect(3);
    let a = ids(&session).remove(0);
    baton(&session, ["dismiss", &a]).expect(0);
    session.run(&api, []).expect(3).prints("A person is needed: The verdict is rejected.");
    assert_eq!(status(&session), needs_a_person());
    accept(&session).expect(0).prints("Accepted by you; 1 issue dismissed.");
    assert_eq!(status(&session), merged());
}

#[test]
fn where_nothing_was_reviewed_nothing_is_accepted_and_the_message_says_what_to_do() {
    let refused = |session: &Session, words: &str| {
        let before = (session.tree(), session.names(".agent_memory"), session.runs(), session.history());
        accept(session).expect(2).reports("there is nothing to accept").reports(words);
        let after = (session.tree(), session.names(".agent_memory"), session.runs(), session.history());
        assert_eq!(after, before, "{words}");
        assert!(!session.exists(".agent_memory/accepted.json"), "{words}");
    };
    let session = Session::new(&workspace(2));
    refused(&session, "no task was worked on here yet");
    assert!(!session.exists(".agent_memory"));
    let api = server([review("approved", "merge", &a_and_b())]);
    session.run(&api, ["--phase", "context", "--task", "Do it"]).expect(0);
    refused(&session, "the plan phase comes next");
    session.run(&api, []).expect(3);
    refused(&session, "the plan waits for an answer. Approve or reject it");
    baton(&session, ["approve"]).expect(0);
    refused(&session, "the implement phase comes next");
    session.run(&api, ["--phase", "implement"]).expect(0);
    refused(&session, "the review phase comes next");
    session.run(&api, []).expect(0);
    refused(&session, "the review approved the work already");

    session.write(".agent_memory/review.json", "{");
    accept(&session).expect(2).reports(".agent_memory/review.json:1:1:");

    let session = Session::new(&workspace(2));
    session.run(&api, ["--task", "Do it"]).expect(3);
    baton(&session, ["reject"]).expect(0);
    refused(&session, "the plan was rejected");

    let long = "x".repeat(2049);
    let (session, _) = escalated(&[]);
    baton(&session, ["accept", "--because", &long]).expect(2).reports("the reason has 2049 bytes, and may have 2048");
    assert_eq!(status(&session), needs_a_person());
}

#[test]
fn while_a_run_is_at_work_nothing_is_accepted() {
    let (session, _) = escalated(&a_and_b());
    let ids = ids(&session);
    let fixing = RequestName::from(("implement/T1", 0, 0));
    let api = MessagesApi::start(but(Script::new().stall_once(&fixing), &[&[own("T1"), own("T2")]]));
    let run = session.start(&api, ["--fix", &ids[0]]);
    api.wait_for_request(&fixing);
    accept(&session).expect(2).reports("another run is working here: pid");
    assert!(!session.exists(".agent_memory/accepted.json"));
    run.kill();
    accept(&session).expect(2).reports("there is nothing to accept yet: the implement phase comes next");
}

#[test]
fn accepted_work_is_undone_and_that_too_and_a_new_task_starts() {
    for issues in [a_and_b(), Vec::new()] {
        let (session, api) = escalated(&issues);
        let (after, before) = (session.tree(), Session::new(&workspace(2)).tree());
        accept(&session).expect(0);
        baton(&session, ["rollback"]).expect(0).prints("Undone: 2 files.");
        assert_eq!(session.tree(), before);
        assert!(!session.exists(".agent_memory/accepted.json"));
        assert_eq!(status(&session).1, "gate");
        accept(&session).expect(2).reports("the plan waits for an answer");
        baton(&session, ["rollback", "--undo"]).expect(0);
        assert_eq!((session.tree(), status(&session)), (after, merged()));

        session.run(&api, ["--task", "Another task"]).expect(3).prints("waits for your answer");
        let history = session.history();
        let finished = history.iter().find(|entry| entry.ends_with("-finished")).unwrap();
        assert!(session.exists(&format!(".agent_memory/history/{finished}/accepted.json")), "{history:?}");
        assert!(!session.exists(".agent_memory/accepted.json") && !session.exists(".agent_memory/dismissed.json"));
        assert_eq!(session.text(".agent_memory/task.md").trim(), "Another task");
    }
}

#[test]
fn a_kill_between_the_issues_and_the_record_leaves_the_work_accepted() {
    let (session, api) = escalated(&a_and_b());
    accept(&session).expect(0);
    fs::remove_file(session.path(".agent_memory/accepted.json")).unwrap();
    assert_eq!(status(&session), merged());
    session.run(&api, []).expect(0).prints("Accepted by you; 2 issues dismissed.");
}

fn at<'a>(session: &Session, folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Baton {
    session.baton(args).current_dir(folder)
}

#[test]
fn a_record_that_came_with_a_copy_counts_as_absent_and_is_named() {
    let (session, api) = escalated(&[]);
    accept(&session).expect(0);
    let copy = session.clone_workspace("copy");
    let status = |folder: &Path| at(&session, folder, ["status", "--json"]).run().expect(0).json();
    let warning = status(&copy)["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.starts_with(&format!("This folder is a copy of {}", session.root().display())), "{warning}");
    assert!(warning.contains("The approval of the plan, the acceptance of the work as it is, "), "{warning}");
    assert!(warning.contains("what the review asks for is open again"), "{warning}");
    // Also where the plan is answered there.
    at(&session, &copy, ["approve"]).run().expect(0);
    let in_copy = status(&copy);
    assert_eq!(in_copy["outcome"], "escalated");
    assert!(in_copy["warnings"][0].as_str().unwrap().contains("The acceptance of the work as it is"), "{in_copy}");
    at(&session, &copy, ["run"]).api(&api).run().expect(3).reports("The acceptance of the work as it is");

    // A project that was moved takes it along, once a person says so.
    let moved = session.root().parent().unwrap().join("moved");
    fs::rename(session.root(), &moved).unwrap();
    assert_eq!(status(&moved)["outcome"], "waiting");
    let mut terminal = Terminal::new();
    let running = terminal.start(at(&session, &moved, ["trust", "--moved"]));
    assert!(
        terminal.wait_for("[y/N] ").contains("the acceptance of the work as it is: the workflow counts as finished")
    );
    terminal.type_line("y");
    running.wait().expect(0);
    assert_eq!((&status(&moved)["outcome"], &status(&moved)["warnings"]), (&json!("merged"), &json!([])));
    fs::rename(&moved, session.root()).unwrap();
}

#[test]
fn a_forged_record_is_none() {
    let (session, _) = escalated(&[]);
    accept(&session).expect(0);
    assert_eq!(status(&session), merged());
    let mut forged = session.handoff("accepted.json");
    forged["because"] = json!("Forged.");
    session.write(".agent_memory/accepted.json", forged.to_string());
    assert_eq!(status(&session), needs_a_person());
}

#[test]
fn in_an_editor_the_work_is_accepted_from_the_review() {
    let review_file = ".agent_memory/review.json";
    let (session, api) = escalated(&a_and_b()[..1]);
    let mut editor = PlainEditor::open(&session, &api);
    editor.until("the issue", |editor| editor.issues("src/t1.rs") == ["1: A"]);
    assert_eq!(editor.shown_lenses(review_file)[..2], ["0: Fix 1 issue and re-review", "0: Accept as is"]);
    let run = editor.press_lens(review_file, "Accept as is");
    assert!(run["run"].is_string(), "{run}");
    editor.until("the end", |editor| {
        editor.messages.iter().any(|said| said.contains("Accepted by you; 1 issue dismissed."))
    });
    editor.until("the issue to go", |editor| editor.issues("src/t1.rs").is_empty());
    assert_eq!(status(&session), merged());
    assert!(editor.shown_lenses(review_file).iter().all(|lens| !lens.contains("Accept")));
    editor.quit();
}

#[test]
fn an_editor_without_a_plugin_is_told_what_dismissing_the_last_issue_means() {
    let (session, api) = escalated(&a_and_b());
    let mut editor = PlainEditor::open(&session, &api);
    editor.until("the issues", |editor| !editor.issues("src/t2.rs").is_empty());
    let [a, b] = <[String; 2]>::try_from(ids(&session)).unwrap();
    assert_eq!(editor.execute("baton.dismissIssue", &[json!(a)]), Ok(json!({ "ids": [a] })));
    let both = json!({ "ids": [a, b], "because": "As meant." });
    assert_eq!(editor.execute("baton.dismissIssue", &[both]), Ok(json!({ "ids": [a, b] })));
    let is_accepted = |said: &String| said.contains("so the work counts as accepted by you");
    editor.until("the message", |editor| editor.messages.iter().any(is_accepted));
    assert_eq!(editor.messages.iter().filter(|said| is_accepted(said)).count(), 1);
    assert_eq!(session.handoff("dismissed.json")[0]["because"], "As meant.");
    let refused = editor.execute("baton.accept", &[]).expect_err("it is accepted");
    assert_eq!(refused["message"], "there is nothing to accept: you accepted the work already");
    editor.execute("baton.restoreIssue", &[json!(format!("{a},{b}"))]).expect("they are restored");
    let long = editor.execute("baton.accept", &[json!("x".repeat(2049))]).expect_err("too long");
    assert!(long["message"].as_str().unwrap().starts_with("the reason has 2049 bytes"), "{long}");
    assert_eq!(status(&session), needs_a_person());
    editor.quit();
}
