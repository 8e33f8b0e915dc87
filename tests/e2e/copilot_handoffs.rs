//! Handoffs as agents write them by hand: with Markdown fences, comments, trailing commas, tabs and line breaks inside of texts,
//! other cases and kinds, and without what follows from the rest. They are taken over at each phase, and what was assumed is said.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::lsp_client::LspClient;
use crate::support::messages_api::{MessagesApi, Script, agents};
use crate::support::replies::{approves, completed, does, edits, own, plan, workspace};
use crate::support::session::Session;

/// What an agent wrote, in `tests/fixtures/copilot/`.
const CONTEXT: (&str, &str) = ("context.json", include_str!("../fixtures/copilot/context.json"));
const PLAN: (&str, &str) = ("plan.json", include_str!("../fixtures/copilot/plan.json"));
const REPORT: (&str, &str) = ("impl_report.json", include_str!("../fixtures/copilot/impl_report.json"));
const REVIEW: (&str, &str) = ("review.json", include_str!("../fixtures/copilot/review.json"));

fn session_with(files: &[(&str, &str)]) -> Session {
    let session = Session::in_git(&workspace(2));
    for (file, text) in files {
        session.write(&session.memory(file), text);
    }
    session
}

/// The work that the report tells of.
fn work(session: &Session) {
    for file in ["src/t1.rs", "src/t2.rs"] {
        session.write(file, session.text(file).replace("    0\n", "    1\n"));
    }
}

fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

/// What the status says was assumed, and that nothing is wrong.
fn assumed(session: &Session) -> String {
    let status = status(session);
    assert!(status["faults"].is_null(), "{status:#}");
    status["warnings"].as_array().expect("a list").iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
}

fn left_alone(session: &Session, files: &[(&str, &str)]) {
    for (file, text) in files {
        assert_eq!(session.text(&session.memory(file)), *text, "{file}");
    }
}

#[test]
fn a_context_is_planned_on() {
    let session = session_with(&[CONTEXT]);
    let said = assumed(&session);
    for words in [
        ".agent_memory/context.json is not quite as its schema wants it",
        "line 9, a file without a word on it",
        "line 3, the Markdown around the JSON",
        "line 5, comments",
        "line 6, \"taskDescription\" was taken as \"task_description\"",
        "and 2 more",
    ] {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let api = MessagesApi::start(Script::new().on("plan", [plan(&[&[own("T1"), own("T2")]])]));
    let done = session.run(&api, []).expect(3);
    assert!(done.stderr.contains("is not quite as its schema wants it"), "a run says so too: {}", done.stderr);
    assert_eq!(agents(&api.requests()), ["plan"]);
    let asked = api.requests()[0].first_message();
    assert!(asked.contains("<task>\nMake them answer 1.\n</task>") && asked.contains("Keep the names"), "{asked}");
    left_alone(&session, &[CONTEXT]);
}

#[test]
fn a_plan_waits_at_the_gate_however_it_was_written() {
    let session = session_with(&[CONTEXT, PLAN]);
    let api = MessagesApi::start(Script::new());
    session.run(&api, []).expect(3).prints("The plan (version 1, 2 tasks) waits for your answer.");
    assert!(api.requests().is_empty(), "nobody is asked before a person has answered");
    let status = status(&session);
    let ids: Vec<&Value> = status["tasks"].as_array().expect("tasks").iter().map(|task| &task["id"]).collect();
    assert_eq!(ids, [&json!("T1"), &json!("2")]);
    let said = status["gate"]["warnings"].to_string();
    assert!(
        said.contains("plan.json is not quite") && said.contains("was taken as the whole"),
        "the gate says what was assumed: {said}"
    );
    assert!(session.text(".agent_memory/plan.md").contains("The second"));

    session.baton(["approve"]).run().expect(0);
    let script = Script::new().by(|request| {
        let task = request.agent.strip_prefix("implement/")?;
        let file = if task == "T1" { "T1" } else { "T2" };
        does(file).get(request.turn).cloned()
    });
    let api = MessagesApi::start(script.on("review", [approves()]));
    session.run(&api, []).expect(0);
    let order = agents(&api.requests());
    assert!(
        order.starts_with(&["implement/T1".into()]) && order.last().is_some_and(|last| last == "review"),
        "{order:?}"
    );
    assert_eq!(order.iter().filter(|agent| *agent == "implement/2").count(), 1, "{order:?}");
    left_alone(&session, &[CONTEXT, PLAN]);
}

#[test]
fn results_are_reviewed_after_the_plan_is_approved() {
    let session = session_with(&[PLAN, REPORT]);
    work(&session);
    let said = assumed(&session);
    assert!(said.contains("impl_report.json is not quite") && said.contains("was taken as \"completed\""), "{said}");
    let api = MessagesApi::start(Script::new().on("review", [approves()]));
    session.run(&api, []).expect(3).prints("waits for your answer");
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0).prints("T1, 2 were done elsewhere, not by Baton");
    assert_eq!(agents(&api.requests()), ["review"]);
    left_alone(&session, &[PLAN, REPORT]);
}

#[test]
fn a_review_leads_on_to_the_fix_that_it_asks_for() {
    let session = session_with(&[PLAN, REPORT, REVIEW]);
    work(&session);
    let said = assumed(&session);
    assert!(said.contains("\"recommended_action\" is missing and was taken as \"fix_and_re_review\""), "{said}");
    let issues = status(&session)["issues"].clone();
    assert_eq!(
        (&issues[0]["id"], &issues[0]["severity"], &issues[0]["line"]),
        (&json!("ISSUE-1"), &json!("major"), &json!(2))
    );
    assert_eq!(issues[1]["line"], 2);
    let script = Script::new()
        .on("implement/T1", [edits("src/t1.rs", "    1\n", "    2\n"), completed(&["src/t1.rs"])])
        .on("implement/2", [edits("src/t2.rs", "    1\n", "    1 // one\n"), completed(&["src/t2.rs"])])
        .on("review", [approves()]);
    let api = MessagesApi::start(script);
    session.run(&api, []).expect(3).prints("waits for your answer");
    session.run(&api, ["--auto-approve"]).expect(0);
    let first = api.requests_of("implement/T1")[0].first_message();
    assert!(first.contains("It should answer 2."), "{first}");
    assert!(session.text("src/t1.rs").contains('2'));
}

#[test]
fn what_could_mean_several_things_is_a_fault_at_its_line() {
    let session = session_with(&[("task.md", "Make them answer 1.\n"), PLAN]);
    for (file, text, at, words) in [
        ("context.json", "```json\n{ \"task_description\": \"x\", oops }\n```\n", "2:28", "not valid JSON"),
        ("context.json", "Look: { \"task_description\": \"x\" }", "1:1", "not valid JSON"),
        (
            "impl_report.json",
            "{ // mine\n \"results\": [\n  { \"task_id\": \"T1\", \"status\": \"Done\" },\n ] }",
            "3:32",
            "\"completed\"",
        ),
        (
            "review.json",
            "{ \"verdict\": \"Rejected\",\n \"summary\": \"s\" }",
            "1:1",
            "\"recommended_action\" is a required property",
        ),
    ] {
        session.write(&session.memory(file), text);
        let faults = status(&session)["faults"].clone();
        let fault = &faults[0];
        let place = format!("{}:{}", fault["line"], fault["column"]);
        assert_eq!((fault["file"].as_str(), place.as_str()), (Some(&*session.memory(file)), at), "{faults:#}");
        assert!(fault["message"].as_str().expect("a message").contains(words), "{faults:#}");
        let api = MessagesApi::start(Script::new());
        let done = session.run(&api, ["--auto-approve"]).expect(1);
        assert!(done.stderr.contains(&format!("{}:{at}", session.memory(file))), "{}", done.stderr);
        assert!(api.requests().is_empty());
        assert_eq!(session.text(&session.memory(file)), text, "it is left alone");
        std::fs::remove_file(session.path(&session.memory(file))).expect("it is there");
    }
}

#[test]
fn an_editor_shows_what_was_assumed_at_its_place() {
    let session = session_with(&[]);
    let context = "{\n  // by hand\n  \"task_description\": \"x\",\n  \"relevant_files\": [\n    \
                   { \"path\": \"src/t1.rs\", \"summary\": \"s\", \"relevance\": \"High\" }\n  ]\n}\n";
    session.write(&session.memory("context.json"), context);
    let mut command = session.baton(["lsp"]).into_command();
    let mut editor = LspClient::start(&mut command, session.root());
    editor.initialize(session.initialize_params());
    let lines = ["1: schema: comments were passed over; JSON has none", "4: schema: \"High\" was taken as \"high\""];
    let shown = editor.wait_for_lines(&session.memory("context.json"), &lines);
    for diagnostic in shown["diagnostics"].as_array().expect("a list") {
        assert_eq!(diagnostic["severity"], 3, "nothing is wrong: {shown:#}");
    }
    assert_eq!(shown["diagnostics"][1]["range"]["start"], json!({ "line": 4, "character": 56 }));
    assert_eq!(editor.quit(), Some(0));
}
