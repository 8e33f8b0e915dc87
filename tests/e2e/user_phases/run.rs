//! A run with the phase: what the model is asked, what is handed on, and how it ends where the phase cannot.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use super::{AGENT, finds, issue, merged, script, session, standing, two_rounds, unchecked};
use crate::support::messages_api::{Fault, MessagesApi, RecordedRequest, Reply, Script, agents};
use crate::support::replies::{but, findings, goes_well, own, reads, workspace};
use crate::support::session::Session;

/// The phases that were begun, in order.
fn begun(events: &[Value]) -> Vec<&str> {
    let started = events.iter().filter(|event| event["status"] == "started" && event["task"].is_null());
    started.filter_map(|event| event["phase"].as_str()).collect()
}

#[test]
fn it_runs_between_implementation_and_review_with_its_own_prompt_tier_and_tools() {
    let session = session(1);
    let api = MessagesApi::start(script());
    let done = session.run(&api, ["--task", "Do it", "--auto-approve", "--json"]).expect(0);
    assert_eq!(begun(&done.events()), ["workflow", "context", "plan", "implement", "security", "review"]);
    assert_eq!(agents(&api.requests()), ["context", "plan", "implement/T1", AGENT, "review"]);

    let asked = &api.requests_of(AGENT)[0];
    assert_eq!(asked.system(), "security\nLook at it.\n");
    assert_eq!(asked.body["model"], "claude-haiku-5-5");
    assert_eq!(asked.tools(), ["list_files", "search", "read_file", "outline", "log", "read_diff", "submit_findings"]);
    let told = asked.first_message();
    assert!(told.contains("Do it") && told.contains("src/t1.rs") && told.contains("<report"), "{told}");

    let found = session.handoff("security.json");
    let keys: Vec<&String> = found.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["timestamp", "round", "issues", "summary"]);
    assert_eq!((&found["round"], &found["summary"]), (&json!(1), &json!("One is open.")));
    assert!(found["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{found}");
    let found = &found["issues"][0];
    assert_eq!((&found["line"], &found["severity"]), (&json!(2), &json!("major")), "the quote decides the line");
    let id = found["id"].as_str().expect("an id");
    assert!(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");

    let told = api.first_message("review", 0);
    for words in ["<further_review phase=\"security\"", "The number is not checked.", "One is open.", id] {
        assert!(told.contains(words), "{words} is missing in {told}");
    }
    assert_eq!(
        standing(&session),
        [
            "context done: 1 relevant file",
            "plan done: Approved automatically",
            "implement done: 1 file changed",
            "security done: 1 issue",
            "review done: approved, 0 issues",
        ]
    );
}

#[test]
fn it_adds_its_findings_to_what_the_reviewer_is_told_and_nothing_else_to_any_request() {
    let without = Session::new(&workspace(1));
    let (without, with) = (merged(&without, goes_well(&[&[own("T1")]])), merged(&session(1), script()));
    let sent = |api: &MessagesApi| -> Vec<Value> {
        let others = api.requests().into_iter().filter(|request| request.agent != AGENT);
        others.map(|RecordedRequest { body, .. }| without_times(&body)).collect()
    };
    let (without, mut with) = (sent(&without), sent(&with));
    let review = with.last_mut().expect("a review");
    let text = review["messages"][0]["content"][0]["text"].as_str().expect("a text").to_owned();
    let (start, end) = (text.find("<further_review").expect("findings"), "</further_review>\n");
    let after = text.find(end).expect("an end") + end.len();
    review["messages"][0]["content"][0]["text"] = json!(format!("{}{}", &text[..start], &text[after..]));
    assert_eq!(with.len(), without.len());
    for (with, without) in with.iter().zip(&without) {
        let (with, without) = (with.to_string(), without.to_string());
        let at = with.bytes().zip(without.bytes()).position(|(a, b)| a != b).unwrap_or_default();
        let near = |text: &str| text.chars().skip(at.saturating_sub(60)).take(120).collect::<String>();
        assert!(with == without, "{}\n{}", near(&with), near(&without));
    }
}

/// A request without what differs from one run to the next: times, and the hash of a plan that has one.
fn without_times(body: &Value) -> Value {
    let mut text = body.to_string();
    for key in ["timestamp", "plan_sha256"] {
        let key = format!(r#"\"{key}\":\""#);
        let mut parts = text.split(&key);
        let first = parts.next().unwrap_or_default().to_owned();
        text = parts.fold(first, |text, part| text + &part[part.find('\\').unwrap_or_default()..]);
    }
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn it_runs_in_every_round_and_the_history_keeps_what_it_found_before() {
    let session = session(1);
    let api = merged(&session, two_rounds());
    let order = agents(&api.requests());
    assert_eq!(order[2..], ["implement/T1", AGENT, "review", "implement/T1", AGENT, "review"]);
    let before = session.handoff("history/0001-fix/security.json");
    assert_eq!((&before["round"], &before["issues"][0]["line"]), (&json!(1), &json!(2)));
    let now = session.handoff("security.json");
    assert_eq!((&now["round"], &now["summary"]), (&json!(2), &json!("It is checked now.")));
    let told = api.first_message("review", 1);
    assert!(told.contains("It is checked now.") && !told.contains("One is open."), "{told}");
}

#[test]
fn two_phases_follow_each_other_in_the_order_that_the_user_gave_them() {
    let session = Session::new(&workspace(1));
    session.add_phase("style", "after = \"security\"");
    session.add_phase("security", "after = \"implement\"");
    let script = Script::new()
        .on(AGENT, finds("One is open.", &[unchecked()]))
        .on("further/style", [findings("It is well written.", &[issue("suggestion", "    1", "Name it.")])]);
    let api = merged(&session, but(script, &[&[own("T1")]]));
    assert_eq!(agents(&api.requests())[3..], [AGENT, "further/style", "review"]);
    let told = api.first_message("review", 0);
    assert!(told.contains("phase=\"security\"") && told.contains("phase=\"style\""), "{told}");
    assert_eq!(standing(&session)[3..5], ["security done: 1 issue", "style done: 1 issue"]);
    assert_eq!(session.handoff("style.json")["issues"][0]["line"], 2);
}

#[test]
fn what_it_uses_counts_and_the_estimate_knows_of_it() {
    let usage = json!({ "input_tokens": 20_000, "output_tokens": 3_000 });
    let reply = findings("One is open.", &[unchecked()]).usage(usage);
    let script = || but(Script::new().on(AGENT, [reply.clone()]), &[&[own("T1")]]);
    let session = session(1);
    let api = MessagesApi::start(script());
    session.run(&api, ["--task", "Do it"]).expect(3);
    let status = |session: &Session| {
        let status = session.baton(["status", "--json"]).api(&api).env("BATON_BUDGET_USD", "100000");
        status.run().expect(0).json()
    };
    let (high, ceiling) = ("/gate/estimate/high/usd", "/gate/estimate/ceiling/tokens");
    let number = |status: &Value, at: &str| status.pointer(at).and_then(Value::as_f64).expect(at);
    let with = status(&session);
    session.write_user_config("");
    let without = status(&session);
    assert!(number(&with, high) > number(&without, high), "{with} {without}");
    assert!(number(&with, ceiling) > number(&without, ceiling), "{with} {without}");

    session.add_phase("security", "after = \"implement\"");
    session.baton(["approve"]).run().expect(0);
    let done = session.run(&api, ["--json"]).expect(0);
    let used = done.outcome()["run_usage"]["output_tokens"].as_u64().expect("a number");
    assert!((3_000..4_000).contains(&used), "{used}");

    // A limit that its next turn may exceed stops the run.
    let session = super::session(1);
    let usage = json!({ "input_tokens": 900_000, "output_tokens": 3_000 });
    let costly = Script::new().on(AGENT, [reads("src/t1.rs").usage(usage), reply]);
    let api = MessagesApi::start(but(costly, &[&[own("T1")]]));
    let run =
        session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api).env("BATON_BUDGET_TOKENS", "900000");
    run.run().expect(3).prints("the budget is ");
    assert_eq!(agents(&api.requests()).last().map(String::as_str), Some(AGENT));
}

#[test]
fn a_handoff_that_is_not_as_prescribed_is_sent_back_with_its_faults() {
    let outside = json!({ "severity": "major", "file": "../x.rs", "line": 1, "description": "d" });
    let replies = [
        Reply::tool("submit_findings", json!({ "issues": "many" })),
        findings("One is open.", &[outside]),
        findings("One is open.", &[unchecked()]),
    ];
    let session = session(1);
    let api = merged(&session, but(Script::new().on(AGENT, replies), &[&[own("T1")]]));
    let asked = api.requests_of(AGENT);
    assert_eq!(asked.len(), 3);
    let (first, second) = (asked[1].last_message().to_string(), asked[2].last_message().to_string());
    assert!(first.contains("issues") && first.contains("summary"), "{first}");
    assert!(second.contains("/issues/0/file"), "{second}");
}

#[test]
fn an_issue_without_a_place_is_kept_as_one() {
    let gone = issue("major", "what nobody wrote", "It is nowhere.");
    let session = session(1);
    let both = [gone, unchecked()];
    let replies = [finds("Two.", &both), vec![findings("Two.", &both), findings("Two.", &both)]].concat();
    merged(&session, but(Script::new().on(AGENT, replies), &[&[own("T1")]]));
    let found = session.handoff("security.json");
    let placed: Vec<bool> =
        found["issues"].as_array().expect("issues").iter().map(|issue| issue["placed"] != false).collect();
    assert_eq!((placed, &found["summary"]), (vec![false, true], &json!("Two.")));
}

#[test]
fn a_model_that_hands_on_nothing_or_cannot_be_asked_fails_the_run_as_in_any_phase() {
    let session = session(1);
    let stubborn = Script::new()
        .by(|request| (request.agent == AGENT).then(|| Reply::tool("submit_findings", json!({ "summary": 7 }))));
    let api = MessagesApi::start(but(stubborn, &[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve", "--json"]).expect(5);
    assert_eq!(done.outcome()["outcome"], "failed");
    assert!(!session.exists(".agent_memory/security.json"));
    let security = &standing(&session)[3];
    assert!(security.starts_with("security failed: "), "{security}");

    let refused = script().fault(AGENT, [Fault::status(400, "invalid_request_error", "no such thing")]);
    let api = MessagesApi::start(refused);
    session.run(&api, ["--json"]).expect(5);
    assert_eq!(agents(&api.requests()), [AGENT], "what was done is not done again");
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()), [AGENT, AGENT, "review"]);
}
