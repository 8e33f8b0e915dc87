//! An editor's desk: a project, a user's home, a server that serves them, and a run watched from its start to its end.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::lsp_client::LspClient;
use super::messages_api::{MessagesApi, Reply, Script};

/// The task of [`script`].
pub const TASK: &str = "Greet by name";

/// Two directories of one user: a project, and a home of its own.
pub struct Desk {
    pub project: TempDir,
    pub home: TempDir,
}

impl Desk {
    pub fn new() -> Self {
        let (project, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(project.path().join("src")).unwrap();
        let source = "pub fn greet() -> String {\n    \"hello\".to_owned()\n}\n";
        std::fs::write(project.path().join("src/lib.rs"), source).unwrap();
        Self { project, home }
    }

    pub fn server(&self, api: &MessagesApi) -> LspClient {
        let home = self.home.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.arg("lsp").current_dir(home).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home);
        command.env("NO_PROXY", "127.0.0.1").envs(api.env());
        LspClient::start(&mut command)
    }

    /// A server that an editor has opened the project in.
    pub fn editor(&self, api: &MessagesApi) -> LspClient {
        let mut client = self.server(api);
        client.initialize(self.params());
        client
    }

    /// The same, with no plugin of Baton's.
    pub fn plain_editor(&self, api: &MessagesApi) -> LspClient {
        let mut client = self.server(api);
        let mut params = self.params();
        params["initializationOptions"] = Value::Null;
        client.initialize(params);
        client
    }

    /// The command line, in the project.
    pub fn baton(&self, arguments: &[&str]) -> Command {
        let home = self.home.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(arguments).current_dir(self.project.path()).env_clear().env("HOME", home);
        command
    }

    pub fn params(&self) -> Value {
        json!({
            "processId": null,
            "rootUri": null,
            "workspaceFolders": [{ "uri": self.uri(""), "name": "project" }],
            "capabilities": {
                "window": { "workDoneProgress": true, "showDocument": { "support": true } },
                "textDocument": { "publishDiagnostics": { "relatedInformation": true } }
            },
            // As a client of Baton's own, which shows the results of commands itself.
            "initializationOptions": { "baton": {} }
        })
    }

    pub fn uri(&self, file: &str) -> String {
        let path = format!("file://{}/{file}", self.project.path().display());
        path.trim_end_matches('/').to_owned()
    }

    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.project.path().join(file)).unwrap()
    }
}

pub fn script() -> Script {
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
pub fn start(client: &mut LspClient, arguments: Value) -> String {
    let started = client.execute("baton.workflow", &[arguments]).expect("it starts");
    let run = started["run"].as_str().expect("an id").to_owned();
    let create = client.hear("window/workDoneProgress/create");
    assert_eq!(create["params"], json!({ "token": run }));
    client.answer(&create, Value::Null);
    run
}

/// Everything up to the end of the run: the progress values, the diagnostics, and what was said last.
pub struct Shown {
    pub progress: Vec<Value>,
    pub diagnostics: Vec<Value>,
    pub last_message: Value,
}

impl Shown {
    /// What was shown last of a file.
    pub fn of(&self, uri: &str) -> Option<&Value> {
        self.diagnostics.iter().rfind(|params| params["uri"] == uri)
    }
}

pub fn until_the_end(client: &mut LspClient, run: &str) -> Shown {
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
            method @ ("window/showMessage" | "window/showMessageRequest") => {
                assert!(is_over(&progress), "the progress goes on after {params}");
                check_progress(&progress);
                if method == "window/showMessageRequest" {
                    // What to do after a cancel or a failure is asked; nothing, says this.
                    client.answer(&message, Value::Null);
                }
                return Shown { progress, diagnostics, last_message: params };
            }
            other => panic!("{other} was not expected: {params}"),
        }
    }
}

pub fn is_over(progress: &[Value]) -> bool {
    progress.last().is_some_and(|value| value["kind"] == "end")
}

/// One beginning, reports whose percentages never fall, one end.
pub fn check_progress(progress: &[Value]) {
    let kinds: Vec<&str> = progress.iter().map(|value| value["kind"].as_str().expect("a kind")).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"begin"), Some(&"end")), "{progress:#?}");
    assert!(kinds[1..kinds.len() - 1].iter().all(|kind| *kind == "report"), "{progress:#?}");
    assert_eq!(progress[0]["cancellable"], true);
    let shown = &progress[..progress.len() - 1];
    let percentages: Vec<u64> = shown.iter().map(|value| value["percentage"].as_u64().expect("always there")).collect();
    assert!(percentages.is_sorted() && percentages.iter().all(|percent| *percent <= 100), "{percentages:?}");
}

/// Start a run and wait for the question at its gate.
pub fn to_the_gate(client: &mut LspClient) -> (String, Value) {
    let run = start(client, json!({ "task": TASK }));
    let question = client.hear("window/showMessageRequest");
    (run, question)
}
