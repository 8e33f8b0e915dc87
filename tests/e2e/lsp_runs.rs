//! Runs in the language server: start, gate, cancel, end, several folders, and the `initialize` of real editors.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::{button_titles, check_progress, message_text};
use crate::support::messages_api::{Fault, MessagesApi};
use crate::support::session::Session;
use crate::support::wait::{PROMPTLY, wait_for_exit};
use serde_json::{Value, json};

#[test]
fn a_task_goes_from_the_editor_to_its_review() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.language_server(&api);
    let capabilities = client.initialize(session.initialize_params());
    let commands = capabilities["executeCommandProvider"]["commands"].as_array().expect("commands");
    assert!(commands.contains(&json!("baton.workflow")), "{commands:?}");
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null), "nothing was run yet");
    assert!(!session.exists(".agent_memory"), "looking leaves no trace");

    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3);
    let last = "Baton: Approved by reading; no check ran. Changes are in your working tree; nothing was committed. 1 issue is left. \
                Show Changes: baton.diff. Undo: baton.rollback. Fix the Issue: baton.fixIssue {\"ids\":[";
    assert!(shown.last_message["message"].as_str().unwrap().starts_with(last), "{}", shown.last_message);
    let said: Vec<&str> = shown.progress.iter().filter_map(|value| value["message"].as_str()).collect();
    assert!(said.iter().any(|message| message.contains("review")), "{said:?}");
    let published = shown.published(&session.uri("src/lib.rs")).expect("the review is shown");
    let diagnostic = &published["diagnostics"][0];
    // The quoted line is line 2, whatever line the model gave.
    let range = json!({ "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 27 } });
    assert_eq!(diagnostic["range"], range);
    assert_eq!((&diagnostic["severity"], &diagnostic["source"]), (&json!(3), &json!("baton")));
    assert_eq!(diagnostic["code"], "review.minor");
    assert_eq!(diagnostic["message"], "An empty name greets nobody.\n\nSuggested fix: Say hello to all.");
    let related = &diagnostic["relatedInformation"][0];
    assert_eq!(related["location"]["uri"], session.uri(".agent_memory/plan.json"));
    let line = related["location"]["range"]["start"]["line"].as_u64().expect("a line") as usize;
    assert!(session.text(".agent_memory/plan.json").lines().nth(line).expect("in the file").contains("\"id\": \"T1\""));
    assert!(session.text("src/lib.rs").contains("greet(name: &str)"));

    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["outcome"]), (&json!(run), &json!("merged")));
    assert_eq!(status["issues"].as_array().map(Vec::len), Some(1));
    let over = client.execute("baton.cancel", &[]).expect_err("nothing to cancel");
    assert_eq!(over["message"], format!("nothing runs here: run {run} is over"));
    assert_eq!(client.quit(), Some(0));

    // The next server shows the review that is there.
    let mut client = session.lsp_client(&api);
    assert_eq!(client.wait_for_diagnostics(&session.uri("src/lib.rs"), |shown| !shown.is_empty()), *published);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_run_can_be_watched_and_cancelled_by_command_and_no_second_one_begins() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("plan", [Fault::Silence]));
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!(TASK));
    api.wait_for_request("plan");

    let asked = Instant::now();
    let status = client.execute("baton.status", &[]).expect("a status");
    assert!(asked.elapsed() < PROMPTLY);
    assert_eq!((&status["run"], &status["outcome"], &status["task"]), (&json!(run), &Value::Null, &json!(TASK)));
    assert_eq!(status["phases"][1]["status"], "running");
    let second = client.execute("baton.workflow", &[]).expect_err("one at a time");
    assert_eq!(second["code"], -32803);
    assert!(second["message"].as_str().is_some_and(|message| message.contains(&run)), "{second}");

    let cancelled = Instant::now();
    assert_eq!(client.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
    let shown = client.wait_for_run_end(&run);
    assert!(cancelled.elapsed() < PROMPTLY, "{:?}", cancelled.elapsed());
    let message = shown.last_text();
    assert!(message.starts_with("Baton: Stopped in plan."), "{message}");
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!(status["outcome"], "cancelled");

    // A cancelled run is resumed without a task.
    let again = client.start_workflow(json!({ "approval": "auto" }));
    assert_ne!(again, run);
    let shown = client.wait_for_run_end(&again);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_run_is_cancelled_by_its_progress() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": TASK }));
    api.wait_for_request("context");
    client.notify("window/workDoneProgress/cancel", json!({ "token": "another" }));
    client.notify("window/workDoneProgress/cancel", json!({ "token": 1 }));
    let cancelled = Instant::now();
    client.notify("window/workDoneProgress/cancel", json!({ "token": run }));
    let shown = client.wait_for_run_end(&run);
    assert!(cancelled.elapsed() < PROMPTLY, "{:?}", cancelled.elapsed());
    let message = shown.last_text();
    assert!(message.starts_with("Baton: Stopped in context."), "{message}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn the_gate_asks_and_goes_on_when_approved() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate(TASK);
    let text = message_text(&question);
    assert!(text.contains("Give greet a parameter.") && text.contains(".agent_memory/plan.md"), "{text}");
    assert_eq!(button_titles(&question), ["View", "Later", "Revise", "Edit", "Reject", "Approve"]);
    assert!(session.text("src/lib.rs").contains("greet()"), "nothing is written before the answer");
    assert!(client.execute("baton.status", &[]).expect("a status")["gate"].is_object());
    client.answer(&question, json!({ "title": "Approve" }));
    let shown = client.wait_for_run_end(&run);
    assert!(shown.published(&session.uri("src/lib.rs")).is_some());
    assert!(session.text("src/lib.rs").contains("greet(name: &str)"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_gate_that_is_dismissed_waits_and_goes_on_when_it_is_approved_by_command() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate(TASK);
    client.answer(&question, Value::Null);
    let message = client.wait_for_message();
    assert_eq!(message["params"]["type"], 2);
    let message = message_text(&message);
    assert!(message.contains(".agent_memory/plan.md") && message.contains("baton.approve"), "{message}");
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["phases"][1]["status"]), (&json!(run), &json!("waiting")));
    assert!(session.text("src/lib.rs").contains("greet()"));
    let approved = client.execute("baton.approve", &[]).expect("it is approved");
    assert_eq!(
        approved,
        json!({ "run": null, "plan_version": 1, "tasks": ["T1"], "trusted_checks": [], "remembered_checks": [], "unsent_notes": 0 })
    );
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert!(session.text("src/lib.rs").contains("greet(name: &str)"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_answer_from_elsewhere_takes_the_question_away() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate(TASK);
    session.baton(["reject"]).run().expect(0);
    client.wait_for_withdrawal(&question);
    // Clients answer a request that was withdrawn all the same.
    client.answer(&question, json!({ "title": "Approve" }));
    let shown = client.wait_for_run_end(&run);
    let message = shown.last_text();
    assert!(message.contains("rejected"), "{message}");
    assert!(session.text("src/lib.rs").contains("greet()"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_editor_that_leaves_takes_its_run_along() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": TASK }));
    api.wait_for_request("context");
    let left = Instant::now();
    assert_eq!(client.disconnect(), Some(1), "nobody asked it to shut down");
    assert!(left.elapsed() < PROMPTLY, "{:?}", left.elapsed());
    let events = session.events_of(&run);
    let last = events.last().expect("events");
    assert_eq!((&last["phase"], &last["status"]), (&json!("workflow"), &json!("cancelled")));

    // The next editor offers to go on, and nothing is left behind that keeps it from doing so.
    let mut client = session.lsp_client(&api);
    let offered = client.wait_for_question();
    assert_eq!(button_titles(&offered), ["Later", "Resume"]);
    client.answer(&offered, json!({ "title": "Later" }));
    let run = client.start_workflow(json!({ "approval": "auto" }));
    client.wait_for_run_end(&run);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn quitting_stops_the_run_first() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": TASK }));
    api.wait_for_request("context");
    let id = client.request("shutdown", Value::Null);
    client.wait_for_run_end(&run);
    assert_eq!(client.response(id), Ok(Value::Null));
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_for_exit(), Some(0));
}

#[test]
fn a_client_that_shows_no_progress_is_sent_none() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.language_server(&api);
    let options = json!({ "baton": {} });
    client.initialize(json!({ "capabilities": {}, "rootUri": session.uri(""), "initializationOptions": options }));
    client.execute("baton.workflow", &[json!({ "task": TASK, "approval": "auto" })]).expect("it starts");
    client.wait_for_message();
    let published = client.wait_for_diagnostics(&session.uri("src/lib.rs"), |shown| !shown.is_empty());
    assert!(published["diagnostics"][0].get("relatedInformation").is_none(), "{published}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn what_cannot_be_done_is_an_error_that_says_what_can() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    for (command, arguments, words) in [
        ("baton.workflow", vec![json!("  ")], "the task is empty"),
        ("baton.workflow", vec![json!({ "tusk": "x" })], "unknown field `tusk`"),
        ("baton.cancel", vec![], "nothing runs here"),
        ("baton.status", vec![json!({ "folder": "file:///elsewhere" })], "file:///elsewhere is not open here"),
        ("baton.unknown", vec![], "there are baton.workflow, baton.context"),
        ("baton.approve", vec![], "there is no plan"),
        ("baton.reject", vec![], "there is no plan"),
        ("baton.plan", vec![json!("Other names")], "there is no plan"),
        ("baton.plan", vec![json!(" ")], "the feedback is empty"),
        ("baton.rollback", vec![], "nothing has been run here yet"),
        ("baton.dismissIssue", vec![], "there is no review here"),
        ("baton.restoreIssue", vec![json!("x")], "there is no review here"),
        ("baton.openPlan", vec![], "there is no plan"),
    ] {
        let error = client.execute(command, &arguments).expect_err(command);
        assert!(error["message"].as_str().is_some_and(|message| message.contains(words)), "{command}: {error}");
    }
    assert_eq!(client.execute("baton.reset", &[]), Ok(json!({ "moved": null })));
    assert_eq!(client.execute("baton.diff", &[]), Ok(json!({ "diff": "", "files": [] })));
    assert!(!session.exists(".agent_memory"));
    session.write("baton.toml", "max_parallel_tasks = 0\n");
    let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("wrong settings");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("baton.toml:1")), "{error}");
    let settings = client.wait_for_diagnostics(&session.uri("baton.toml"), |shown| !shown.is_empty());
    assert_eq!(settings["diagnostics"][0]["code"], "settings");
    assert_eq!(client.quit(), Some(0));

    let mut client = session.language_server(&api);
    client.initialize(json!({ "capabilities": {}, "rootUri": null, "workspaceFolders": null }));
    let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("no folder");
    assert!(error["message"].as_str().is_some_and(|message| message.starts_with("no folder is open")), "{error}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn several_folders_have_a_workflow_each() {
    let (first, second) = (Session::new(GREETING), Session::new(GREETING));
    let api = MessagesApi::start(script());
    let mut client = first.language_server(&api);
    let folder = |session: &Session| json!({ "uri": session.uri(""), "name": "folder" });
    let mut params = first.initialize_params();
    params["workspaceFolders"] = json!([folder(&first)]);
    client.initialize(params);
    let added = json!({ "event": { "added": [folder(&second)], "removed": [] } });
    client.notify("workspace/didChangeWorkspaceFolders", added);
    let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("which one?");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("several folders")), "{error}");
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto", "folder": second.uri("") }));
    let shown = client.wait_for_run_end(&run);
    assert!(shown.published(&second.uri("src/lib.rs")).is_some());
    assert!(!first.exists(".agent_memory"));

    // A folder that is closed takes its diagnostics along.
    let removed = json!({ "event": { "added": [], "removed": [folder(&second)] } });
    client.notify("workspace/didChangeWorkspaceFolders", removed);
    client.wait_for_diagnostics(&second.uri("src/lib.rs"), |shown| !shown.is_empty());
    for file in ["src/lib.rs", ".agent_memory/task.md", ".agent_memory/plan.json"] {
        client.wait_for_diagnostics(&second.uri(file), <[Value]>::is_empty);
    }
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null));
    assert_eq!(client.quit(), Some(0));
}

/// What real editors send at `initialize`, with this workspace instead of theirs.
#[test]
fn the_editors_own_initialize_is_understood_and_the_workflow_runs_in_each() {
    let fixtures = [
        ("VS Code", include_str!("../fixtures/initialize/vscode.json")),
        ("Neovim", include_str!("../fixtures/initialize/neovim.json")),
    ];
    for (editor, params) in fixtures {
        let session = Session::new(GREETING);
        let api = MessagesApi::start(script());
        let mut params: Value =
            serde_json::from_str(&params.replace("file:///workspace", &session.uri(""))).expect("a fixture is JSON");
        if params["rootUri"].is_null() {
            params["rootUri"] = json!(session.uri(""));
        }
        let mut client = session.language_server(&api);
        let capabilities = client.initialize(params);
        let commands = capabilities["executeCommandProvider"]["commands"].as_array().expect(editor);
        assert!(commands.contains(&json!("baton.workflow")), "{editor}: {commands:?}");
        client.notify("$/setTrace", json!({ "value": "verbose" }));
        client.execute("baton.workflow", &[json!({ "task": TASK, "approval": "auto" })]).expect("it starts");
        let mut progress = Vec::new();
        let mut issues = 0;
        loop {
            let message = client.next_message("the end of the run");
            match message["method"].as_str().expect("a method") {
                "client/registerCapability" | "window/workDoneProgress/create" | "workspace/codeLens/refresh" => {
                    client.answer(&message, Value::Null);
                }
                "workspace/configuration" => {
                    assert_eq!(message["params"]["items"][0]["section"], "baton");
                    client.answer(&message, json!([null]));
                }
                "$/progress" => progress.push(message["params"]["value"].clone()),
                "textDocument/publishDiagnostics" => {
                    let of_review = message["params"]["diagnostics"].as_array().into_iter().flatten();
                    issues += of_review.filter(|shown| shown["code"] == "review.minor").count();
                }
                "window/showMessage" => {
                    assert_eq!(message["params"]["type"], 3, "{editor}: {message}");
                    break;
                }
                other => panic!("{editor}: {other} was not expected: {message}"),
            }
        }
        check_progress(&progress);
        assert!(issues > 0, "{editor}: no diagnostics");
        client.shut_down();
        // Lenses are asked for again a moment after what they follow has changed, and are not read here.
        assert_eq!(client.disconnect(), Some(0), "{editor}");
    }
}

#[test]
fn a_broken_pipe_to_the_editor_ends_the_run_and_leaves_the_memory_whole() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut command = session.baton(["lsp"]).api(&api).into_command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = command.stderr(Stdio::null()).spawn().expect("it starts");
    let mut stdin = server.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut send = |message: Value| {
        let body = message.to_string();
        write!(stdin, "Content-Length: {}\r\n\r\n{body}", body.len()).and_then(|()| stdin.flush())
    };
    let execute = |id: i64, command: &str, arguments: Value| {
        let params = json!({ "command": command, "arguments": arguments });
        json!({ "jsonrpc": "2.0", "id": id, "method": "workspace/executeCommand", "params": params })
    };
    send(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": session.initialize_params() }))
        .expect("it reads");
    send(json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} })).expect("it reads");
    send(execute(2, "baton.workflow", json!([TASK]))).expect("it reads");
    let mut run = None;
    while run.is_none() {
        let (mut header, mut blank) = (String::new(), String::new());
        stdout.read_line(&mut header).and_then(|_| stdout.read_line(&mut blank)).expect("a header");
        let length = header.trim_start_matches("Content-Length: ").trim().parse().expect("a length");
        let mut body = vec![0; length];
        stdout.read_exact(&mut body).expect("a message");
        let message: Value = serde_json::from_slice(&body).expect("JSON");
        if message["id"] == 2 && message.get("method").is_none() {
            run = message["result"]["run"].as_str().map(str::to_owned);
        }
    }
    let run = run.expect("a run");
    api.wait_for_request("context");
    drop(stdout);
    // The first word that does not reach the editor ends it; standard input stays open.
    send(execute(3, "baton.status", json!([]))).expect("it still reads");
    let status = wait_for_exit(&mut server, Duration::from_secs(20)).expect("it ends without a listener");
    assert_eq!(status.code(), Some(1));
    let events = session.events_of(&run);
    let last = events.last().expect("events");
    assert_eq!((&last["phase"], &last["status"]), (&json!("workflow"), &json!("cancelled")));
    session.baton(["status", "--json"]).run().expect(0);
}
