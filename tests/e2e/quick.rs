//! Quick: context and plan in one conversation, with the gate and the review as ever.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script, agents};
use crate::support::replies::{approves, but, context, goes_well, own, plan, plan_of, with, workspace};
use crate::support::session::Session;

fn submits(plan: &Value) -> Reply {
    let context = context(&["src/t1.rs"]).content()[0]["input"].clone();
    Reply::tool("submit_quick", json!({ "context": context, "plan": plan }))
}

fn looks() -> Reply {
    Reply::tool("search", json!({ "pattern": "fn t1" }))
}

/// Edits and submits in one turn.
fn does() -> Reply {
    let edit = json!({ "path": "src/t1.rs", "old_text": "    0\n", "new_text": "    1\n" });
    let result = json!({
        "changes": [{ "path": "src/t1.rs", "summary": "1 for 0" }], "notes": "", "blockers": [], "status": "completed"
    });
    Reply::tools([("edit_file", edit), ("submit_result", result)])
}

fn script() -> Script {
    Script::new()
        .on("quick", [looks(), submits(&plan_of(&[&[own("T1")]]))])
        .on("implement/T1", [does()])
        .on("review", [approves()])
}

fn phases(session: &Session) -> Vec<(String, String)> {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let word = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let rows = status["phases"].as_array().expect("phases").clone();
    rows.iter().map(|row| (word(row, "phase"), word(row, "status"))).collect()
}

fn pairs(rows: &[(String, String)]) -> Vec<(&str, &str)> {
    rows.iter().map(|(phase, status)| (phase.as_str(), status.as_str())).collect()
}

#[test]
fn a_one_line_fix_takes_four_turns_of_models() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script());
    session.run(&api, ["--quick", "--task", "Let t1 answer 1", "--auto-approve"]).expect(0);
    let requests = api.requests();
    assert_eq!(requests.len(), 4, "{:?}", agents(&requests));
    assert_eq!(agents(&requests), ["quick", "implement/T1", "review"]);
    assert_eq!(requests[0].body["model"], "claude-sonnet-5-5");
    assert_eq!(requests[0].tools(), ["list_files", "search", "read_file", "outline", "log", "submit_quick"]);
    assert!(requests[0].first_message().contains("Let t1 answer 1"));
    assert!(session.text("src/t1.rs").contains("    1\n"));
    let done = [("context", "done"), ("plan", "done"), ("implement", "done"), ("review", "done")];
    assert_eq!(pairs(&phases(&session)), done);
    assert_eq!(session.handoff("plan.json")["plan_version"], 1);
    assert_eq!(session.handoff("context.json")["relevant_files"][0]["line_count"], 3);
    assert!(api.violations().is_empty(), "{:?}", api.violations());

    // It is over: the next one begins anew, quick or not.
    session.run(&api, ["--quick"]).expect(2).reports("the workflow here is finished");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Another"]).expect(3);
    assert_eq!(agents(&api.requests()), ["context", "plan"]);
    assert!(session.history().iter().any(|entry| session.exists(&format!(".agent_memory/history/{entry}/quick.md"))));
}

#[test]
fn the_gate_stays_and_an_unfinished_workflow_is_not_begun_again() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script());
    session.run(&api, ["--quick", "--task", "Let t1 answer 1"]).expect(3).prints("waits for your answer");
    let waiting = [("context", "done"), ("plan", "waiting"), ("implement", "pending"), ("review", "pending")];
    assert_eq!(pairs(&phases(&session)), waiting);
    assert!(session.text("src/t1.rs").contains("    0\n"), "nothing is written before the answer");
    assert!(session.exists(".agent_memory/plan.md"));
    let before = api.requests().len();
    for args in [vec!["--quick"], vec!["--quick", "--task", "Let t1 answer 1"]] {
        session.run(&api, args).expect(2).reports("a workflow is unfinished here");
    }
    assert_eq!(api.requests().len(), before);
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()), ["quick", "implement/T1", "review"]);

    session.run(&api, ["--quick", "--reset", "--task", "Once more"]).expect(3);
    assert_eq!(agents(&api.requests()).last().map(String::as_str), Some("quick"));
}

#[test]
fn a_killed_one_goes_on_where_it_was_and_stays_quick() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script().stall_once(&("quick", 1).into()));
    let running = session.start(&api, ["--quick", "--task", "Let t1 answer 1"]);
    api.wait_for_request(("quick", 1));
    running.kill();
    assert_eq!(pairs(&phases(&session))[0], ("context", "interrupted"));
    session.run(&api, []).expect(3);
    let turns: Vec<usize> = api.requests_of("quick").iter().map(|request| request.turn).collect();
    assert_eq!(turns, [0, 1, 1], "no turn is paid for twice");
    assert_eq!(agents(&api.requests()), ["quick"]);

    // As if it had been killed between its two handoffs.
    for file in ["plan.json", "plan.md"] {
        std::fs::remove_file(session.path(&format!(".agent_memory/{file}"))).expect("it is there");
    }
    session.run(&api, []).expect(3);
    assert!(agents(&api.requests()).iter().all(|agent| agent == "quick"), "{:?}", agents(&api.requests()));
    assert!(session.exists(".agent_memory/plan.json"));

    // A new plan that was asked for is the planner's.
    let revise = Script::new().on("plan", [plan(&[&[own("T1")]])]);
    let api = MessagesApi::start(but(revise, &[&[own("T1")]]));
    session.baton(["plan", "--feedback", "Say why"]).api(&api).run();
    assert_eq!(agents(&api.requests()), ["plan"]);
}

#[test]
fn more_than_one_task_of_three_files_goes_back_to_the_model() {
    let session = Session::new(&workspace(4));
    let files = |count: usize| -> Vec<String> { (1..=count).map(|n| format!("src/t{n}.rs")).collect() };
    let task = |count: usize| with(own("T1"), json!({ "files_to_modify": files(count) }));
    let quick = [
        submits(&plan_of(&[&[own("T1"), own("T2")]])),
        submits(&plan_of(&[&[task(4)]])),
        submits(&plan_of(&[&[task(3)]])),
    ];
    let api = MessagesApi::start(Script::new().on("quick", quick));
    session.run(&api, ["--quick", "--task", "Let t1 answer 1"]).expect(3);
    let requests = api.requests_of("quick");
    let answered = |turn: usize| requests[turn].last_message().to_string();
    assert!(
        answered(1).contains("2 tasks with 2 files; a quick plan is one task of at most 3 files"),
        "{}",
        answered(1)
    );
    assert!(answered(2).contains("1 task with 4 files"), "{}", answered(2));
    let bad = [submits(&json!({})), submits(&json!({ "tasks": 1 })), submits(&json!(1))];
    let bad = Script::new().on("quick", bad);
    let api = MessagesApi::start(bad);
    let done = session.run(&api, ["--quick", "--reset", "--task", "Let t1 answer 1"]);
    done.expect(5).prints("the quick agent's handoff was not valid in 3 tries");
    let told = api.requests_of("quick")[1].last_message().to_string();
    assert!(told.contains("/plan"), "{told}");
}

#[test]
fn all_that_is_wrong_with_a_submission_is_told_at_once() {
    let session = Session::new(&workspace(2));
    let elsewhere = with(own("T1"), json!({ "files_to_modify": ["src/none.rs"] }));
    let both = plan_of(&[&[elsewhere, own("T2")]]);
    let shapeless = with(both.clone(), json!({ "risks": "none" }));
    let context = json!({ "task_description": "t", "relevant_files": [{ "path": "gone.rs", "summary": "s", "relevance": "high" }] });
    let quick = Reply::tool("submit_quick", json!({ "context": context, "plan": both }));
    let api =
        MessagesApi::start(Script::new().on("quick", [quick, submits(&shapeless), submits(&plan_of(&[&[own("T1")]]))]));
    session.run(&api, ["--quick", "--task", "Let t1 answer 1"]).expect(3);
    let answered = |turn: usize| api.requests_of("quick")[turn].last_message().to_string();
    for part in ["gone.rs is not a file", "src/none.rs", "2 tasks with 2 files; a quick plan is one task"] {
        assert!(answered(1).contains(part), "{part:?} is not in {}", answered(1));
    }
    for part in ["/plan/risks", "2 tasks with 2 files; a quick plan is one task"] {
        assert!(answered(2).contains(part), "{part:?} is not in {}", answered(2));
    }
}

#[test]
fn a_context_that_calls_the_work_small_has_one_task_made_and_the_gate_tells_of_quick() {
    let session = Session::new(&workspace(1));
    let small = with(context(&["src/t1.rs"]).content()[0]["input"].clone(), json!({ "size": "small" }));
    let script = Script::new().on("context", [Reply::tool("submit_context", small)]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Let t1 answer 1"]).expect(3);
    assert!(api.first_message("plan", 0).contains("make one task of it"));
    assert_eq!(session.handoff("context.json")["size"], "small");
    session.baton(["status"]).run().expect(0);
    let hint = "A small task: next time `baton run --quick` plans one like it in a single conversation.";
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["gate"]["warnings"], json!([hint]));
    let mut client = session.lsp_client(&api);
    let status = client.execute("baton.status", &[]).expect("a status");
    let said = status["gate"]["warnings"][0].as_str().expect("a hint");
    assert!(said.contains("baton.workflow with {\"quick\": true}") && !said.contains('`'), "{said}");
    client.shut_down();
    client.disconnect();
}

#[test]
fn an_editor_starts_one_by_its_own_command() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": "Let t1 answer 1", "quick": true, "approval": "auto" }));
    let end = client.wait_for_run_end(&run);
    assert!(end.last_text().starts_with("Baton: Approved by reading; no check ran."), "{}", end.last_text());
    assert_eq!(agents(&api.requests()), ["quick", "implement/T1", "review"]);
    assert_eq!(client.quit(), Some(0));
}
