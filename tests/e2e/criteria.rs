//! A criterion is met where something shows it, and nowhere else.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, but, completed, edits, own, review, with, workspace, writes};
use crate::support::session::{Done, Session};

fn answer(criterion: u32, state: &str, evidence: Value) -> Value {
    json!({ "task_id": "T1", "criterion": criterion, "evidence": evidence, "state": state })
}

fn quote(file: &str, line: u32, quote: &str) -> Value {
    json!({ "file": file, "line": line, "quote": quote })
}

/// The reviewer's handoff with these criteria.
fn judges(verdict: &str, action: &str, issues: &[Value], criteria: &Value) -> Reply {
    let summary = format!("The verdict is {verdict}.");
    let judgement = json!({
        "verdict": verdict, "summary": summary, "issues": issues, "plan_drift_detected": false, "drift_details": "",
        "recommended_action": action, "criteria": criteria,
    });
    Reply::tool("submit_review", judgement)
}

fn approves_with(criteria: Value) -> Reply {
    judges("approved", "merge", &[], &criteria)
}

/// One task with two criteria, whose implementer writes a test that asserts nothing.
fn script(review: Vec<Vec<Reply>>) -> Script {
    let criteria =
        json!({ "files_to_create": ["tests/t1.rs"], "acceptance_criteria": ["t1 answers 1", "a test shows it"] });
    let empty = "#[test]\nfn t1_answers_1() {\n    let _ = t1();\n}\n";
    let first = vec![
        edits("src/t1.rs", "    0\n", "    1\n"),
        writes("tests/t1.rs", empty),
        completed(&["src/t1.rs", "tests/t1.rs"]),
    ];
    let mended = edits("tests/t1.rs", "    let _ = t1();\n", "    assert_eq!(t1(), 1);\n");
    let script = Script::new()
        .rounds("implement/T1", [first, vec![mended, completed(&["tests/t1.rs"])]])
        .rounds("review", review);
    but(script, &[&[with(own("T1"), criteria)]])
}

fn run(session: &Session, api: &MessagesApi) -> Done {
    session.run(api, ["--task", "Do it", "--auto-approve"])
}

/// The states of the criteria in review.json, and the lines of their evidence.
fn criteria(session: &Session) -> Vec<(String, Value)> {
    let review = session.handoff("review.json");
    let row = |result: &Value| (result["state"].as_str().unwrap().to_owned(), result["evidence"]["line"].clone());
    review["criteria"].as_array().unwrap().iter().map(row).collect()
}

fn states(session: &Session) -> Vec<String> {
    criteria(session).into_iter().map(|(state, _)| state).collect()
}

/// What the reviewer's submission of a turn was answered with.
fn faults(api: &MessagesApi, turn: usize) -> String {
    let requests = api.requests_of("review");
    let request = requests.iter().find(|request| request.turn == turn).expect("a further turn");
    request.last_message()[0]["content"].to_string()
}

#[test]
fn what_is_quoted_as_proof_has_to_be_there() {
    let session = Session::new(&workspace(1));
    let claims = json!([
        answer(1, "met", quote("src/t1.rs", 9, "+    1")),
        answer(2, "met", quote("tests/t1.rs", 3, "assert_eq!(t1(), 1);")),
    ]);
    let api = MessagesApi::start(script(vec![vec![approves_with(claims)]]));
    let done = run(&session, &api).expect(0);
    assert_eq!(criteria(&session), [("met".to_owned(), json!(2)), ("unproven".to_owned(), Value::Null)]);
    done.prints("1 criterion unproven");
    assert_eq!(api.requests_of("review").len(), 1, "it is no reason to ask again");
}

/// The reviewer reads the test, which asserts nothing, and says so: it is mended before anything is called done.
#[test]
fn a_test_that_asserts_nothing_is_caught_and_mended() {
    let session = Session::new(&workspace(1));
    let issue = json!({
        "severity": "major", "file": "tests/t1.rs", "line": 1, "quote": "let _ = t1();", "description": "It asserts nothing.",
    });
    let first = json!([
        answer(1, "met", quote("src/t1.rs", 2, "1")),
        answer(2, "unmet", quote("tests/t1.rs", 1, "    3\t    let _ = t1();")),
    ]);
    let second = json!([
        answer(1, "met", quote("src/t1.rs", 2, "    1")),
        answer(2, "met", quote("tests/t1.rs", 1, "assert_eq!(t1(), 1);")),
    ]);
    let asks = judges("changes_requested", "fix_and_re_review", &[issue], &first);
    let api = MessagesApi::start(script(vec![vec![asks], vec![approves_with(second)]]));
    let done = run(&session, &api).expect(0);
    assert!(!done.stdout.contains("unproven") && !done.stdout.contains("unmet"), "{}", done.stdout);
    let before: Value = serde_json::from_str(&session.text(".agent_memory/history/0001-fix/review.json")).unwrap();
    assert_eq!(
        (&before["criteria"][1]["state"], &before["criteria"][1]["evidence"]["line"]),
        (&json!("unmet"), &json!(3))
    );
    assert_eq!(criteria(&session), [("met".to_owned(), json!(2)), ("met".to_owned(), json!(3))], "answered anew");
    assert_eq!(session.text("tests/t1.rs").lines().nth(2), Some("    assert_eq!(t1(), 1);"));
}

#[test]
fn an_approval_with_an_unmet_criterion_goes_back_and_so_does_one_without_its_issue() {
    let session = Session::new(&workspace(1));
    let unmet = json!([answer(1, "met", quote("src/t1.rs", 2, "1")), answer(2, "unmet", Value::Null)]);
    let script = script(vec![vec![
        approves_with(unmet.clone()),
        judges("changes_requested", "fix_and_re_review", &[], &unmet),
        approves_with(json!([answer(1, "met", quote("src/t1.rs", 2, "1")), answer(2, "unproven", Value::Null)])),
    ]]);
    let api = MessagesApi::start(script);
    run(&session, &api).expect(0).prints("1 criterion unproven");
    let (first, second) = (faults(&api, 1), faults(&api, 2));
    assert!(
        first.contains("/verdict: criterion 2 of T1 is unmet") && first.contains("/issues: criterion 2 of T1"),
        "{first}"
    );
    assert!(second.contains("/issues: criterion 2 of T1 is unmet") && !second.contains("/verdict"), "{second}");
}

#[test]
fn on_the_last_try_the_server_asks_for_the_fix_itself() {
    let session = Session::new(&workspace(1));
    let unmet =
        || approves_with(json!([answer(1, "met", quote("src/t1.rs", 2, "1")), answer(2, "unmet", Value::Null)]));
    let mended =
        json!([answer(1, "met", quote("src/t1.rs", 2, "1")), answer(2, "met", quote("tests/t1.rs", 1, "assert_eq!"))]);
    let api = MessagesApi::start(script(vec![vec![unmet(), unmet(), unmet()], vec![approves_with(mended)]]));
    run(&session, &api).expect(0);
    let first: Value = serde_json::from_str(&session.text(".agent_memory/history/0001-fix/review.json")).unwrap();
    assert_eq!(
        (&first["verdict"], &first["recommended_action"]),
        (&json!("changes_requested"), &json!("fix_and_re_review"))
    );
    assert_eq!(first["recommended"], json!({ "verdict": "approved", "action": "merge" }));
    let issue = &first["issues"][0];
    assert_eq!(
        (&issue["severity"], &issue["task_id"], &issue["placed"]),
        (&json!("major"), &json!("T1"), &json!(false))
    );
    assert_eq!(issue["description"], "Acceptance criterion 2 of T1 is not met: a test shows it");
    assert!(api.first_message("implement/T1", 1).contains("Acceptance criterion 2 of T1 is not met"));
    assert_eq!(states(&session), ["met", "met"]);
}

#[test]
fn what_is_not_answered_in_three_tries_is_unproven() {
    let session = Session::new(&workspace(1));
    let none = || approves_with(json!([]));
    let api = MessagesApi::start(script(vec![vec![none(), none(), none()]]));
    run(&session, &api).expect(0).prints("2 criteria unproven");
    let told = faults(&api, 1);
    assert!(told.contains("criterion 1 of T1 (t1 answers 1); criterion 2 of T1 (a test shows it)"), "{told}");
    assert_eq!(states(&session), ["unproven", "unproven"]);
}

#[test]
fn tasks_that_were_not_approved_are_not_asked_for_and_a_diff_has_no_criteria() {
    let session = Session::new(&workspace(2));
    let approval = || session.baton(["approve", "--only", "T1"]).run().expect(0);
    let script = but(
        Script::new().on("review", [approves_with(json!([answer(1, "unproven", Value::Null)]))]),
        &[&[own("T1"), own("T2")]],
    );
    let api = MessagesApi::start(script);
    session.run(&api, ["--task", "Do it"]).expect(3);
    approval();
    session.run(&api, []).expect(0);
    assert_eq!(states(&session), ["unproven"]);

    let session = Session::in_git(&workspace(1));
    session.write("src/t1.rs", "pub fn t1() -> u32 {\n    1\n}\n");
    let api = MessagesApi::start(Script::new().on("review", [approves()]));
    session.baton(["review", "--base", "HEAD"]).api(&api).run().expect(0);
    let tools = &api.requests()[0].body["tools"];
    let submit = tools.as_array().unwrap().iter().find(|tool| tool["name"] == "submit_review").unwrap();
    assert!(submit["input_schema"]["properties"].get("criteria").is_none(), "{submit}");
    assert!(session.handoff("base_review.json").get("criteria").is_none());
}

/// A recording of the last version says nothing of criteria, and quotes what would be sent back today: it has no further
/// turn in which that could be mended.
#[test]
fn a_recorded_run_without_criteria_plays_to_its_end() {
    let session = Session::new(&workspace(1));
    let lost =
        json!({ "severity": "minor", "file": "src/gone.rs", "line": 4, "quote": "gone();", "description": "lost" });
    let api = MessagesApi::start(but(Script::new().on("review", [review("approved", "merge", &[])]), &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let lines = session.of_last_run("transcript.jsonl");
    let of_last_version = |line: &str| {
        let mut turn: Value = serde_json::from_str(line).unwrap();
        for block in turn["response"]["content"].as_array_mut().into_iter().flatten() {
            if block["name"] == "submit_review" {
                block["input"].as_object_mut().unwrap().remove("criteria");
                block["input"]["issues"] = json!([lost]);
            }
        }
        turn.to_string()
    };
    let recording: Vec<String> = lines.lines().map(of_last_version).collect();
    let replayed = Session::new(&workspace(1));
    replayed.write("../recording.jsonl", recording.join("\n"));
    let played = replayed
        .baton(["run", "--task", "Do it", "--auto-approve", "--provider", "replay"])
        .env("BATON_REPLAY", replayed.path("../recording.jsonl"))
        .run()
        .expect(0);
    played.prints("1 criterion unproven").prints("src/gone.rs: minor: lost (no place in the code was found)");
    assert_eq!(states(&replayed), ["unproven"]);
}
