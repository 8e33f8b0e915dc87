//! What the benches of whole workflows share: a model that plays every agent, a person who says yes, and a run from its task to
//! its end.

#![allow(dead_code, reason = "each bench uses a part of it")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use baton::config::Settings;
use baton::contracts::Usage;
use baton::models::{
    Block, Limits, Message, Model, ModelError, Models, Role, StopReason, Turn, TurnProgress, TurnRequest,
};
use baton::phases::TABLE;
use baton::workflow::{self, Approver, Editor, Gate, GateAnswer, Goal, Outcome, PhaseEvent, Request};
use baton::workspace::Workspace;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Answers every request by a function, and keeps what was asked.
pub(crate) struct Scripted<A> {
    /// What the model takes.
    pub(crate) limits: Limits,
    /// How long a turn of an implementer takes.
    pub(crate) turn: Duration,
    /// The blocks of the answer. It may change what is kept of the request.
    pub(crate) answer: A,
    /// The requests in the order in which they came.
    pub(crate) requests: Mutex<Vec<TurnRequest>>,
}

#[async_trait]
impl<A: Fn(&mut TurnRequest) -> Vec<Value> + Send + Sync> Model for Scripted<A> {
    fn id(&self) -> &str {
        "bench:scripted"
    }

    fn account(&self) -> String {
        "A scripted model".to_owned()
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
        if request.agent.starts_with("implement/") && !self.turn.is_zero() {
            tokio::time::sleep(self.turn).await;
        }
        let mut request = request.clone();
        let content: Vec<Block> = (self.answer)(&mut request).into_iter().map(Block).collect();
        self.requests.lock().unwrap().push(request);
        let has_calls = content.iter().any(|block| block.kind() == "tool_use");
        let stop_reason = if has_calls { StopReason::ToolUse } else { StopReason::EndTurn };
        Ok(Turn { content, stop_reason, model: "scripted".to_owned(), usage: Usage::default() })
    }
}

struct Yes;

#[async_trait]
impl Approver for Yes {
    async fn ask(&self, _: &Gate) -> GateAnswer {
        GateAnswer::Approve { tasks: None }
    }
}

/// Takes a task through all its phases in this folder, so many tasks of the plan at once, and stops unless it is approved.
pub(crate) async fn run(folder: &Path, tasks: usize, task: &str, model: Arc<dyn Model>) -> Vec<PhaseEvent> {
    let workspace = Workspace::open(folder).unwrap();
    let settings = Settings { max_parallel_tasks: tasks, ..Settings::default() };
    let mut engine = workflow::open(workspace, settings, &|_| None, Arc::new(Yes), Editor::default(), &TABLE).unwrap();
    engine.models = Ok(Models::all(model));
    let request = Request { goal: Goal::of_task(task), auto_approve: true };
    let mut handle = workflow::start(engine, request).unwrap();
    let mut events = Vec::new();
    while let Some(event) = handle.events.recv().await {
        events.push(event);
    }
    let end = handle.end.await.unwrap();
    assert_eq!(end.outcome, Outcome::Merged, "{task}: {}", end.message);
    events
}

/// The number of a request in its conversation, from 0.
pub(crate) fn turn_of(request: &TurnRequest) -> usize {
    request.messages.iter().filter(|message| message.role == Role::Assistant).count()
}

/// A call of a tool, always with the same id: the server gives them ids of their own. The input may be a text.
pub(crate) fn call(name: &str, input: impl Into<Value>) -> Value {
    json!({ "type": "tool_use", "id": "call", "name": name, "input": input.into() })
}

/// The blocks of a request, each with who said it.
pub(crate) fn blocks(request: &TurnRequest) -> Vec<String> {
    let of_message = |message: &Message| {
        let role = message.role;
        message.content.iter().map(move |block| format!("{role:?} {}", block.0)).collect::<Vec<_>>()
    };
    request.messages.iter().flat_map(of_message).collect()
}

/// A context, a plan and a review of so many tasks, each of which changes a file of its own: `f0.txt` by `T0`.
pub(crate) mod one_file_each {
    use serde_json::{Value, json};

    pub(crate) fn context(tasks: usize) -> Value {
        let file = |task| json!({ "path": format!("f{task}.txt"), "summary": "a file", "relevance": "high" });
        json!({ "task_description": "Change every file", "relevant_files": (0..tasks).map(file).collect::<Vec<_>>() })
    }

    pub(crate) fn plan(tasks: usize) -> Value {
        let task = |task| {
            json!({
                "id": format!("T{task}"), "title": "Change a file", "description": "Change it",
                "files_to_modify": [format!("f{task}.txt")], "estimated_complexity": "simple",
                "acceptance_criteria": ["It is changed"],
            })
        };
        let ids: Vec<String> = (0..tasks).map(|task| format!("T{task}")).collect();
        let all: Vec<Value> = (0..tasks).map(task).collect();
        json!({ "approach_summary": "All at once", "tasks": all, "parallel_groups": [ids] })
    }
}

/// A review that approves so many tasks, each with so many criteria, of which it proves none.
pub(crate) fn approves(tasks: usize, criteria: usize, summary: &str) -> Value {
    let unproven = |(task, criterion): (usize, usize)| json!({ "task_id": format!("T{task}"), "criterion": criterion, "evidence": null, "state": "unproven" });
    let all = (0..tasks).flat_map(|task| (1..=criteria).map(move |criterion| (task, criterion)));
    json!({
        "verdict": "approved", "summary": summary, "issues": [], "criteria": all.map(unproven).collect::<Vec<_>>(),
        "recommended_action": "merge",
    })
}
