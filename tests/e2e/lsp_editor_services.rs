//! Services of an editor that a run uses: its language models, its open documents, and its diagnostics. Without an
//! API key.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::greeting::{GREETING, TASK};
use crate::support::lsp_client::LspClient;
use crate::support::messages_api::answered;
use crate::support::session::Session;
use crate::support::wait::PROMPTLY;

const SOURCE: &str = "pub fn greet() -> String {\n    \"hello\".to_owned()\n}\n";
const FILE: &str = "src/lib.rs";

/// A client that offers these services to the server, and no key.
fn client_with(session: &Session, services: Value) -> LspClient {
    let baton = session.baton(["lsp"]).env("BATON_RETRY_BASE", "1ms");
    let mut client = LspClient::start(&mut baton.into_command(), session.root());
    let mut params = session.initialize_params();
    params["capabilities"] = json!({ "window": { "workDoneProgress": true } });
    params["initializationOptions"] = json!({ "baton": services });
    client.initialize(params);
    client
}

fn save(session: &Session, client: &mut LspClient, text: &str) {
    session.write(FILE, text);
    client.save_document(FILE);
}

/// How the editor's models answer one request.
#[derive(Clone)]
enum Reply {
    Answer(Value),
    Error(Value),
}

fn calls(tool: &str, input: Value) -> Reply {
    let call = json!({ "type": "tool_use", "id": format!("{tool}-1"), "name": tool, "input": input });
    Reply::Answer(json!({
        "content": [call], "stop_reason": "tool_use", "model": "gpt-9",
        "usage": { "input_tokens": 100, "output_tokens": 10 },
    }))
}

fn refuses(kind: &str) -> Reply {
    Reply::Error(json!({ "code": -32000, "message": "the plan is used up", "data": { "kind": kind } }))
}

/// What the editor's models say, by agent, in order.
#[derive(Default)]
struct Models {
    replies: HashMap<String, VecDeque<Reply>>,
    /// The requests, as they came.
    asked: Vec<Value>,
}

impl Models {
    /// A run that goes well.
    fn good() -> Self {
        let context = json!({
            "task_description": TASK, "dependencies": [], "existing_patterns": [], "constraints": [],
            "relevant_files": [{ "path": FILE, "summary": "The greeting.", "relevance": "high" }],
            "files_in_scope": [FILE], "files_out_of_scope": []
        });
        let plan = json!({
            "approach_summary": "Give greet a parameter.", "risks": [], "parallel_groups": [["T1"]],
            "tasks": [{
                "id": "T1", "title": "Greet by name", "description": "Take a name.", "files_to_modify": [FILE],
                "files_to_create": [], "files_to_delete": [], "depends_on": [], "acceptance_criteria": ["It does."],
                "estimated_complexity": "simple"
            }]
        });
        Self::default()
            .on("context", [calls("submit_context", context)])
            .on("plan", [calls("submit_plan", plan)])
            .on("implement/T1", does_the_task())
            .on("review", [approval_of(&["T1"])])
    }

    fn on(mut self, agent: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        self.replies.entry(agent.to_owned()).or_default().extend(replies);
        self
    }

    /// The same, but an agent is first answered with these.
    fn first(mut self, agent: &str, replies: impl IntoIterator<Item = Reply>) -> Self {
        let queue = self.replies.entry(agent.to_owned()).or_default();
        for (index, reply) in replies.into_iter().enumerate() {
            queue.insert(index, reply);
        }
        self
    }

    fn answer(&mut self, client: &mut LspClient, request: Value) {
        let agent = request["params"]["agent"].as_str().expect("an agent").to_owned();
        let reply = self.replies.get_mut(&agent).and_then(VecDeque::pop_front);
        match reply.unwrap_or_else(|| panic!("{agent} was not to be asked again: {request:#}")) {
            Reply::Answer(mut answer) => {
                let call = answer.pointer_mut("/content/0");
                if let Some(review) = call.filter(|call| call["name"] == "submit_review") {
                    let told = ["/params/system", "/params/messages/0/content/0/text"]
                        .map(|part| request.pointer(part).and_then(Value::as_str).expect("what is reviewed"));
                    review["input"]["criteria"] = answered(&told.join("\n"));
                }
                client.answer(&request, answer);
            }
            Reply::Error(error) => client.refuse(&request, error),
        }
        self.asked.push(request["params"].clone());
    }

    /// The requests of an agent.
    fn asked(&self, agent: &str) -> Vec<&Value> {
        self.asked.iter().filter(|request| request["agent"] == agent).collect()
    }
}

/// An approval, with an answer to the one criterion of each of these tasks.
fn approval_of(tasks: &[&str]) -> Reply {
    let criterion = |task| json!({ "task_id": task, "criterion": 1, "evidence": null, "state": "unproven" });
    let criteria: Vec<Value> = tasks.iter().map(criterion).collect();
    let review = json!({
        "issues": [], "criteria": criteria, "drift_details": "", "plan_drift_detected": false, "summary": "Good.",
        "verdict": "approved", "recommended_action": "merge"
    });
    calls("submit_review", review)
}

/// Looks at the file, puts the parameter in, hands on.
fn does_the_task() -> [Reply; 3] {
    let edit = json!({ "path": FILE, "old_text": "pub fn greet()", "new_text": "pub fn greet(name: &str)" });
    let result = json!({ "task_id": "T1", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    [calls("read_file", json!({ "path": FILE })), calls("edit_file", edit), calls("submit_result", result)]
}

fn start(client: &mut LspClient) -> String {
    let started = client.execute("baton.workflow", &[json!({ "task": TASK, "approval": "auto" })]).expect("it starts");
    started["run"].as_str().expect("an id").to_owned()
}

/// A message, a request that the test must answer, or the end of the run.
enum WatchEvent {
    /// A message during the run.
    Message(String),
    /// Another request of the server's, or the withdrawal of one.
    Other(Value),
    /// The last message.
    Ended(String),
}

/// The editor's side of a run: accepts its progress, lets the models answer.
struct Watch<'a> {
    client: &'a mut LspClient,
    models: &'a mut Models,
    is_over: bool,
}

impl<'a> Watch<'a> {
    fn new(client: &'a mut LspClient, models: &'a mut Models) -> Self {
        Self { client, models, is_over: false }
    }

    fn next(&mut self) -> WatchEvent {
        loop {
            let message = self.client.next_message("the run to go on or end");
            match message["method"].as_str().expect("no answer is awaited") {
                "window/workDoneProgress/create" => self.client.answer(&message, Value::Null),
                "$/progress" => self.is_over |= message["params"]["value"]["kind"] == "end",
                "textDocument/publishDiagnostics" => {}
                "baton/languageModel" => self.models.answer(self.client, message),
                "window/showMessage" | "window/showMessageRequest" => {
                    let text = message["params"]["message"].as_str().expect("a text").to_owned();
                    if message.get("id").is_some() {
                        self.client.answer(&message, Value::Null);
                    }
                    return if self.is_over { WatchEvent::Ended(text) } else { WatchEvent::Message(text) };
                }
                _ => return WatchEvent::Other(message),
            }
        }
    }

    /// The last message of a run without another one.
    fn wait_for_end(&mut self) -> String {
        match self.next() {
            WatchEvent::Ended(text) => text,
            WatchEvent::Message(text) => panic!("not expected: {text}"),
            WatchEvent::Other(message) => panic!("not expected: {message:#}"),
        }
    }

    /// The next message during the run.
    fn wait_for_message(&mut self) -> String {
        match self.next() {
            WatchEvent::Message(text) => text,
            WatchEvent::Ended(text) => panic!("ended: {text}"),
            WatchEvent::Other(message) => panic!("not expected: {message:#}"),
        }
    }

    fn wait_for_other(&mut self) -> Value {
        match self.next() {
            WatchEvent::Other(message) => message,
            WatchEvent::Message(text) | WatchEvent::Ended(text) => panic!("not expected: {text}"),
        }
    }
}

const APPROVED: &str =
    "Baton: Approved by reading; no check ran. Changes are in your working tree; nothing was committed.";
const WAITS: &str = "Baton: T1 waits for you to save src/lib.rs, and goes on then.";

#[test]
fn a_whole_workflow_runs_on_the_editors_models_without_a_key() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::good();
    let run = start(&mut client);
    assert!(Watch::new(&mut client, &mut models).wait_for_end().starts_with(APPROVED));
    assert!(session.text(FILE).contains("greet(name: &str)"));

    let asked: Vec<(&str, &str)> =
        models.asked.iter().map(|asked| (asked["agent"].as_str().unwrap(), asked["tier"].as_str().unwrap())).collect();
    let turn = ("implement/T1", "fast");
    assert_eq!(asked, [("context", "fast"), ("plan", "powerful"), turn, turn, turn, ("review", "powerful")]);
    for asked in &models.asked {
        let fields: Vec<&String> = asked.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["run", "agent", "tier", "system", "messages", "tools", "max_tokens"]);
        assert_eq!(asked["run"], run);
        assert!(asked["system"].as_str().is_some_and(|system| !system.is_empty()));
        let tool = asked["tools"][0].as_object().unwrap();
        assert_eq!(tool.keys().collect::<Vec<_>>(), ["name", "description", "input_schema"]);
    }
    let last = models.asked("implement/T1")[2]["messages"].as_array().unwrap().clone();
    let roles: Vec<&str> = last.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
    assert_eq!(last[1]["content"][0]["id"], last[2]["content"][0]["tool_use_id"]);

    // Tokens are counted as the editor counts them, and what they cost is the plan's: never "$0".
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["outcome"], &status["usage"]["input_tokens"]), (&json!("merged"), &json!(600)));
    assert_eq!(status["usage"]["cost_usd"], Value::Null);
    let events = session.text(&format!(".agent_memory/runs/{run}/events.jsonl"));
    let first: Value = serde_json::from_str(events.lines().next().expect("an event")).expect("JSON");
    assert_eq!(first["message"], "Your editor's models, billed by its plan");
    let transcript = session.text(&format!(".agent_memory/runs/{run}/transcript.jsonl"));
    assert!(transcript.contains("editor:powerful") && transcript.contains("gpt-9"), "every turn is journaled");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn models_that_were_not_offered_are_not_asked() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": false }));
    let error = client.execute("baton.workflow", &[json!({ "task": TASK })]).expect_err("no model");
    assert!(error["message"].as_str().is_some_and(|text| text.contains("Set ANTHROPIC_API_KEY")), "{error}");
    assert!(client.has_read_everything());
    assert_eq!(client.quit(), Some(0));
    let refused = session.baton(["run", "--task", TASK, "--provider", "editor"]).run();
    refused.expect(2).reports("only runs started in an editor");
}

#[test]
fn each_kind_of_refusal_ends_the_run_and_says_what_to_do() {
    for (kind, words) in [
        ("blocked", "Your editor's model refused the request: the plan is used up."),
        ("no_permission", "Start the workflow again and allow it when the editor asks"),
        ("not_found", "Your editor has no model for the tier `fast`: the plan is used up. Sign in"),
        ("cancelled", "Stopped in context."),
    ] {
        let session = Session::new(GREETING);
        let mut client = client_with(&session, json!({ "languageModel": true }));
        let mut models = Models::default().on("context", [refuses(kind)]);
        start(&mut client);
        let end = Watch::new(&mut client, &mut models).wait_for_end();
        assert!(end.contains(words), "{kind}: {end}");
        assert_eq!(models.asked.len(), 1, "{kind}");
        let outcome = if kind == "cancelled" { "cancelled" } else { "failed" };
        assert_eq!(client.execute("baton.status", &[]).expect("a status")["outcome"], outcome, "{kind}");
        // The run is resumed where it was refused.
        let mut models = Models::good();
        start(&mut client);
        assert!(Watch::new(&mut client, &mut models).wait_for_end().starts_with(APPROVED), "{kind}");
        assert_eq!(client.quit(), Some(0));
    }
}

#[test]
fn passing_failures_and_malformed_answers_are_asked_for_again() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let content = |content: Value| Reply::Answer(json!({ "content": content }));
    let mut models = Models::good()
        .first(
            "context",
            [Reply::Error(json!({ "code": -32603, "message": "network changed" })), Reply::Answer(Value::Null)],
        )
        .first("plan", [content(json!([{ "type": "tool_use", "input": {} }])), content(json!([7]))])
        .first("review", [content(json!([{ "type": "text", "text": ["x"] }])), Reply::Answer(json!("text"))])
        // Calls without ids, and a block of a kind that only the editor knows: those are no faults.
        .first(
            "implement/T1",
            [content(json!([
                { "type": "thinking", "thinking": "hm" },
                { "type": "tool_use", "name": "list_files", "input": {} },
                { "type": "tool_use", "name": "search", "input": "{\"pattern\": \"greet\"}" },
            ]))],
        );
    start(&mut client);
    assert!(Watch::new(&mut client, &mut models).wait_for_end().starts_with(APPROVED));
    for agent in ["context", "plan", "review"] {
        assert_eq!(models.asked(agent).len(), 3, "{agent}");
    }
    let messages = &models.asked("implement/T1")[1]["messages"];
    assert_eq!(messages[1]["content"][0]["type"], "thinking", "sent back as it came");
    let ids = |message: &Value, name: &str| -> Vec<String> {
        let blocks = message["content"].as_array().expect("blocks");
        blocks.iter().filter_map(|block| block[name].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(ids(&messages[1], "id"), ids(&messages[2], "tool_use_id"));
    assert_eq!(ids(&messages[1], "id").len(), 2);
    let searched = messages[2]["content"][1]["content"].as_str().expect("a text");
    assert!(searched.contains("src/lib.rs\n1:pub fn greet()"), "{searched}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_model_that_never_answers_sensibly_ends_the_run() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::default().on("context", (0..5).map(|_| Reply::Answer(json!({ "content": 7 }))));
    start(&mut client);
    let end = Watch::new(&mut client, &mut models).wait_for_end();
    assert!(end.contains("its content is a number") && end.contains("Gave up after 5 attempts"), "{end}");
    // The cost of those answers is unknown, and not zero.
    let usage = client.execute("baton.status", &[]).expect("a status")["usage"].clone();
    assert!(usage["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0) && usage["cost_usd"].is_null(), "{usage}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn cancelling_withdraws_the_turn_and_a_late_answer_goes_nowhere() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let create_and_ask = |client: &mut LspClient| {
        client.wait_for_run();
        client.wait_for("baton/languageModel")
    };
    let run = start(&mut client);
    let asked = create_and_ask(&mut client);
    let cancelled = Instant::now();
    assert_eq!(client.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
    let withdrawn = client.wait_for("$/cancelRequest");
    assert!(cancelled.elapsed() < PROMPTLY, "{:?}", cancelled.elapsed());
    assert_eq!(withdrawn["params"]["id"], asked["id"]);
    client.answer(&asked, json!({ "content": "too late" }));
    let mut models = Models::good();
    let end = Watch::new(&mut client, &mut models).wait_for_end();
    assert!(end.contains("Stopped in context."), "{end}");
    assert!(models.asked.is_empty());
    start(&mut client);
    assert!(Watch::new(&mut client, &mut models).wait_for_end().starts_with(APPROVED));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_unsaved_document_is_what_agents_read_and_is_waited_for() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::good().first("review", [calls("read_diff", json!({}))]);
    client.open_document(FILE, SOURCE);
    let typed = format!("//! Mine.\n{SOURCE}");
    client.replace_document(FILE, &typed);
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    assert_eq!(watch.wait_for_message(), WAITS);
    assert_eq!(session.text(FILE), SOURCE, "nothing is written under what is being typed");
    let status = watch.client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["tasks"][0]["status"], &status["state"]), (&json!("waiting"), &json!("waiting_for_save")));
    assert_eq!(status["headline"], "waits for you to save lib.rs");
    let save_it =
        json!({ "id": "save", "title": "Save", "command": null, "arguments": { "files": [FILE] }, "cli": null });
    assert_eq!(status["ways_on"][0], save_it);
    let seen = watch.models.asked("implement/T1")[1]["messages"][2]["content"][0]["content"].to_string();
    assert!(seen.contains("//! Mine."), "{seen}");
    save(&session, watch.client, &typed);
    assert!(watch.wait_for_end().starts_with(APPROVED));
    let done = session.text(FILE);
    assert!(done.starts_with("//! Mine.\npub fn greet(name: &str)"), "{done}");
    assert_eq!(models.asked("implement/T1").len(), 3, "saved as it was read, it is what the task built on");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_task_that_waits_for_a_document_keeps_no_place_from_another() {
    let session = Session::new(GREETING);
    session.write("baton.toml", "max_parallel_tasks = 1\n");
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let task = |id: &str, modify: Value, create: Value| {
        json!({
            "id": id, "title": id, "description": "Do it.", "files_to_modify": modify, "files_to_create": create,
            "files_to_delete": [], "depends_on": [], "acceptance_criteria": ["c"], "estimated_complexity": "simple"
        })
    };
    let plan = json!({
        "approach_summary": "Two at once.", "risks": [], "parallel_groups": [["T1", "T2"]],
        "tasks": [task("T1", json!([FILE]), json!([])), task("T2", json!([]), json!(["src/other.rs"]))]
    });
    let mut models = Models::good();
    models.replies.insert("plan".to_owned(), [calls("submit_plan", plan)].into());
    models.replies.insert("review".to_owned(), [approval_of(&["T1", "T2"])].into());
    let result = json!({ "task_id": "T2", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    let write = calls("write_file", json!({ "path": "src/other.rs", "content": "// other\n" }));
    let mut models = models.on("implement/T2", [write, calls("submit_result", result)]);
    client.open_document(FILE, SOURCE);
    let typed = format!("//! Mine.\n{SOURCE}");
    client.replace_document(FILE, &typed);
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    assert_eq!(watch.wait_for_message(), WAITS);
    while !session.exists("src/other.rs") {
        let message = watch.client.next_message("T2 to write its file");
        if message["method"] == "baton/languageModel" {
            watch.models.answer(watch.client, message);
        }
    }
    assert_eq!(session.text(FILE), SOURCE);
    save(&session, watch.client, &typed);
    assert!(watch.wait_for_end().starts_with(APPROVED));
    assert!(session.text(FILE).contains("greet(name: &str)"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn changes_that_are_undone_in_the_editor_are_not_waited_for_any_longer() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::good();
    // What an editor kept unsaved over a restart is unsaved from the beginning.
    client.open_document(FILE, "mine\n");
    start(&mut client);
    let edit = Models::good().replies["implement/T1"].clone();
    let write = json!({ "path": FILE, "content": "pub fn greet(name: &str) {}\n" });
    let replies = [edit[0].clone(), calls("write_file", write), edit[2].clone()];
    models.replies.insert("implement/T1".to_owned(), replies.iter().chain(&edit).cloned().collect());
    let mut watch = Watch::new(&mut client, &mut models);
    assert_eq!(watch.wait_for_message(), WAITS);
    watch.client.close_document(FILE);
    assert!(watch.wait_for_end().starts_with(APPROVED));
    // The task had built on the unsaved text, and did its work once more on the other.
    assert_eq!(session.text(FILE), SOURCE.replace("greet()", "greet(name: &str)"));
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_text_that_is_saved_otherwise_is_worked_on_once_more_and_then_blocks() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::good().on("implement/T1", does_the_task());
    client.open_document(FILE, SOURCE);
    client.replace_document(FILE, &format!("//! One.\n{SOURCE}"));
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    for next in ["//! Two.\n", "//! Three.\n"] {
        assert_eq!(watch.wait_for_message(), WAITS);
        let text = format!("{next}{SOURCE}");
        watch.client.replace_document(FILE, &text);
        save(&session, watch.client, &text);
        if next == "//! Two.\n" {
            // The second try reads the saved text, and the document is changed again.
            while watch.models.asked("implement/T1").len() < 4 {
                let message = watch.client.next_message("the second try of T1");
                match message["method"].as_str() {
                    Some("baton/languageModel") => watch.models.answer(watch.client, message),
                    Some("$/progress" | "textDocument/publishDiagnostics") => {}
                    _ => panic!("not expected: {message:#}"),
                }
            }
            watch.client.replace_document(FILE, &format!("//! Typing.\n{SOURCE}"));
        }
    }
    let end = watch.wait_for_end();
    assert!(end.contains("T1 blocked: src/lib.rs changed on disk twice"), "{end}");
    assert_eq!(session.text(FILE), format!("//! Three.\n{SOURCE}"), "never written over");
    let again = models.asked("implement/T1")[3]["messages"][0]["content"][0]["text"].to_string();
    assert!(again.contains("src/lib.rs changed on disk while you were at work"), "{again}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_run_that_waits_for_a_document_can_be_cancelled() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::good();
    client.open_document(FILE, SOURCE);
    client.replace_document(FILE, &format!("//! Mine.\n{SOURCE}"));
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    assert_eq!(watch.wait_for_message(), WAITS);
    let cancelled = Instant::now();
    watch.client.execute("baton.cancel", &[]).expect("it runs");
    let end = watch.wait_for_end();
    assert!(cancelled.elapsed() < PROMPTLY, "{:?}", cancelled.elapsed());
    assert!(end.contains("Stopped in implement. No file was written."), "{end}");
    assert_eq!(session.text(FILE), SOURCE);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_untouched_document_keeps_nothing_waiting_and_an_unsaved_one_is_not_rolled_back() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true }));
    let mut models = Models::good();
    // Editors have line endings of their own, and need not load what was written.
    client.open_document(FILE, &SOURCE.replace('\n', "\r\n"));
    start(&mut client);
    assert!(Watch::new(&mut client, &mut models).wait_for_end().starts_with(APPROVED));
    let written = session.text(FILE);
    assert!(written.contains("greet(name: &str)"));

    // Under unsaved changes nothing is rolled back either.
    let mine = format!("{written}// Mine.\n");
    client.replace_document(FILE, &mine);
    let report = client.execute("baton.rollback", &[]).expect("a report");
    assert_eq!((&report["files"][0]["path"], &report["files"][0]["outcome"]), (&json!(FILE), &json!("left_alone")));
    assert!(report.to_string().contains("it is open with unsaved changes; save it first"), "{report:#}");
    assert_eq!(session.text(FILE), written);
    save(&session, &mut client, &mine);
    let report = client.execute("baton.rollback", &[]).expect("a report");
    assert_eq!(report["files"][0]["outcome"], "merged", "{report:#}");
    assert_eq!(session.text(FILE), format!("{SOURCE}// Mine.\n"), "what is the user's own is kept");
    while !client.has_read_everything() {
        client.next_message("what was sent");
    }
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn what_language_tools_say_reaches_the_reviewer() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true, "editorDiagnostics": true }));
    let mut models = Models::good();
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    let asked = watch.wait_for_other();
    assert_eq!(asked["method"], "baton/editorDiagnostics");
    assert_eq!(asked["params"], json!({ "uris": [session.uri(FILE)] }));
    let range = json!({ "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 9 } });
    let said = json!({
        "range": range, "severity": 1, "source": "rustc", "code": "E0425", "message": "cannot find\u{1b}[31m `name`\nhere"
    });
    watch.client.answer(&asked, json!([{ "uri": session.uri(FILE), "diagnostics": [said] }]));
    assert!(watch.wait_for_end().starts_with(APPROVED));
    let prompt = models.asked("review")[0]["messages"][0]["content"][0]["text"].as_str().expect("a text").to_owned();
    assert!(prompt.contains("\nsrc/lib.rs:2: error (rustc E0425): cannot find [31m `name` here\n"), "{prompt}");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_editor_that_does_not_say_what_its_tools_think_keeps_no_review_waiting() {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true, "editorDiagnostics": true }));
    let mut models = Models::good();
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    let asked = watch.wait_for_other();
    let withdrawn = watch.wait_for_other();
    assert_eq!((&withdrawn["method"], &withdrawn["params"]["id"]), (&json!("$/cancelRequest"), &asked["id"]));
    watch.client.refuse(&asked, json!({ "code": -32800, "message": "cancelled" }));
    assert!(watch.wait_for_end().starts_with(APPROVED));
    assert!(!models.asked("review")[0].to_string().contains("<editor_diagnostics"));
    assert_eq!(client.quit(), Some(0));
}

/// A run whose first agent outlines a file; what the editor answers to the request for its symbols, and what the agent is told.
fn outlined_with(answer: impl FnOnce(&mut LspClient, &Value)) -> String {
    let session = Session::new(GREETING);
    let mut client = client_with(&session, json!({ "languageModel": true, "documentSymbols": true }));
    let mut models = Models::good().first("context", [calls("outline", json!({ "path": FILE }))]);
    start(&mut client);
    let mut watch = Watch::new(&mut client, &mut models);
    let asked = watch.wait_for_other();
    assert_eq!(asked["method"], "baton/documentSymbols");
    assert_eq!(asked["params"], json!({ "uri": session.uri(FILE) }));
    answer(watch.client, &asked);
    assert!(watch.wait_for_end().starts_with(APPROVED));
    assert_eq!(client.quit(), Some(0));
    let messages = models.asked("context")[1]["messages"].as_array().expect("messages").clone();
    let result = messages.last().expect("the tool's result")["content"][0].clone();
    assert_eq!(result["type"], "tool_result", "{result:#}");
    result["content"].as_str().map_or_else(|| result["content"].to_string(), str::to_owned)
}

#[test]
fn an_outline_is_what_the_editors_language_tools_know_of_a_file() {
    let told = outlined_with(|client, asked| {
        let range = json!({ "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 9 } });
        let inner = json!({ "name": "made\u{1b}[31m by macro", "kind": 12, "range": range });
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 2, "character": 1 } });
        let outer = json!({ "name": "greet", "kind": 12, "range": range, "children": [inner] });
        client.answer(asked, json!([outer]));
    });
    assert!(told.contains("1-3\tpub fn greet() -> String {"), "{told}");
    assert!(told.contains("2-2\t  function made by macro: "), "{told}");
}

#[test]
fn an_editor_that_refuses_to_name_symbols_leaves_the_outline_to_the_grammar() {
    let told = outlined_with(|client, asked| client.refuse(asked, json!({ "code": -32601, "message": "unknown" })));
    assert!(told.contains("1-3\tpub fn greet() -> String {"), "{told}");
}
