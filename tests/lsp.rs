//! `baton lsp` as an editor meets it: the real binary over standard input and output, a strict client, and a scripted
//! Messages API.
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends loudly")]

mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::lsp_client::LspClient;
use support::messages_api::{Fault, MessagesApi, Reply, Script};
use tempfile::TempDir;

const TASK: &str = "Greet by name";

/// Two directories of one user: a project, and a home of its own.
struct Desk {
    project: TempDir,
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        let (project, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(project.path().join("src")).unwrap();
        let source = "pub fn greet() -> String {\n    \"hello\".to_owned()\n}\n";
        std::fs::write(project.path().join("src/lib.rs"), source).unwrap();
        Self { project, home }
    }

    fn server(&self, api: &MessagesApi) -> LspClient {
        let home = self.home.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.arg("lsp").current_dir(home).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home);
        command.env("NO_PROXY", "127.0.0.1").envs(api.env());
        LspClient::start(&mut command)
    }

    /// A server that an editor has opened the project in.
    fn editor(&self, api: &MessagesApi) -> LspClient {
        let mut client = self.server(api);
        client.initialize(self.params());
        client
    }

    fn params(&self) -> Value {
        json!({
            "processId": null,
            "rootUri": null,
            "workspaceFolders": [{ "uri": self.uri(""), "name": "project" }],
            "capabilities": {
                "window": { "workDoneProgress": true },
                "textDocument": { "publishDiagnostics": { "relatedInformation": true } }
            }
        })
    }

    fn uri(&self, file: &str) -> String {
        let path = format!("file://{}/{file}", self.project.path().display());
        path.trim_end_matches('/').to_owned()
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.project.path().join(file)).unwrap()
    }
}

fn script() -> Script {
    let context = json!({
        "task_description": TASK, "dependencies": [], "existing_patterns": [], "constraints": [],
        "relevant_files": [{ "path": "src/lib.rs", "summary": "The greeting.", "relevance": "high" }],
        "files_in_scope": ["src/lib.rs"], "files_out_of_scope": []
    });
    let plan = json!({
        "approach_summary": "Give greet a parameter.", "risks": [], "parallel_groups": [["T1"]],
        "tasks": [{
            "id": "T1", "title": "Greet by name", "description": "Take a name.", "files_to_modify": ["src/lib.rs"],
            "files_to_create": [], "files_to_delete": [], "depends_on": [], "acceptance_criteria": ["It takes a name."],
            "estimated_complexity": "simple"
        }]
    });
    let edit = json!({
        "path": "src/lib.rs", "old_text": "pub fn greet() -> String {\n    \"hello\".to_owned()",
        "new_text": "pub fn greet(name: &str) -> String {\n    format!(\"hello {name}\")"
    });
    let result = json!({ "task_id": "T1", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let review = json!({
        "verdict": "approved", "summary": "Good.", "recommended_action": "merge", "plan_drift_detected": false,
        "drift_details": "",
        "issues": [{
            "severity": "minor", "file": "src/lib.rs", "line": 1, "quote": "format!(\"hello {name}\")",
            "description": "An empty name greets nobody.", "suggested_fix": "Say hello to all.", "task_id": "T1"
        }]
    });
    Script::new()
        .on(
            "context",
            [Reply::tool("read_file", json!({ "path": "src/lib.rs" })), Reply::tool("submit_context", context)],
        )
        .on("plan", [Reply::tool("submit_plan", plan)])
        .on("implement/T1", [Reply::tool("edit_file", edit), Reply::tool("submit_result", result)])
        .on("review", [Reply::tool("submit_review", review)])
}

/// Start the workflow and accept its progress; the run's id.
fn start(client: &mut LspClient, arguments: Value) -> String {
    let started = client.execute("baton.workflow", &[arguments]).expect("it starts");
    let run = started["run"].as_str().expect("an id").to_owned();
    let create = client.hear("window/workDoneProgress/create");
    assert_eq!(create["params"], json!({ "token": run }));
    client.answer(&create, Value::Null);
    run
}

/// Everything up to the end of the run: the progress values, the diagnostics, and what was said last.
struct Shown {
    progress: Vec<Value>,
    diagnostics: Vec<Value>,
    last_message: Value,
}

fn until_the_end(client: &mut LspClient, run: &str) -> Shown {
    let (mut progress, mut diagnostics) = (Vec::new(), Vec::new());
    loop {
        let mut message = client.next();
        let params = message["params"].take();
        match message["method"].as_str().expect("no answer is awaited") {
            "$/progress" => {
                assert_eq!(params["token"], *run);
                progress.push(params["value"].clone());
            }
            "textDocument/publishDiagnostics" => {
                assert!(!is_over(&progress), "diagnostics after the end of the progress: {params}");
                diagnostics.push(params);
            }
            "window/showMessage" => {
                assert!(is_over(&progress), "the progress goes on after {params}");
                check_progress(&progress);
                return Shown { progress, diagnostics, last_message: params };
            }
            other => panic!("{other} was not expected: {params}"),
        }
    }
}

fn is_over(progress: &[Value]) -> bool {
    progress.last().is_some_and(|value| value["kind"] == "end")
}

/// One beginning, reports whose percentages never fall, one end.
fn check_progress(progress: &[Value]) {
    let kinds: Vec<&str> = progress.iter().map(|value| value["kind"].as_str().expect("a kind")).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"begin"), Some(&"end")), "{progress:#?}");
    assert!(kinds[1..kinds.len() - 1].iter().all(|kind| *kind == "report"), "{progress:#?}");
    assert_eq!(progress[0]["cancellable"], true);
    let shown = &progress[..progress.len() - 1];
    let percentages: Vec<u64> = shown.iter().map(|value| value["percentage"].as_u64().expect("always there")).collect();
    assert!(percentages.is_sorted() && percentages.iter().all(|percent| *percent <= 100), "{percentages:?}");
}

#[test]
fn a_task_goes_from_the_editor_to_its_review() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.server(&api);
    let capabilities = client.initialize(desk.params());
    let commands = capabilities["executeCommandProvider"]["commands"].as_array().expect("commands");
    assert!(commands.contains(&json!("baton.workflow")) && commands.len() == 18, "{commands:?}");
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null), "nothing was run yet");
    assert!(!desk.project.path().join(".agent_memory").exists(), "looking leaves no trace");

    let run = start(&mut client, json!({ "task": TASK, "approval": "auto" }));
    let shown = until_the_end(&mut client, &run);
    let last =
        json!({ "type": 3, "message": "Baton: Approved. Changes are in your working tree; nothing was committed." });
    assert_eq!(shown.last_message, last);
    let said: Vec<&str> = shown.progress.iter().filter_map(|value| value["message"].as_str()).collect();
    assert!(said.iter().any(|message| message.contains("review")), "{said:?}");
    let published = shown.diagnostics.last().expect("the review is shown");
    assert_eq!(published["uri"], desk.uri("src/lib.rs"));
    let diagnostic = &published["diagnostics"][0];
    // The quoted line stands on line 2, whatever line the model said.
    let range = json!({ "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 27 } });
    assert_eq!(diagnostic["range"], range);
    assert_eq!((&diagnostic["severity"], &diagnostic["source"]), (&json!(3), &json!("baton")));
    assert_eq!(diagnostic["code"], "review.minor");
    assert_eq!(diagnostic["message"], "An empty name greets nobody.\n\nSuggested fix: Say hello to all.");
    let related = &diagnostic["relatedInformation"][0];
    assert_eq!(related["location"]["uri"], desk.uri(".agent_memory/plan.json"));
    let line = related["location"]["range"]["start"]["line"].as_u64().expect("a line") as usize;
    assert!(desk.read(".agent_memory/plan.json").lines().nth(line).expect("in the file").contains("\"id\": \"T1\""));
    assert!(desk.read("src/lib.rs").contains("greet(name: &str)"));

    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["outcome"]), (&json!(run), &json!("merged")));
    assert_eq!(status["issues"].as_array().map(Vec::len), Some(1));
    assert_eq!(client.execute("baton.cancel", &[]).expect_err("nothing to cancel")["message"], "nothing runs here");
    assert_eq!(client.quit(), Some(0));

    // The next server shows the review that is there.
    let mut client = desk.editor(&api);
    assert_eq!(client.hear("textDocument/publishDiagnostics")["params"], *published);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_run_can_be_watched_and_cancelled_by_command_and_no_second_one_begins() {
    let desk = Desk::new();
    let api = MessagesApi::start(script().fault("plan", [Fault::Silence]));
    let mut client = desk.editor(&api);
    let run = start(&mut client, json!(TASK));
    api.wait_for_requests(3);

    let asked = Instant::now();
    let status = client.execute("baton.status", &[]).expect("a status");
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!((&status["run"], &status["outcome"], &status["task"]), (&json!(run), &Value::Null, &json!(TASK)));
    assert_eq!(status["phases"][1]["status"], "running");
    let second = client.execute("baton.workflow", &[]).expect_err("one at a time");
    assert_eq!(second["code"], -32803);
    assert!(second["message"].as_str().is_some_and(|message| message.contains(&run)), "{second}");

    let cancelled = Instant::now();
    assert_eq!(client.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
    let shown = until_the_end(&mut client, &run);
    assert!(cancelled.elapsed() < Duration::from_secs(1), "{:?}", cancelled.elapsed());
    let message = shown.last_message["message"].as_str().expect("a text");
    assert!(message.starts_with("Baton: Stopped in plan."), "{message}");
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!(status["outcome"], "cancelled");

    // What was cancelled goes on, with no task given.
    let again = start(&mut client, json!({ "approval": "auto" }));
    assert_ne!(again, run);
    let shown = until_the_end(&mut client, &again);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_run_is_cancelled_by_its_progress() {
    let desk = Desk::new();
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = desk.editor(&api);
    let run = start(&mut client, json!({ "task": TASK }));
    api.wait_for_requests(1);
    client.notify("window/workDoneProgress/cancel", json!({ "token": "another" }));
    client.notify("window/workDoneProgress/cancel", json!({ "token": 1 }));
    let cancelled = Instant::now();
    client.notify("window/workDoneProgress/cancel", json!({ "token": run }));
    let shown = until_the_end(&mut client, &run);
    assert!(cancelled.elapsed() < Duration::from_secs(1), "{:?}", cancelled.elapsed());
    let message = shown.last_message["message"].as_str().expect("a text");
    assert!(message.starts_with("Baton: Stopped in context."), "{message}");
    assert_eq!(client.quit(), Some(0));
}

/// Start a run and wait for the question at its gate.
fn to_the_gate(client: &mut LspClient) -> (String, Value) {
    let run = start(client, json!({ "task": TASK }));
    let question = client.hear("window/showMessageRequest");
    (run, question)
}

#[test]
fn the_gate_asks_and_goes_on_when_approved() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.editor(&api);
    let (run, question) = to_the_gate(&mut client);
    let text = question["params"]["message"].as_str().expect("a text");
    assert!(text.contains("Give greet a parameter.") && text.contains(".agent_memory/plan.md"), "{text}");
    assert_eq!(question["params"]["actions"], json!([{ "title": "Approve" }, { "title": "Reject" }]));
    assert!(desk.read("src/lib.rs").contains("greet()"), "nothing is written before the answer");
    assert!(client.execute("baton.status", &[]).expect("a status")["gate"].is_object());
    client.answer(&question, json!({ "title": "Approve" }));
    let shown = until_the_end(&mut client, &run);
    assert_eq!(shown.diagnostics.len(), 1);
    assert!(desk.read("src/lib.rs").contains("greet(name: &str)"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_gate_that_is_dismissed_waits_and_says_how_to_answer() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.editor(&api);
    let (run, question) = to_the_gate(&mut client);
    client.answer(&question, Value::Null);
    let shown = until_the_end(&mut client, &run);
    assert_eq!(shown.last_message["type"], 2);
    let message = shown.last_message["message"].as_str().expect("a text");
    assert!(message.contains(".agent_memory/plan.md") && message.contains("baton approve"), "{message}");
    assert_eq!(client.execute("baton.status", &[]).expect("a status")["outcome"], "waiting");
    assert!(desk.read("src/lib.rs").contains("greet()"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_answer_from_elsewhere_takes_the_question_away() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.editor(&api);
    let (run, question) = to_the_gate(&mut client);
    let mut reject = Command::new(env!("CARGO_BIN_EXE_baton"));
    reject.arg("reject").current_dir(desk.project.path()).env_clear().env("HOME", desk.home.path());
    assert!(reject.output().expect("it runs").status.success());
    let withdrawn = client.hear("$/cancelRequest");
    assert_eq!(withdrawn["params"]["id"], question["id"]);
    // Clients answer a request that was withdrawn all the same.
    client.answer(&question, json!({ "title": "Approve" }));
    let shown = until_the_end(&mut client, &run);
    let message = shown.last_message["message"].as_str().expect("a text");
    assert!(message.contains("rejected"), "{message}");
    assert!(desk.read("src/lib.rs").contains("greet()"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_editor_that_leaves_takes_its_run_along() {
    let desk = Desk::new();
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = desk.editor(&api);
    let run = start(&mut client, json!({ "task": TASK }));
    api.wait_for_requests(1);
    let left = Instant::now();
    assert_eq!(client.vanish(), Some(1), "nobody asked it to shut down");
    assert!(left.elapsed() < Duration::from_secs(5), "{:?}", left.elapsed());
    let events = desk.read(&format!(".agent_memory/runs/{run}/events.jsonl"));
    let last: Value = serde_json::from_str(events.lines().last().expect("events")).expect("JSON");
    assert_eq!((&last["phase"], &last["status"]), (&json!("workflow"), &json!("cancelled")));

    // Nothing is left behind that keeps the next editor from going on.
    let mut client = desk.editor(&api);
    let run = start(&mut client, json!({ "approval": "auto" }));
    until_the_end(&mut client, &run);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn quitting_stops_the_run_first() {
    let desk = Desk::new();
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut client = desk.editor(&api);
    let run = start(&mut client, json!({ "task": TASK }));
    api.wait_for_requests(1);
    let id = client.request("shutdown", Value::Null);
    until_the_end(&mut client, &run);
    assert_eq!(client.response(id), Ok(Value::Null));
    client.notify("exit", Value::Null);
    assert_eq!(client.ended(), Some(0));
}

#[test]
fn a_client_that_shows_no_progress_is_sent_none() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.server(&api);
    client.initialize(json!({ "capabilities": {}, "rootUri": desk.uri("") }));
    client.execute("baton.workflow", &[json!({ "task": TASK, "approval": "auto" })]).expect("it starts");
    let published = client.next();
    assert_eq!(published["method"], "textDocument/publishDiagnostics");
    assert!(published["params"]["diagnostics"][0].get("relatedInformation").is_none(), "{published}");
    assert_eq!(client.next()["method"], "window/showMessage");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn what_cannot_be_done_is_an_error_that_says_what_can() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.editor(&api);
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
    assert!(!desk.project.path().join(".agent_memory").exists());
    std::fs::write(desk.project.path().join("baton.toml"), "max_parallel_tasks = 0\n").unwrap();
    let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("wrong settings");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("baton.toml:1")), "{error}");
    assert!(client.has_read_everything());
    assert_eq!(client.quit(), Some(0));

    let mut client = desk.server(&api);
    client.initialize(json!({ "capabilities": {}, "rootUri": null, "workspaceFolders": null }));
    let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("no folder");
    assert!(error["message"].as_str().is_some_and(|message| message.starts_with("no folder is open")), "{error}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn without_a_task_a_file_to_write_it_in_is_opened() {
    let desk = Desk::new();
    let api = MessagesApi::start(script());
    let mut client = desk.editor(&api);
    let task = desk.project.path().join(".agent_memory/task.md");
    for command in ["baton.workflow", "baton.context"] {
        let error = client.execute(command, &[]).expect_err("no task");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(task.to_str().expect("a path"))), "{error}");
        let said = client.hear("window/showMessage");
        assert!(said["params"]["message"].as_str().is_some_and(|text| text.starts_with("Write the task to")), "{said}");
    }
    let template = desk.read(".agent_memory/task.md");
    assert!(template.starts_with("# Task"), "{template}");
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null), "an untouched template is no task");
    assert_eq!(client.quit(), Some(0));

    let mut client = desk.server(&api);
    let mut params = desk.params();
    params["capabilities"]["window"]["showDocument"] = json!({ "support": true });
    client.initialize(params);
    assert_eq!(client.execute("baton.openTask", &[]), Ok(json!({ "uri": desk.uri(".agent_memory/task.md") })));
    let shown = client.hear("window/showDocument");
    assert_eq!(shown["params"]["uri"], desk.uri(".agent_memory/task.md"));
    client.answer(&shown, json!({ "success": true }));
    std::fs::write(&task, format!("{template}\nGreet by name\n")).unwrap();
    let run = start(&mut client, json!({ "approval": "auto" }));
    until_the_end(&mut client, &run);
    assert_eq!(client.execute("baton.status", &[]).expect("a status")["task"], "Greet by name");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn several_folders_have_a_workflow_each() {
    let (first, second) = (Desk::new(), Desk::new());
    let api = MessagesApi::start(script());
    let mut client = first.server(&api);
    let folder = |desk: &Desk| json!({ "uri": desk.uri(""), "name": "folder" });
    let mut params = first.params();
    params["workspaceFolders"] = json!([folder(&first)]);
    client.initialize(params);
    let added = json!({ "event": { "added": [folder(&second)], "removed": [] } });
    client.notify("workspace/didChangeWorkspaceFolders", added);
    let error = client.execute("baton.workflow", &[json!(TASK)]).expect_err("which one?");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("several folders")), "{error}");
    let run = start(&mut client, json!({ "task": TASK, "approval": "auto", "folder": second.uri("") }));
    let shown = until_the_end(&mut client, &run);
    assert_eq!(shown.diagnostics.last().expect("a review")["uri"], second.uri("src/lib.rs"));
    assert!(!first.project.path().join(".agent_memory").exists());

    // A folder that is closed takes its diagnostics along.
    let removed = json!({ "event": { "added": [], "removed": [folder(&second)] } });
    client.notify("workspace/didChangeWorkspaceFolders", removed);
    let cleared = json!({ "uri": second.uri("src/lib.rs"), "diagnostics": [] });
    assert_eq!(client.hear("textDocument/publishDiagnostics")["params"], cleared);
    assert_eq!(client.execute("baton.status", &[]), Ok(Value::Null));
    assert_eq!(client.quit(), Some(0));
}
