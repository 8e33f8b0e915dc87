//! Every command of the language server, and every outcome of the runs that they start.
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::time::{Duration, Instant};

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::{LspClient, button_titles, message_text};
use crate::support::messages_api::{Fault, MessagesApi, RecordedRequest, Reply, Script};
use crate::support::replies::approves;
use crate::support::session::Session;
use crate::support::wait::PROMPTLY;
use serde_json::{Value, json};

/// A finished workflow, whose review has one minor issue: the run's id, and the issue's.
fn finished(client: &mut LspClient) -> (String, String) {
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    client.wait_for_run_end(&run);
    let status = client.execute("baton.status", &[]).expect("a status");
    (run, status["issues"][0]["id"].as_str().expect("an id").to_owned())
}

/// The next run, from the command that started it to its end: its last message.
fn follow(client: &mut LspClient, started: &Value) -> Value {
    client.follow_to_end(started).last_message
}

fn plan(summary: &str) -> Reply {
    let task = json!({
        "id": "T1", "title": "Greet by name", "description": "Take a name.", "files_to_modify": ["src/lib.rs"],
        "depends_on": [], "acceptance_criteria": ["It takes a name."], "estimated_complexity": "simple"
    });
    let plan = json!({ "approach_summary": summary, "risks": [], "parallel_groups": [["T1"]], "tasks": [task] });
    Reply::tool("submit_plan", plan)
}

/// Like [`script`], with two rounds of everything.
fn twice() -> Script {
    let edit = json!({ "path": "src/lib.rs", "old_text": "greet()", "new_text": "greet(name: &str)" });
    let result = json!({ "task_id": "T1", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let review = json!({
        "verdict": "approved", "summary": "Good.", "recommended_action": "merge", "plan_drift_detected": false,
        "drift_details": "", "issues": []
    });
    let context = json!({
        "task_description": TASK, "dependencies": [], "existing_patterns": [], "constraints": [],
        "relevant_files": [{ "path": "src/lib.rs", "summary": "The greeting.", "relevance": "high" }],
        "files_in_scope": ["src/lib.rs"], "files_out_of_scope": []
    });
    let context = || vec![Reply::tool("submit_context", context.clone())];
    let review = || vec![Reply::tool("submit_review", review.clone())];
    Script::new()
        .rounds("context", [context(), context()])
        .rounds("plan", [vec![plan("The first approach")], vec![plan("The second approach")]])
        .on("implement/T1", [Reply::tool("edit_file", edit), Reply::tool("submit_result", result)])
        .rounds("review", [review(), review()])
}

#[test]
fn without_a_task_a_file_to_write_it_in_is_opened() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.language_server(&api);
    let mut params = session.initialize_params();
    params["capabilities"]["window"]["showDocument"] = Value::Null;
    client.initialize(params);
    let task = session.path(".agent_memory/task.md");
    for command in ["baton.workflow", "baton.context"] {
        let error = client.execute(command, &[]).expect_err("no task");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(task.to_str().expect("a path"))), "{error}");
        let said = client.wait_for_message();
        assert!(
            said["params"]["message"].as_str().is_some_and(|text| text.starts_with("Baton: write the task to")),
            "{said}"
        );
    }
    let template = session.text(".agent_memory/task.md");
    assert!(template.starts_with("# Task"), "{template}");
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null), "an untouched template is no task");
    assert_eq!(client.quit(), Some(0));

    let mut client = session.lsp_client(&api);
    assert_eq!(client.execute("baton.openTask", &[]), Ok(json!({ "uri": session.uri(".agent_memory/task.md") })));
    client.wait_for_document(&session.uri(".agent_memory/task.md"));
    std::fs::write(&task, format!("{template}\nGreet by name\n")).unwrap();
    let run = client.start_workflow(json!({ "approval": "auto" }));
    client.wait_for_run_end(&run);
    assert_eq!(client.execute("baton.status", &[]).expect("a status")["task"], "Greet by name");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn each_phase_runs_by_its_name_and_again() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(twice());
    let mut client = session.lsp_client(&api);
    for (command, argument, phase) in [
        ("baton.context", json!(TASK), "context"),
        ("baton.plan", json!({}), "plan"),
        ("baton.plan", json!({ "feedback": "Say good day" }), "plan"),
    ] {
        let started = client.execute(command, &[argument]).expect(command);
        let last = follow(&mut client, &started);
        let said = last["message"].as_str().unwrap();
        assert!(said.starts_with(&format!("Baton: The {phase} phase is done. ")), "{said}");
        let way_on = if phase == "plan" { "Approve: baton.approve." } else { "Resume: baton.workflow." };
        assert!(said.contains(way_on), "{said}");
    }
    let read = |file: &str| serde_json::from_str::<Value>(&session.text(file)).unwrap();
    let plan = read(".agent_memory/plan.json");
    assert_eq!((&plan["plan_version"], &plan["approach_summary"]), (&json!(2), &json!("The second approach")));
    let asked = &api.requests_of("plan")[1];
    assert!(asked.first_message().contains("Say good day"), "{}", asked.first_message());

    // Of these only implement opens the gate; an approval with nothing waiting continues the whole workflow.
    client.execute("baton.implement", &[]).expect("it starts");
    let run = client.wait_for_run();
    let question = client.wait_for_gate();
    client.answer(&question, json!({ "title": "Approve" }));
    let shown = client.wait_for_run_end(&run);
    let said = shown.last_message["message"].as_str().unwrap();
    assert!(said.starts_with("Baton: The implement phase is done. Resume: baton.workflow."), "{said}");
    assert!(session.text("src/lib.rs").contains("greet(name: &str)"));
    let started = client.execute("baton.review", &[]).expect("it starts");
    let said = follow(&mut client, &started)["message"].as_str().unwrap().to_owned();
    assert!(said.starts_with("Baton: The review phase is done. Show Changes: baton.diff."), "{said}");
    let started = client.execute("baton.implement", &[json!("T1")]).expect("it starts");
    let said = follow(&mut client, &started)["message"].as_str().unwrap().to_owned();
    assert!(said.starts_with("Baton: The implement phase is done. Resume: baton.workflow."), "{said}");
    assert_eq!(api.requests_of("implement/T1").len(), 4, "the task was done once more");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn approving_where_nothing_waits_goes_on_with_the_workflow() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    for command in ["baton.context", "baton.plan"] {
        let argument = if command == "baton.context" { json!(TASK) } else { Value::Null };
        let started = client.execute(command, &[argument]).expect(command);
        follow(&mut client, &started);
    }
    let wrong = client.execute("baton.approve", &[json!({ "tasks": ["T7"] })]).expect_err("no such task");
    assert!(wrong["message"].as_str().is_some_and(|text| text.contains("\"T7\" is no task of the plan")), "{wrong}");
    let approved = client.execute("baton.approve", &[json!("T1")]).expect("it is approved");
    assert_eq!((&approved["plan_version"], &approved["tasks"]), (&json!(1), &json!(["T1"])));
    let last = follow(&mut client, &approved);
    let said = last["message"].as_str().unwrap();
    assert!(
        said.starts_with(
            "Baton: Approved by reading; no check ran. Changes are in your working tree; nothing was committed."
        ),
        "{said}"
    );
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_gate_is_answered_by_commands() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(twice());
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate(TASK);
    let first = client.execute("baton.status", &[]).expect("a status")["gate"]["plan_sha256"].clone();
    // Feedback is the Revise answer of the run that waits.
    assert_eq!(client.execute("baton.plan", &[json!("Say good day")]), Ok(json!({ "run": run, "notes": 0 })));
    client.wait_for_withdrawal(&question);
    let question = client.wait_for_question();
    assert!(message_text(&question).contains("plan 2 (1 task): The second approach."), "{}", message_text(&question));
    assert_eq!(client.execute("baton.reject", &[]), Ok(json!({ "plan_version": 2 })));
    // Answered twice: the second answer, to a plan that is gone, and the question's own come too late.
    client.execute("baton.approve", &[json!({ "planSha256": first })]).expect_err("it is another plan");
    client.wait_for("$/cancelRequest");
    client.answer(&question, json!({ "title": "Approve" }));
    let shown = client.wait_for_run_end(&run);
    let message = shown.last_text();
    assert!(message.contains("rejected"), "{message}");
    assert!(session.text("src/lib.rs").contains("greet()"), "nothing was written");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_gate_that_waits_in_another_process_is_answered_from_the_editor() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut other = session.lsp_client(&api);
    let (run, question) = other.run_to_gate(TASK);
    let mut client = session.lsp_client(&api);
    let refused = client.execute("baton.workflow", &[]).expect_err("another process is at work");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains(&run) && text.contains("pid")), "{refused}");
    let approved = client.execute("baton.approve", &[]).expect("it is approved");
    assert_eq!(approved["run"], Value::Null, "the run that waits goes on");
    other.wait_for_withdrawal(&question);
    let shown = other.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert_eq!((client.quit(), other.quit()), (Some(0), Some(0)));
}

#[test]
fn an_edited_plan_is_asked_about_again() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate(TASK);
    client.answer(&question, json!({ "title": "Edit" }));
    client.wait_for_document(&session.uri(".agent_memory/plan.json"));
    client.wait_for_message();
    let edited = session.text(".agent_memory/plan.json").replace("Give greet a parameter.", "Mine.");
    session.write(".agent_memory/plan.json", edited);
    let question = client.wait_for_question();
    assert!(message_text(&question).contains("Mine."), "{}", message_text(&question));
    client.answer(&question, json!({ "title": "View" }));
    let opened = client.wait_for("window/showDocument");
    assert_eq!(opened["params"]["uri"], session.uri(".agent_memory/plan.md"));
    assert!(session.text(".agent_memory/plan.md").contains("Mine."));
    client.answer(&opened, json!({ "success": true }));
    let question = client.wait_for_question();
    client.answer(&question, json!({ "title": "Approve" }));
    client.wait_for_run_end(&run);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn feedback_is_written_to_a_file_where_the_editor_has_no_question_for_it() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(twice());
    let mut client = session.lsp_client_with(&api, &Value::Null);
    let (run, question) = client.run_to_gate(TASK);
    client.answer(&question, json!({ "title": "Revise" }));
    client.wait_for_document(&session.uri(".agent_memory/feedback.md"));
    client.wait_for_message();
    let file = session.path(".agent_memory/feedback.md");
    let template = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{template}\nSay good day")).unwrap();
    let sure = client.wait_for_question();
    assert_eq!(button_titles(&sure), ["Keep writing", "Plan again"]);
    client.answer(&sure, json!({ "title": "Plan again" }));
    let question = client.wait_for_question();
    assert!(message_text(&question).contains("The second approach"), "{}", message_text(&question));
    assert!(!session.exists(".agent_memory/feedback.md"), "it was sent");
    client.answer(&question, json!({ "title": "Reject" }));
    client.wait_for_run_end(&run);
    assert!(api.requests_of("plan")[1].first_message().contains("Say good day"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn what_was_changed_is_shown_undone_and_undone_again() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let before = session.text("src/lib.rs");
    finished(&mut client);
    let after = session.text("src/lib.rs");
    for argument in [Value::Null, json!("T1")] {
        let mut diff = client.execute("baton.diff", &[argument]).expect("a diff");
        assert!(diff["diff"].as_str().is_some_and(|diff| diff.contains("+pub fn greet(name: &str)")), "{diff}");
        let file = json!({
            "path": "src/lib.rs", "uri": session.uri("src/lib.rs"), "change_type": "modified", "lines_added": 2,
            "lines_removed": 2, "tasks": ["T1"], "before": before, "after": after
        });
        // Its hunks and its content from before have tests of their own.
        for field in ["run", "before_uri", "hunks"] {
            assert!(diff["files"][0].as_object_mut().is_some_and(|file| file.remove(field).is_some()), "{field}");
        }
        assert_eq!(diff["files"], json!([file]));
    }
    let wrong = client.execute("baton.diff", &[json!("T9")]).expect_err("no such task");
    assert!(wrong["message"].as_str().is_some_and(|text| text.contains("T9 is no task")), "{wrong}");

    let dry = client.execute("baton.rollback", &[json!({ "dryRun": true })]).expect("a dry run");
    let restored = json!([{ "path": "src/lib.rs", "outcome": "restored", "message": "as it was before" }]);
    assert_eq!((&dry["dry_run"], &dry["files"]), (&json!(true), &restored));
    assert_eq!(dry["message"], "Nothing was written. It would come to 1 file.");
    assert_eq!(session.text("src/lib.rs"), after);
    let named = json!({ "file": session.uri("src/lib.rs") });
    let done = client.execute("baton.rollback", &[named]).expect("it is rolled back");
    assert_eq!((&done["dry_run"], &done["files"]), (&json!(false), &restored));
    assert_eq!(session.text("src/lib.rs"), before);
    let undone = client.execute("baton.rollback", &[json!({ "undo": true })]).expect("it is undone");
    assert!(undone["message"].as_str().is_some_and(|text| text.starts_with("The rollback was undone: 1 file.")));
    assert_eq!(session.text("src/lib.rs"), after);
    let wrong = client.execute("baton.rollback", &[json!({ "file": "../x" })]).expect_err("outside");
    assert_eq!(wrong["code"], -32803);
    while !client.has_read_everything() {
        // The issue's diagnostic goes and comes with its line.
        assert_eq!(client.next_message("the end of the run")["method"], "textDocument/publishDiagnostics");
    }
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_issue_is_dismissed_and_restored() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let (_, id) = finished(&mut client);
    let error = client.execute("baton.dismissIssue", &[]).expect_err("which one?");
    assert!(error["message"].as_str().is_some_and(|text| text.contains(&id)), "{error}");
    let error = client.execute("baton.fixIssue", &[]).expect_err("which one?");
    assert!(error["message"].as_str().is_some_and(|text| text.contains(&id)), "{error}");
    let error = client.execute("baton.dismissIssue", &[json!("nothing")]).expect_err("no such issue");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("is no issue of the review")), "{error}");
    assert_eq!(client.execute("baton.dismissIssue", &[json!(id)]), Ok(json!({ "ids": [id] })));
    client.wait_for_diagnostics(&session.uri("src/lib.rs"), <[Value]>::is_empty);
    assert_eq!(session.handoff("dismissed.json")[0]["id"], id);
    assert_eq!(client.execute("baton.restoreIssue", &[json!({ "id": id })]), Ok(json!({ "ids": [id] })));
    client.wait_for_diagnostics(&session.uri("src/lib.rs"), |shown| shown.len() == 1);
    assert!(client.execute("baton.restoreIssue", &[json!(id)]).is_err(), "it was not dismissed");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_issue_is_fixed_in_a_round_of_its_own() {
    let session = Session::new(GREETING);
    let fix = json!({ "path": "src/lib.rs", "old_text": "hello {name}", "new_text": "hello, {name}" });
    let result = json!({ "task_id": "T1", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let api = MessagesApi::start(script().by(move |request| {
        if request.agent == "review" && request.conversation == 1 {
            return Some(approves());
        }
        let is_fix = request.agent == "implement/T1" && request.first_message().contains("empty name greets nobody");
        is_fix.then(|| match request.turn {
            0 => Reply::tool("edit_file", fix.clone()),
            _ => Reply::tool("submit_result", result.clone()),
        })
    }));
    let mut client = session.lsp_client(&api);
    let (_, id) = finished(&mut client);
    let started = client.execute("baton.fixIssue", &[json!({ "ids": [id] })]).expect("it starts");
    follow(&mut client, &started);
    assert!(session.text("src/lib.rs").contains("hello, {name}"), "{}", session.text("src/lib.rs"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_working_tree_is_reviewed_against_a_commit() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let missing = client.execute("baton.review", &[json!({ "base": "HEAD" })]).expect_err("no repository");
    assert!(missing["message"].as_str().is_some_and(|text| text.contains("no git repository")), "{missing}");
    session.git(&["init", "-q", "-b", "main"]);
    session.git(&["add", "-A"]);
    session.git(&["commit", "-q", "-m", "start"]);
    finished(&mut client);
    let started = client.execute("baton.review", &[json!("main")]).expect("it starts");
    let last = follow(&mut client, &started);
    assert!(last.to_string().contains("Reviewed 1 file against main"), "{last}");
    let review: Value = serde_json::from_str(&session.text(".agent_memory/base_review.json")).expect("JSON");
    assert!(review["base"].is_string() && review["issues"][0]["file"] == "src/lib.rs", "{review}");
    // The workflow's review found the same: both are shown, and the workflow stands as it did.
    let shown = client.wait_for_diagnostics(&session.uri("src/lib.rs"), |shown| shown.len() == 2);
    let bases = [0, 1].map(|at| shown["diagnostics"][at]["data"].get("base").cloned());
    assert_eq!(bases, [None, Some(review["base"].clone())]);
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!(status["outcome"], "merged", "{status}");
    let diff = client.execute("baton.diff", &[]).expect("its changes");
    assert!(diff.to_string().contains("src/lib.rs"), "{diff}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_reset_moves_the_workflow_to_history_and_opens_the_way_for_another() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!(TASK));
    api.wait_for_request("context");
    for command in ["baton.reset", "baton.rollback"] {
        let refused = client.execute(command, &[]).expect_err("a run is at work");
        assert!(refused["message"].as_str().is_some_and(|text| text.contains(&run)), "{refused}");
    }
    client.execute("baton.cancel", &[]).expect("it is cancelled");
    client.wait_for_run_end(&run);
    let other = client.execute("baton.workflow", &[json!("Another task")]).expect_err("one is unfinished");
    assert!(other["message"].as_str().is_some_and(|text| text.contains("another task is unfinished")), "{other}");
    let reset = client.execute("baton.reset", &[]).expect("it is reset");
    let moved = reset["moved"].as_str().expect("a path");
    assert!(session.path(moved).join("task.md").exists(), "{moved}");
    assert_eq!(client.execute("baton.reset", &[]), Ok(json!({ "moved": null })));
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    client.wait_for_run_end(&run);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_plan_is_opened() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    finished(&mut client);
    let uri = session.uri(".agent_memory/plan.md");
    assert_eq!(client.execute("baton.openPlan", &[]), Ok(json!({ "uri": uri })));
    client.wait_for_document(&uri);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_gate_warns_of_documents_that_its_tasks_would_wait_for() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let source = session.text("src/lib.rs");
    client.open_document("src/lib.rs", &source);
    client.replace_document("src/lib.rs", &format!("//! Mine.\n{source}"));
    let run = client.start_workflow(json!({ "task": TASK }));
    let question = client.wait_for_question();
    let warning = "Open with unsaved changes: src/lib.rs. Their tasks wait until you save.";
    assert!(message_text(&question).contains(warning), "{}", message_text(&question));
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!(status["gate"]["warnings"], json!([warning]));
    client.answer(&question, json!({ "title": "Reject" }));
    client.wait_for_run_end(&run);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn after_a_cancel_the_run_can_be_shown_undone_or_resumed() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("review", [Fault::Silence]));
    let mut client = session.lsp_client(&api);
    let before = session.text("src/lib.rs");
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    api.wait_for_request("review");
    client.execute("baton.cancel", &[]).expect("it is cancelled");
    let question = client.wait_for_end_question(&run);
    assert_eq!(button_titles(&question), ["Show Changes", "Later", "Resume", "Undo"]);
    assert!(
        message_text(&question).starts_with("Baton: Stopped in review. T1 written (1 file)."),
        "{}",
        message_text(&question)
    );
    client.answer(&question, json!({ "title": "Show Changes" }));
    client.wait_for_document(&session.uri(&format!(".agent_memory/runs/{run}/changes.diff")));
    let question = client.wait_for_question();
    client.answer(&question, json!({ "title": "Undo" }));
    let message = client.wait_for_message();
    assert!(message_text(&message).starts_with("Baton: Rolled back: 1 file."), "{}", message_text(&message));
    assert_eq!(session.text("src/lib.rs"), before);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn what_was_cancelled_is_resumed_by_a_button_and_the_question_goes_when_something_starts() {
    let session = Session::new(GREETING);
    let silent = [Fault::Silence, Fault::Silence];
    let api = MessagesApi::start(script().fault("review", silent));
    let mut client = session.lsp_client(&api);
    let cancel_at_review = |client: &mut LspClient, run: &str| {
        api.wait_for_request("review");
        client.execute("baton.cancel", &[]).expect("it is cancelled");
        client.wait_for_end_question(run)
    };
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    let question = cancel_at_review(&mut client, &run);
    client.answer(&question, json!({ "title": "Resume" }));
    let run = client.wait_for_run();
    let question = cancel_at_review(&mut client, &run);
    // Started otherwise, the question is withdrawn.
    let run = client.start_workflow(json!({}));
    client.wait_for_withdrawal(&question);
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_workflow_that_was_killed_is_offered_at_the_next_start() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("review", [Fault::Silence]));
    let run = session.start(&api, ["--auto-approve", "--task", TASK]);
    api.wait_for_request("review");
    run.kill();
    let mut client = session.lsp_client(&api);
    let offered = client.wait_for_question();
    assert_eq!(button_titles(&offered), ["Show Changes", "Later", "Resume", "Undo"]);
    assert!(
        message_text(&offered).contains(TASK) && message_text(&offered).contains("review"),
        "{}",
        message_text(&offered)
    );
    client.answer(&offered, json!({ "title": "Resume" }));
    let run = client.wait_for_run();
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_plan_that_waits_is_announced_at_the_next_start_and_not_reopened() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    session.run(&api, ["--task", TASK]).expect(3);
    let mut client = session.lsp_client(&api);
    let message = client.wait_for_message();
    assert!(
        message_text(&message).contains("waits for your answer") && message_text(&message).contains("plan.md"),
        "{}",
        message_text(&message)
    );
    let approved = client.execute("baton.approve", &[]).expect("it is approved");
    follow(&mut client, &approved);
    assert!(session.text("src/lib.rs").contains("greet(name: &str)"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_spent_budget_is_asked_about_and_raised() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    session.write("baton.toml", "budget_usd = 0.05\n");
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    let mut allowed = 0;
    loop {
        let message = client.next_message("the end of the run");
        match message["method"].as_str() {
            Some("window/showMessageRequest") => {
                allowed += 1;
                assert!(allowed < 20, "{message}");
                let titles = button_titles(&message);
                // Nothing is spent, and nothing undone, by a stray key.
                assert!(["Later", "Show Changes"].contains(&titles[0]), "{titles:?}");
                assert!(titles.contains(&"Allow $0.05 more"), "{titles:?}");
                assert!(message_text(&message).contains("used"), "{message}");
                client.answer(&message, json!({ "title": "Allow $0.05 more" }));
            }
            Some("window/workDoneProgress/create") => client.answer(&message, Value::Null),
            Some("window/showMessage") => {
                assert!(message_text(&message).contains("Approved by reading; no check ran."), "{message}");
                break;
            }
            _ => {}
        }
    }
    assert!(allowed > 0, "run {run} never asked");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_client_with_its_own_interface_gets_every_event_and_no_question() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.language_server(&api);
    let mut params = session.initialize_params();
    params["initializationOptions"]["baton"] = json!({ "phase": true, "gate": true });
    client.initialize(params);
    let run = client.start_workflow(json!({ "task": TASK }));
    let mut events: Vec<Value> = Vec::new();
    let mut after_last = Vec::new();
    loop {
        let message = client.next_message("the end of the run");
        match message["method"].as_str().expect("a method") {
            "baton/phase" => {
                let event = message["params"].clone();
                assert_eq!((&event["run"], &event["folder"]), (&json!(run), &json!(session.uri(""))));
                if event["gate"].is_object() {
                    assert_eq!((&event["phase"], &event["status"]), (&json!("plan"), &json!("waiting")));
                    assert_eq!(event["gate"]["plan_md"], session.uri(".agent_memory/plan.md"));
                    let sha256 = &client.execute("baton.status", &[]).expect("a status")["gate"]["plan_sha256"];
                    assert_eq!(event["gate"]["plan_sha256"], *sha256);
                    client.execute("baton.approve", &[]).expect("it is approved");
                }
                events.push(event);
            }
            method @ ("$/progress" | "textDocument/publishDiagnostics") => {
                if events.last().is_some_and(|event| event["outcome"].is_string()) {
                    after_last.push(method.to_owned());
                }
            }
            "window/showMessage" => break,
            other => panic!("{other}: {message}"),
        }
    }
    let journal = session.text(&format!(".agent_memory/runs/{run}/events.jsonl"));
    let journal: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().filter(|event| event["gate"].is_object()).count(), 1);
    let last = events.last().expect("events");
    assert_eq!((&last["phase"], &last["status"]), (&json!("workflow"), &json!("done")));
    assert_eq!(last["outcome"], "merged");
    assert_eq!(after_last, ["$/progress"], "only the progress ends after the last event");
    for event in &mut events {
        let event = event.as_object_mut().expect("an object");
        for own in ["folder", "gate", "ways_on"] {
            event.remove(own);
        }
    }
    assert_eq!(events, journal, "the events are those of the journal, in their order");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_doctor_looks_under_the_editors_settings() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client_with(&api, &Value::Null);
    let found = client.execute("baton.doctor", &[]).expect("it looks");
    let message = client.wait_for_message();
    let checks = found["checks"].as_array().expect("checks");
    let named: Vec<&str> = checks.iter().map(|check| check["name"].as_str().expect("a name")).collect();
    assert!(named.starts_with(&["binary", "workspace"]) && named.contains(&"models"), "{named:?}");
    assert!(checks.iter().all(|check| matches!(check["status"].as_str(), Some("ok" | "warning" | "error"))));
    assert!(message_text(&message).contains("binary ok: "), "{}", message_text(&message));
    client.notify("workspace/didChangeConfiguration", json!({ "settings": { "baton": { "keep_runs": 0 } } }));
    client.wait_for_message();
    let found = client.execute("baton.doctor", &[]).expect("it looks");
    client.wait_for_message();
    let settings = found["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "settings");
    assert_eq!((&found["ok"], &settings.expect("a check")["status"]), (&json!(false), &json!("error")));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn without_a_plugin_results_are_shown() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client_with(&api, &Value::Null);
    client.execute("baton.status", &[]).expect("a status");
    let message = client.wait_for_message();
    assert!(message_text(&message).contains("nothing has been run here yet"), "{}", message_text(&message));
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    client.wait_for_run_end(&run);
    client.execute("baton.status", &[]).expect("a status");
    let message = client.wait_for_message();
    for words in [
        TASK,
        "Approved by reading; no check ran.",
        "T1 completed: Greet by name",
        "1 open issue",
        "Undo: baton.rollback.",
    ] {
        assert!(message_text(&message).contains(words), "{words}: {}", message_text(&message));
    }
    client.execute("baton.diff", &[]).expect("a diff");
    let opened = client.wait_for("window/showDocument");
    assert_eq!(opened["params"]["uri"], session.uri(&format!(".agent_memory/runs/{run}/changes.diff")));
    // An editor that cannot open it says so; the text then names the file.
    client.answer(&opened, json!({ "success": false }));
    let message = client.wait_for_message();
    assert!(message_text(&message).contains("src/lib.rs: modified, +2 -2 (T1)"), "{}", message_text(&message));
    client.execute("baton.rollback", &[json!({ "dryRun": true })]).expect("a dry run");
    let message = client.wait_for_message();
    assert!(message_text(&message).contains("src/lib.rs: restored"), "{}", message_text(&message));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_editors_settings_count_and_may_not_set_what_is_the_users() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.language_server(&api);
    let mut params = session.initialize_params();
    params["capabilities"]["workspace"] =
        json!({ "configuration": true, "didChangeConfiguration": { "dynamicRegistration": true } });
    client.initialize(params);
    let register = client.wait_for("client/registerCapability");
    assert_eq!(register["params"]["registrations"][0]["method"], "workspace/didChangeConfiguration");
    client.answer(&register, Value::Null);
    let asked = client.wait_for("workspace/configuration");
    assert_eq!(asked["params"], json!({ "items": [{ "scopeUri": session.uri(""), "section": "baton" }] }));
    client.answer(&asked, json!([{ "memory_dir": ".elsewhere", "trace": "off" }]));
    client.execute("baton.openTask", &[]).expect("it opens");
    client.wait_for_document(&session.uri(".elsewhere/task.md"));

    for (settings, words) in [
        (json!({ "approval": "auto" }), "approval may not be \"auto\" here"),
        (json!({ "anthropic_api_key": "x" }), "looks like a key"),
        (json!({ "base_url": "http://x" }), "looks like an endpoint"),
        (json!({ "memory_dir": "../x" }), "memory_dir"),
    ] {
        client.notify("workspace/didChangeConfiguration", json!({ "settings": null }));
        let asked = client.wait_for("workspace/configuration");
        client.answer(&asked, json!([settings]));
        let message = client.wait_for_message();
        assert!(message["params"]["type"] == 1 && message_text(&message).contains(words), "{message}");
        let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("wrong settings");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(words)), "{error}");
    }
    client.notify("workspace/didChangeConfiguration", json!({ "settings": null }));
    let asked = client.wait_for("workspace/configuration");
    client.answer(&asked, json!([null]));
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null));
    assert_eq!(client.quit(), Some(0));

    // A client that is not asked sends its settings itself.
    let mut client = session.lsp_client(&api);
    client.notify("workspace/didChangeConfiguration", json!({ "settings": { "baton": { "keep_runs": 0 } } }));
    let message = client.wait_for_message();
    assert!(message_text(&message).contains("keep_runs"), "{message}");
    assert_eq!(client.quit(), Some(0));
}

/// Prints how long `baton.status` takes while sixteen tasks are at work, from the request to its answer.
#[test]
#[expect(clippy::print_stderr, reason = "it is a measurement as well")]
fn the_status_is_answered_while_sixteen_tasks_are_at_work() {
    const TASKS: usize = 16;
    let session = Session::new(GREETING);
    let source = "// a line of some length, as sources have them\n".repeat(400);
    let files: Vec<String> = (1..=TASKS).map(|n| format!("src/t{n}.rs")).collect();
    for file in &files {
        std::fs::write(session.path(file), &source).unwrap();
    }
    // More than the default is the user's to allow.
    session.write_user_config("max_parallel_tasks = 16\n");
    let task = |n: usize| {
        json!({
            "id": format!("T{n}"), "title": format!("Task {n}"), "description": "Do it.",
            "files_to_modify": [files[n - 1]], "depends_on": [], "acceptance_criteria": ["It is done."],
            "estimated_complexity": "simple"
        })
    };
    let ids: Vec<String> = (1..=TASKS).map(|n| format!("T{n}")).collect();
    let plan = json!({
        "approach_summary": "All at once.", "risks": [], "parallel_groups": [ids],
        "tasks": (1..=TASKS).map(task).collect::<Vec<_>>()
    });
    // Each has read a good deal, and then thinks for long.
    let thinks = |request: &RecordedRequest| {
        let task = request.agent.strip_prefix("implement/T")?.to_owned();
        let read = Reply::tool("read_file", json!({ "path": format!("src/t{task}.rs") }));
        Some(if request.turn < 6 { read } else { read.after(Duration::from_secs(120)) })
    };
    let api = MessagesApi::start(twice().by(move |request| match request.agent.as_str() {
        "plan" => Some(Reply::tool("submit_plan", plan.clone())),
        _ => thinks(request),
    }));
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    for id in 1..=TASKS {
        api.wait_for_request((format!("implement/T{id}").as_str(), 6));
    }
    let mut took: Vec<Duration> = (0..200)
        .map(|_| {
            let asked = Instant::now();
            let status = client.execute("baton.status", &[]).expect("a status");
            let took = asked.elapsed();
            let running = status["tasks"].as_array().into_iter().flatten().filter(|task| task["status"] == "running");
            assert_eq!(running.count(), TASKS, "{status}");
            took
        })
        .collect();
    took.sort();
    let transcript = session.text(&format!(".agent_memory/runs/{run}/transcript.jsonl")).len();
    eprintln!(
        "baton.status while {TASKS} tasks run, transcript {} kB: p50 {:?}, p99 {:?}, longest {:?}",
        transcript / 1000,
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1]
    );
    let cancelled = Instant::now();
    client.execute("baton.cancel", &[]).expect("it is cancelled");
    client.wait_for_run_end(&run);
    assert!(cancelled.elapsed() < PROMPTLY, "{:?}", cancelled.elapsed());
    assert_eq!(client.quit(), Some(0));
}
