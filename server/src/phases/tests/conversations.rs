//! What models send that is not as it should be, and that every request continues the one before.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::scripted::{Script, Workflow, approved};
use crate::contracts::Usage;
use crate::models::{
    Block, Limits, Model, ModelError, ModelErrorKind, Role, StopReason, Turn, TurnProgress, TurnRequest,
};
use crate::workflow::{Goal, Outcome, RunEnd};

/// An agent's answer to a request, by the number of answers that its conversation holds.
type Act = dyn Fn(&TurnRequest, usize) -> Option<Turn> + Send + Sync;

/// Plays all agents as the script does, but for what it is told, and keeps every request.
pub(super) struct Actor {
    script: Script,
    act: Box<Act>,
    limits: Limits,
    requests: Mutex<Vec<TurnRequest>>,
}

impl Actor {
    pub(super) fn new(act: impl Fn(&TurnRequest, usize) -> Option<Turn> + Send + Sync + 'static) -> Self {
        let (script, act) = (Script::new([approved()]), Box::new(act));
        Self { script, act, limits: Limits::default(), requests: Mutex::default() }
    }

    pub(super) fn with_window(self, tokens: u64) -> Self {
        Self { limits: Limits { window: Some(tokens), ..Limits::default() }, ..self }
    }

    /// The requests of an agent, in their order.
    pub(super) fn requests(&self, agent: &str) -> Vec<TurnRequest> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request.agent == agent).cloned().collect()
    }
}

/// These blocks as an answer.
pub(super) fn says(content: impl IntoIterator<Item = Value>) -> Option<Turn> {
    let content: Vec<Block> = content.into_iter().map(Block).collect();
    let calls = content.iter().any(|block| block.kind() == "tool_use");
    let stop_reason = if calls { StopReason::ToolUse } else { StopReason::EndTurn };
    Some(Turn { content, stop_reason, model: "acted".to_owned(), usage: Usage::default() })
}

pub(super) fn call(id: &str, name: &str, input: impl Into<Value>) -> Value {
    json!({ "type": "tool_use", "id": id, "name": name, "input": input.into() })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[async_trait]
impl Model for Actor {
    fn id(&self) -> &str {
        "test:acted"
    }

    fn account(&self) -> String {
        "An acted model".to_owned()
    }

    async fn limits(&self) -> Limits {
        self.limits
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        _: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        progress(TurnProgress::FirstByte);
        self.requests.lock().unwrap().push(request.clone());
        let answers = request.messages.iter().filter(|message| message.role == Role::Assistant).count();
        if let Some(turn) = (self.act)(request, answers) {
            return match turn.model.as_str() {
                "fails" => Err(ModelError::new(ModelErrorKind::Unavailable, "no answer")),
                "too long" => Err(ModelError::new(ModelErrorKind::ContextWindow, "prompt is too long")),
                _ => Ok(turn),
            };
        }
        let calls = self.script.calls(&request.agent);
        Ok(says(calls.into_iter().zip(0..).map(|((name, input), id)| call(&format!("c{id}"), name, input))).unwrap())
    }
}

pub(super) async fn run(workflow: &Workflow, actor: &Arc<Actor>) -> RunEnd {
    workflow.run_with(Goal::of_task("Change a.txt"), actor.clone()).await.0
}

async fn merges(act: impl Fn(&TurnRequest, usize) -> Option<Turn> + Send + Sync + 'static) -> Arc<Actor> {
    let actor = Arc::new(Actor::new(act));
    let end = run(&Workflow::new(), &actor).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    assert_continued(&actor.requests.lock().unwrap());
    actor
}

/// Every block of a request, with whose it is: what a cache compares.
pub(super) fn blocks(request: &TurnRequest) -> Vec<String> {
    let of_message = |message: &crate::models::Message| {
        let role = message.role;
        message.content.iter().map(|block| format!("{role:?} {}", block.0)).collect::<Vec<_>>()
    };
    request.messages.iter().flat_map(of_message).collect()
}

/// What stands before the messages.
fn prefix(request: &TurnRequest) -> String {
    json!([request.system, request.tools]).to_string()
}

/// Every request of a conversation holds the one before it whole, and all of a phase have one prefix.
pub(super) fn assert_continued(requests: &[TurnRequest]) {
    let phase = |request: &TurnRequest| request.agent.split('/').next().map(str::to_owned);
    for request in requests {
        let first = requests.iter().find(|other| phase(other) == phase(request)).unwrap();
        assert_eq!(prefix(first), prefix(request), "{}", request.agent);
    }
    for (index, request) in requests.iter().enumerate() {
        let before = requests[..index].iter().rev().find(|other| other.agent == request.agent);
        let Some(before) = before else { continue };
        let (before, now) = (blocks(before), blocks(request));
        let is_fresh = request.messages.len() == 1;
        assert!(is_fresh || now.starts_with(&before), "{}: {before:#?}\n{now:#?}", request.agent);
    }
}

/// The last message's texts.
pub(super) fn answers(request: &TurnRequest) -> Vec<String> {
    let content = &request.messages.last().unwrap().content;
    let text = |block: &Block| block.0["content"].as_str().or(block.as_text()).unwrap_or_default().to_owned();
    content.iter().map(text).collect()
}

const T1: &str = "implement/T1";

fn read() -> Value {
    json!({ "path": "a.txt" })
}

fn submit() -> Value {
    json!({ "status": "partial", "changes": [], "notes": "It is hard.", "blockers": [] })
}

#[tokio::test]
async fn calls_of_one_id_are_answered_each_under_its_own() {
    let actor = merges(|request, answers| match (request.agent.as_str(), answers) {
        (T1, 0) => says([call("x", "read_file", read()), call("x", "list_files", json!({}))]),
        (T1, 1) => says([call("x", "search", json!({ "pattern": "before" }))]),
        (T1, 2) => says([call("x", "submit_result", submit())]),
        _ => None,
    })
    .await;
    let request = &actor.requests(T1)[2];
    let of = |role: Role, field: &str| -> Vec<String> {
        let messages = request.messages.iter().filter(|message| message.role == role);
        let blocks = messages.flat_map(|message| &message.content);
        blocks.filter_map(|block| block.0[field].as_str()).map(str::to_owned).collect()
    };
    assert_eq!(of(Role::Assistant, "id"), ["x", "x_1", "x_2"]);
    assert_eq!(of(Role::User, "tool_use_id"), ["x", "x_1", "x_2"]);
}

#[tokio::test]
async fn calls_that_came_whole_are_carried_out_though_the_answer_was_cut() {
    let actor = merges(|request, answers| {
        let cut = |block| says([block]).map(|turn| Turn { stop_reason: StopReason::MaxTokens, ..turn });
        match (request.agent.as_str(), answers) {
            (T1, 0..5) => cut(call("a", "search", json!({ "pattern": format!("before{answers}") }))),
            (T1, 5) => cut(call("b", "submit_result", submit())),
            _ => None,
        }
    })
    .await;
    let requests = actor.requests(T1);
    assert_eq!(requests.len(), 6, "the submission is taken, and no cut answer counts as idle");
    let told = answers(&requests[5]);
    assert!(told[0].contains("before4") && told[1].contains("The calls that came whole are answered here"), "{told:?}");
}

#[tokio::test]
async fn an_input_that_is_no_json_is_answered_and_costs_one_turn() {
    let actor = merges(|request, answers| match (request.agent.as_str(), answers) {
        (T1, 0) => says([call("a", "read_file", "{'path': 'a.txt'}"), call("b", "read_file", read().to_string())]),
        (T1, 1) => says([call("c", "submit_result", "{\"status\": ")]),
        (T1, 2) => says([call("d", "submit_result", json!(submit().to_string()).to_string())]),
        _ => None,
    })
    .await;
    let requests = actor.requests(T1);
    assert_eq!(requests.len(), 3);
    let first = answers(&requests[1]);
    assert!(first[0].starts_with("The input is no JSON object: key must be a string at line 1 column 2, in: {'path'"));
    assert!(first[1].starts_with("a.txt, 1 line"), "{first:?}");
    assert!(answers(&requests[2])[0].contains("EOF while parsing a value at line 1 column 11"), "{requests:#?}");
    let inputs = requests[2].messages.iter().flat_map(|message| &message.content).filter_map(Block::as_tool_use);
    assert!(inputs.map(|(_, _, input)| input).all(Value::is_object), "a provider takes nothing else");
}

#[tokio::test]
async fn inputs_that_are_never_json_come_to_an_end() {
    for (tool, words) in [
        ("submit_context", "handoff was not valid in 3 tries: The input is no JSON object: expected ident at line 1"),
        ("read_file", "did not finish: the input of its tool calls was no JSON object 3 times"),
        ("no_tool", "did not finish: the input of its tool calls was no JSON object 3 times"),
    ] {
        let actor = Arc::new(Actor::new(move |_, answers| says([call("a", tool, format!("nonsense {answers}"))])));
        let end = run(&Workflow::new(), &actor).await;
        assert!(end.outcome == Outcome::Failed && end.message.contains(words), "{}", end.message);
        assert_eq!(actor.requests("context").len(), 3);
    }
}

#[tokio::test]
async fn what_is_submitted_as_strings_is_taken_as_what_it_says() {
    let text_of = |value: Value| Value::from(value.to_string());
    let actor = merges(move |request, _| match request.agent.as_str() {
        "context" => {
            let file = json!({ "path": "a.txt", "relevance": "high", "summary": "[1]" });
            let context = json!({ "task_description": "[\"change a.txt\"]", "relevant_files": text_of(json!([file])) });
            says([call("a", "submit_context", context)])
        }
        "plan" => {
            let task = json!({
                "id": "T1", "title": "1", "description": "{}", "files_to_modify": "[\"a.txt\"]",
                "acceptance_criteria": "[\"true\"]", "estimated_complexity": "simple",
            });
            let plan = json!({
                "approach_summary": "at once", "tasks": [text_of(task)], "parallel_groups": "[[\"T1\"]]",
            });
            says([call("a", "submit_plan", plan)])
        }
        _ => None,
    })
    .await;
    assert_eq!((actor.requests("context").len(), actor.requests("plan").len()), (1, 1));
    let first = answers(&actor.requests(T1)[0])[0].clone();
    let expected = "\"title\":\"1\",\"description\":\"{}\"";
    assert!(first.contains(expected) && first.contains("\"acceptance_criteria\":[\"true\"]"), "{first}");
}

fn written(name: &str, input: &Value) -> Value {
    text(&format!("```json\n{}\n```", json!({ "name": name, "arguments": input })))
}

#[tokio::test]
async fn a_model_that_writes_its_calls_as_text_is_told_once_and_then_understood() {
    let actor = merges(|request, answers| match (request.agent.as_str(), answers) {
        (T1, 0 | 1) => says([written("read_file", &read())]),
        (T1, 2) => {
            let call = json!({ "name": "search", "parameters": "{\"pattern\": \"before\"}" });
            says([text(&format!("<tool_call>{call}</tool_call>\n<tool_call>\n{call}\n</tool_call>"))])
        }
        (T1, 3) => says([written("submit_result", &submit()), call("a", "read_file", read())]),
        (T1, 4) => says([written("rm", &read())]),
        (T1, 5) => says([written("submit_result", &submit())]),
        _ => None,
    })
    .await;
    let requests = actor.requests(T1);
    assert_eq!(requests.len(), 6);
    let told = "You wrote a tool call as text, and it was not carried out.";
    assert!(answers(&requests[1])[0].starts_with(told));
    assert!(answers(&requests[2])[0].starts_with("a.txt, 1 line"));
    assert!(requests[2].messages[1].content[0].as_text().is_some(), "what was said stays said");
    assert_eq!(requests[2].messages[3].content[0], Block::tool_use("call_1", "read_file", read()));
    assert_eq!(answers(&requests[3]).len(), 2);
    assert_eq!(answers(&requests[4]).len(), 1, "text beside a real call is text");
    assert!(answers(&requests[5])[0].starts_with("Text alone does nothing here."), "no such tool is known");
    let times = blocks(&requests[5]).iter().filter(|block| block.contains(told)).count();
    assert_eq!(times, 1);
}

#[tokio::test]
async fn a_conversation_with_all_of_that_is_resumed_without_paying_again() {
    let act = |request: &TurnRequest, answers: usize, fails_at: usize| match (request.agent.as_str(), answers) {
        (T1, n) if n == fails_at => says([]).map(|turn| Turn { model: "fails".to_owned(), ..turn }),
        (T1, 0) => says([written("read_file", &read())]),
        (T1, 1) => says([written("read_file", &read())]),
        (T1, 2) => says([call("x", "read_file", "nonsense"), call("x", "read_file", read().to_string())]),
        (T1, 3) => says([call("x", "search", json!({ "pattern": "before" })), call("", "list_files", Value::Null)]),
        (T1, 4) => says([call("x", "submit_result", submit())]),
        _ => None,
    };
    let workflow = Workflow::new();
    let first = Arc::new(Actor::new(move |request, answers| act(request, answers, 4)));
    let end = run(&workflow, &first).await;
    assert_eq!((end.outcome, first.requests(T1).len()), (Outcome::Failed, 5), "{}", end.message);
    let second = Arc::new(Actor::new(move |request, answers| act(request, answers, 9)));
    let (end, _) = workflow.run_with(Goal::default(), second.clone()).await;
    assert_eq!((end.outcome, second.requests(T1).len()), (Outcome::Merged, 1), "{}", end.message);
    assert_eq!(blocks(&second.requests(T1)[0]), blocks(&first.requests(T1)[4]));
    assert_continued(&[first.requests(T1), second.requests(T1)].concat());
}
