//! Each list of phases, handoffs, commands or schemas that a face shows or takes has the further phase.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};

use super::TABLE_AND_ONE;
use super::scripted::{Script, Workflow, approved};
use super::security::SECURITY;
use crate::cli::args::{Args, Command};
use crate::config::{PhaseTier, RESERVED_PHASE_NAMES, Settings, UserPhase};
use crate::contracts::PhaseName;
use crate::lsp;
use crate::phases::{TABLE, further};
use crate::tools::{CheckRunner, Toolbox};
use crate::workflow::{Goal, IMPLEMENT, Phases, REVIEW, ToolSet};
use crate::workspace::fixture::{Fixture, memory};
use crate::workspace::{StagedChange, Staging, Writable};

fn phases() -> Phases {
    TABLE_AND_ONE.with(&[])
}

#[test]
fn the_command_line_takes_it_and_tells_of_it() {
    let words = |line: &str| Args::from_words(line.split(' '), &phases());
    let Command::Run(run) = words("baton run --phase security").unwrap().command else { panic!() };
    assert_eq!(run.phase, Some(SECURITY));
    assert!(matches!(words("baton schema security").unwrap().command, Command::Schema(_)));
    let help = words("baton run --help").unwrap_err().to_string();
    assert!(help.contains("security:") && help.contains("Look how it can be abused"), "{help}");
    let about = words("baton --help").unwrap_err().to_string();
    assert!(about.contains("5 agents: context, plan, implement, security, review"), "{about}");
    assert!(Args::from_words("baton run --phase security".split(' '), &TABLE.with(&[])).is_err());
}

#[test]
fn its_handoff_has_a_schema_and_a_place_among_the_files() {
    let handoffs = phases().handoffs();
    assert!(handoffs.schema("security").unwrap()["properties"]["attack_surface"].is_object());
    assert_eq!(handoffs.from_phase(SECURITY), ["security.json", "accepted.json", "review.json"]);
    assert!(handoffs.from_phase(IMPLEMENT).contains(&"security.json"));
}

#[test]
fn it_takes_its_share_of_the_progress() {
    let (from, to) = phases().progress(SECURITY).unwrap();
    assert_eq!((Some(from), Some(to)), (ends(IMPLEMENT), begins(REVIEW)));
    assert!(from < to, "{from} {to}");
}

fn ends(phase: PhaseName) -> Option<f64> {
    phases().progress(phase).map(|(_, to)| to)
}

fn begins(phase: PhaseName) -> Option<f64> {
    phases().progress(phase).map(|(from, _)| from)
}

#[test]
fn it_has_its_prompt() {
    assert!(phases().prompts().of(SECURITY).contains("can it be abused?"));
}

#[derive(Debug)]
struct NoChecks;

impl CheckRunner for NoChecks {
    fn try_check(&self, _name: &str, _changes: Vec<StagedChange>) -> Result<String, String> {
        Err(String::new())
    }
}

#[test]
fn each_prompt_of_the_program_names_the_tools_of_its_agents() {
    let fixture = Fixture::new("//- /a.txt\nx\n");
    let reader = Toolbox::reader(fixture.workspace(), memory());
    let reviewer = Toolbox::reviewer(fixture.workspace(), memory(), Vec::new());
    let staging = Staging::new(fixture.workspace(), "T1".to_owned(), Writable::default(), memory());
    let writer = Toolbox::implementer(fixture.workspace(), memory(), Arc::new(Mutex::new(staging)));
    let writer = writer.with_checks(Some(Arc::new(NoChecks)));
    for phase in TABLE.with(&[]).with_stand_ins() {
        let toolbox = match phase.tools() {
            ToolSet::Read => &reader,
            ToolSet::Write => &writer,
            ToolSet::ReadDiff => &reviewer,
        };
        for tool in toolbox.specs() {
            let name = phase.name();
            assert!(phase.prompt().contains(&tool.name), "name the tool {} in prompts/{name}.md", tool.name);
        }
    }
}

#[test]
fn no_phase_of_the_users_may_be_called_as_a_phase_or_a_handoff_of_the_program() {
    let phases = TABLE.with(&[]);
    let files = phases.handoffs().all().map(|handoff| handoff.file.trim_end_matches(".json")).collect::<Vec<_>>();
    for name in phases.names().map(PhaseName::as_str).chain(files) {
        let can_be_a_name = PhaseName::read(name).is_ok();
        assert!(!can_be_a_name || RESERVED_PHASE_NAMES.contains(&name), "add {name:?} to RESERVED_PHASE_NAMES");
    }
}

#[test]
fn a_phase_of_the_users_stands_before_the_review_and_is_the_same_row_at_every_reading() {
    let added = |name: &str| UserPhase {
        name: name.to_owned(),
        after: "implement".to_owned(),
        prompt: "Look.".to_owned(),
        tier: PhaseTier::Fast,
    };
    let phases = TABLE.with(&[added("licences"), added("words")]);
    let names: Vec<&str> = phases.names().map(PhaseName::as_str).collect();
    assert_eq!(names, ["context", "plan", "implement", "licences", "words", "review"]);
    let rows = [further::row(&added("licences")), further::row(&added("licences"))];
    assert!(std::ptr::addr_eq(rows[0], rows[1]));
}

#[tokio::test]
async fn it_counts_in_the_estimate() {
    let workflow = Workflow::new();
    let script = Script::new([approved()]);
    let named = Goal::Phase { phase: crate::workflow::PLAN, task: None, reset: false };
    workflow
        .run(Goal::Phase { phase: crate::workflow::CONTEXT, task: Some("Change".to_owned()), reset: false }, &script)
        .await;
    workflow.run(named, &script).await;
    let high = |phases: &Phases| {
        let now = jiff::Timestamp::now();
        let status = crate::workflow::status(&workflow.store, &Settings::default(), None, phases, now).unwrap();
        status.gate.unwrap().estimate.high.tokens
    };
    assert!(high(&phases()) > high(&TABLE.with(&[])));
}

#[tokio::test]
async fn an_editor_is_offered_it_and_sees_where_it_stands_and_what_it_found() {
    let workflow = Workflow::new();
    workflow.run(Goal::of_task("Change a.txt"), &Script::new([approved()])).await;
    let mut editor = Editor::open(&workflow);
    let root = format!("file://{}", workflow.path().canonicalize().unwrap().display());
    let folder = json!({ "uri": root, "name": "w" });
    let begun = editor.request("initialize", json!({ "capabilities": {}, "workspaceFolders": [folder] })).await;
    let commands = begun["capabilities"]["executeCommandProvider"]["commands"].as_array().unwrap();
    assert!(commands.contains(&json!("baton.security")), "{commands:?}");
    editor.notify("initialized", json!({})).await;
    let codes = editor.codes_until(&["security.major", "phase.security"]).await;
    assert_eq!(codes["security.major"], format!("{root}/a.txt"));
    assert_eq!(codes["phase.security"], format!("{root}/.agent_memory/task.md"));
    let status = editor.request("workspace/executeCommand", json!({ "command": "baton.status" })).await;
    assert_eq!(status["phases"][3]["phase"], "security", "{status}");
    let unknown = editor.request("workspace/executeCommand", json!({ "command": "baton.unknown" })).await;
    assert!(unknown.is_null(), "{unknown}");
}

/// An editor on one end of a pipe, with the language server on the other.
struct Editor {
    output: WriteHalf<DuplexStream>,
    input: BufReader<ReadHalf<DuplexStream>>,
    next: i64,
    /// Diagnostics by code, each with the document it is about.
    codes: HashMap<String, String>,
}

impl Editor {
    fn open(workflow: &Workflow) -> Self {
        let (here, there) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(there);
        let root = workflow.path().to_owned();
        tokio::spawn(async move { lsp::serve(Some(root), &TABLE_AND_ONE, input, output).await });
        let (input, output) = tokio::io::split(here);
        Self { output, input: BufReader::new(input), next: 0, codes: HashMap::new() }
    }

    async fn send(&mut self, message: Value) {
        let text = message.to_string();
        let frame = format!("Content-Length: {}\r\n\r\n{text}", text.len());
        self.output.write_all(frame.as_bytes()).await.unwrap();
    }

    async fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }

    /// The result of a request; null where it is an error.
    async fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        loop {
            let message = self.message(&format!("the answer to {method}")).await;
            if message["id"] == id && message.get("method").is_none() {
                return message["result"].clone();
            }
        }
    }

    /// The documents of these diagnostics, once all of them are shown.
    async fn codes_until(&mut self, wanted: &[&str]) -> HashMap<String, String> {
        while !wanted.iter().all(|code| self.codes.contains_key(*code)) {
            self.message(&format!("diagnostics {wanted:?}, of which there are {:?}", self.codes)).await;
        }
        self.codes.clone()
    }

    async fn message(&mut self, wanted: &str) -> Value {
        let read = tokio::time::timeout(Duration::from_secs(30), read(&mut self.input)).await;
        let message = read.unwrap_or_else(|_| panic!("there never came {wanted}")).unwrap();
        if message["method"] == "textDocument/publishDiagnostics" {
            for diagnostic in message["params"]["diagnostics"].as_array().unwrap() {
                let uri = message["params"]["uri"].as_str().unwrap().to_owned();
                self.codes.insert(diagnostic["code"].as_str().unwrap_or_default().to_owned(), uri);
            }
        }
        message
    }
}

async fn read(input: &mut BufReader<ReadHalf<DuplexStream>>) -> io::Result<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line).await?;
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", count)) => length = count.parse().map_err(io::Error::other)?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map_err(io::Error::other)
}
