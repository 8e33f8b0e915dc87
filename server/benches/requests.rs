//! How much of what is sent a provider's cache can hold: ratios of bytes, counted in one run.
//!
//! `cargo bench --bench requests` prints them, with room for everything and with a window that is too small for it. A request
//! extends the one before it in its conversation byte for byte, and all conversations of a phase begin with the same bytes, whatever
//! the models answer and whatever had to be cut: what changes shape is named, and ends the bench.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops at the first surprise"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton::models::{Limits, TurnRequest};
use serde_json::{Value, json};
use support::{Scripted, approves, blocks, call, one_file_each, turn_of};

const TASKS: usize = 8;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for window in [None, Some(16_384)] {
        let requests = runtime.block_on(requests(window));
        let room = window.map_or("room for everything".to_owned(), |tokens| format!("a window of {tokens} tokens"));
        println!("{room}: {} requests of {TASKS} tasks", requests.len());
        let (mut held, mut sent) = (0, 0);
        for (phase, share) in shares(&requests) {
            println!(
                "  {phase}: {} requests, {} KB sent, {:.1} % of it held by a request before",
                share.requests,
                share.sent / 1024,
                100.0 * share.held as f64 / share.sent as f64
            );
            held += share.held;
            sent += share.sent;
        }
        println!("  ratio held to sent {:.3}", held as f64 / sent as f64);
    }
}

#[derive(Default)]
struct Share {
    requests: usize,
    sent: usize,
    held: usize,
}

/// By phase: what was sent, and how much of it a request before had at the same place.
fn shares(requests: &[TurnRequest]) -> BTreeMap<String, Share> {
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        let phase = phase(request);
        let prefix = json!([request.system, request.tools]).to_string();
        let messages = blocks(request);
        let of_phase = requests[..index].iter().find(|other| self::phase(other) == phase);
        if let Some(first) = of_phase {
            let first = json!([first.system, first.tools]).to_string();
            assert_eq!(first, prefix, "{}: the prefix of its phase changed shape", request.agent);
        }
        let mut held = if of_phase.is_some() { prefix.len() } else { 0 };
        let before = requests[..index].iter().rev().find(|other| other.agent == request.agent);
        if let Some(before) = before.filter(|_| request.messages.len() > 1) {
            let before = blocks(before);
            let Some(known) = messages.get(..before.len()).filter(|known| *known == before) else {
                panic!("{}: a request does not extend the one before it", request.agent);
            };
            held += known.iter().map(String::len).sum::<usize>();
        }
        let share = shares.entry(phase.to_owned()).or_default();
        share.requests += 1;
        share.sent += prefix.len() + messages.iter().map(String::len).sum::<usize>();
        share.held += held;
    }
    shares
}

fn phase(request: &TurnRequest) -> &str {
    request.agent.split('/').next().unwrap_or_default()
}

/// Every request of one workflow, in the order in which they were sent.
async fn requests(window: Option<u64>) -> Vec<TurnRequest> {
    let folder = tempfile::tempdir().unwrap();
    for task in 0..TASKS {
        fs::write(folder.path().join(format!("f{task}.txt")), "before\n".repeat(400)).unwrap();
    }
    fs::write(folder.path().join("CONTRIBUTING.md"), "Write tests for what you change.\n".repeat(300)).unwrap();
    let answer = |request: &mut TurnRequest| answer(&request.agent, turn_of(request));
    let limits = Limits { window, max_output: Some(4_096), ..Limits::default() };
    // It plays every agent in several turns, some of which are not as they should be.
    let model = Arc::new(Scripted { limits, turn: Duration::ZERO, answer, requests: Mutex::default() });
    support::run(folder.path(), TASKS, "Change every file", model.clone()).await;
    model.requests.lock().unwrap().clone()
}

fn written(name: &str, input: &Value) -> Value {
    json!({ "type": "text", "text": format!("```json\n{}\n```", json!({ "name": name, "arguments": input })) })
}

fn answer(agent: &str, turn: usize) -> Vec<Value> {
    let read = |file: &str| json!({ "path": file });
    match (agent, turn) {
        ("context" | "plan", 0) => vec![call("list_files", json!({})), call("read_file", read("f0.txt"))],
        ("context" | "plan", 1) => {
            vec![call("search", "no JSON at all"), call("read_file", read("f1.txt").to_string())]
        }
        ("context", _) => vec![call("submit_context", context())],
        ("plan", _) => vec![call("submit_plan", one_file_each::plan(TASKS))],
        ("review", 0) => vec![call("read_diff", json!({}))],
        ("review", 1) => vec![call("read_file", read("f2.txt"))],
        ("review", _) => vec![call("submit_review", approves(TASKS, 1, "Good"))],
        (task, turn) => {
            let file = format!("f{}.txt", task.trim_start_matches("implement/T"));
            let edit = json!({ "path": file, "content": "after\n".repeat(400) });
            match turn {
                0 | 1 => vec![written("read_file", &read(&file))],
                2 => vec![call("write_file", edit)],
                3 => vec![json!({ "type": "text", "text": "Done." })],
                _ => vec![written("submit_result", &json!({ "status": "completed" }))],
            }
        }
    }
}

/// The context, its list written as a text.
fn context() -> Value {
    let mut context = one_file_each::context(TASKS);
    context["relevant_files"] = context["relevant_files"].to_string().into();
    context
}
