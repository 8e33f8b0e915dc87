//! A small workspace, and a model that plays all agents of it.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::TABLE_AND_ONE;
use crate::config::Settings;
use crate::contracts::{Findings, Usage};
use crate::memory::Store;
use crate::models::{Block, Model, ModelError, Models, StopReason, Turn, TurnProgress, TurnRequest};
use crate::workflow::{
    self, Approver, Editor, Gate, GateAnswer, Goal, PhaseEvent, Request, RunEnd, RunHandle, StartError, Status,
};
use crate::workspace::Workspace;

/// Longer than any of these workflows takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tokens of every turn.
pub(super) const TOKENS: u64 = 7;

/// What the reviewer says, at the end.
pub(super) fn approved() -> Value {
    json!({ "verdict": "approved", "summary": "good", "issues": [], "recommended_action": "merge" })
}

/// What the reviewer says: one issue in a.txt.
pub(super) fn fix() -> Value {
    let issue = json!({ "severity": "major", "file": "a.txt", "line": 1, "description": "wrong" });
    json!({
        "verdict": "changes_requested", "summary": "not yet", "issues": [issue],
        "recommended_action": "fix_and_re_review",
    })
}

/// What the reviewer says: the plan was wrong.
pub(super) fn new_plan() -> Value {
    json!({ "verdict": "rejected", "summary": "wrong plan", "issues": [], "recommended_action": "re_plan" })
}

/// A workspace with one file.
pub(super) struct Workflow {
    folder: tempfile::TempDir,
    pub(super) workspace: Workspace,
    pub(super) store: Store,
}

impl Workflow {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), "before\n").unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let phases = TABLE_AND_ONE.with(&[]);
        let store = workflow::open_store(&workspace, &Settings::default(), &phases).unwrap();
        Self { folder, workspace, store }
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A file of the memory folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(".agent_memory").join(name)
    }

    pub(super) fn try_start(&self, goal: Goal, script: &Script) -> Result<RunHandle, StartError> {
        self.start_with(goal, Arc::new(script.clone()))
    }

    fn start_with(&self, goal: Goal, model: Arc<dyn Model>) -> Result<RunHandle, StartError> {
        let (workspace, settings) = (self.workspace.clone(), Settings::default());
        let mut engine =
            workflow::open(workspace, settings, &|_| None, Arc::new(Yes), Editor::default(), &TABLE_AND_ONE)?;
        engine.models = Ok(Models::all(model));
        workflow::start(engine, Request { goal, auto_approve: true })
    }

    /// Run to the end.
    pub(super) async fn run(&self, goal: Goal, script: &Script) -> (RunEnd, Vec<PhaseEvent>) {
        self.run_with(goal, Arc::new(script.clone())).await
    }

    /// Run to the end with a model.
    pub(super) async fn run_with(&self, goal: Goal, model: Arc<dyn Model>) -> (RunEnd, Vec<PhaseEvent>) {
        let mut handle = self.start_with(goal, model).unwrap();
        let mut events = Vec::new();
        let end = async {
            while let Some(event) = handle.events.recv().await {
                events.push(event);
            }
            handle.end.await.unwrap()
        };
        let end = tokio::time::timeout(PATIENCE, end).await;
        let end = end.expect("the workflow has no end: a list of what a round sets aside may have forgotten the phase");
        (end, events)
    }

    pub(super) fn status(&self) -> Status {
        let phases = TABLE_AND_ONE.with(&[]);
        workflow::status(&self.store, &Settings::default(), None, &phases, Timestamp::now()).unwrap()
    }

    /// The rounds that a file in the history is about, oldest first.
    pub(super) fn history(&self, file: &str) -> Vec<u32> {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(self.file("history")).unwrap().map(|entry| entry.unwrap().path().join(file)).collect();
        entries.sort();
        let texts = entries.iter().filter_map(|path| fs::read_to_string(path).ok());
        let (_, _, reader) = self.store.handoffs().reviewing().next().unwrap();
        texts.map(|text| reader(&text).unwrap()).map(|found: Findings| found.round).collect()
    }

    /// The lock of a run whose tasks were dropped is released by the thread that drops them.
    pub(super) fn wait_for_lock(&self) {
        let began = std::time::Instant::now();
        while self.store.holder().is_some() {
            assert!(began.elapsed() < Duration::from_secs(20), "the lock of a killed run is still held");
            std::thread::yield_now();
        }
    }
}

struct Yes;

#[async_trait]
impl Approver for Yes {
    async fn ask(&self, _: &Gate) -> GateAnswer {
        GateAnswer::Approve { tasks: None }
    }
}

/// Plays every agent; cheap to clone.
#[derive(Clone)]
pub(super) struct Script(Arc<Play>);

struct Play {
    reviews: Mutex<VecDeque<Value>>,
    /// Each agent that was asked, with its first message.
    asked: Mutex<Vec<(String, String)>>,
    /// Which agent is never answered.
    hangs_at: Option<&'static str>,
    hangs: Notify,
}

impl Script {
    pub(super) fn new(reviews: impl IntoIterator<Item = Value>) -> Self {
        Self::play(reviews.into_iter().collect(), None)
    }

    fn play(reviews: VecDeque<Value>, hangs_at: Option<&'static str>) -> Self {
        let (asked, hangs) = (Mutex::default(), Notify::new());
        Self(Arc::new(Play { reviews: Mutex::new(reviews), asked, hangs_at, hangs }))
    }

    /// The same, but that this agent is never answered.
    pub(super) fn hanging_at(self, agent: &'static str) -> Self {
        let reviews = self.0.reviews.lock().unwrap().clone();
        Self::play(reviews, Some(agent))
    }

    /// Returns when the agent that is never answered was asked.
    pub(super) async fn hangs(&self) {
        self.0.hangs.notified().await;
    }

    /// The agents that were asked, in order; without those that checked a finding of the review.
    pub(super) fn agents(&self) -> Vec<String> {
        let asked = self.0.asked.lock().unwrap();
        asked.iter().map(|(agent, _)| agent.clone()).filter(|agent| !agent.starts_with("validate/")).collect()
    }

    /// The last first message of an agent.
    pub(super) fn first_message(&self, agent: &str) -> String {
        let asked = self.0.asked.lock().unwrap();
        asked.iter().rev().find(|(name, _)| name == agent).unwrap().1.clone()
    }

    /// The calls of an agent's one turn.
    pub(super) fn calls(&self, agent: &str) -> Vec<(&'static str, Value)> {
        let plan = json!({
            "approach_summary": "at once",
            "tasks": [{
                "id": "T1", "title": "Change a.txt", "description": "change it", "files_to_modify": ["a.txt"],
                "acceptance_criteria": ["it is changed"], "estimated_complexity": "simple",
            }],
            "parallel_groups": [["T1"]],
        });
        let hole = json!({ "severity": "major", "file": "a.txt", "line": 1, "description": "a hole" });
        match agent {
            "context" => vec![("submit_context", json!({ "task_description": "change a.txt", "relevant_files": [] }))],
            "plan" => vec![("submit_plan", plan)],
            "security" => {
                vec![("submit_security", json!({ "issues": [hole], "attack_surface": "the network" }))]
            }
            agent if agent.starts_with("validate/") => {
                vec![("submit_verdict", json!({ "reason": "The text shows it.", "refuted": false }))]
            }
            "review" => {
                let mut review = self.0.reviews.lock().unwrap().pop_front().expect("a review to give");
                review["criteria"] =
                    json!([{ "task_id": "T1", "criterion": 1, "evidence": null, "state": "unproven" }]);
                vec![("submit_review", review)]
            }
            _ => vec![
                ("read_file", json!({ "path": "a.txt" })),
                ("write_file", json!({ "path": "a.txt", "content": format!("after {}\n", self.agents().len()) })),
                ("submit_result", json!({ "status": "completed" })),
            ],
        }
    }
}

#[async_trait]
impl Model for Script {
    fn id(&self) -> &str {
        "test:scripted"
    }

    fn account(&self) -> String {
        "A scripted model".to_owned()
    }

    async fn turn(
        &self,
        request: &TurnRequest,
        cancel: &CancellationToken,
        progress: &(dyn Fn(TurnProgress) + Send + Sync),
    ) -> Result<Turn, ModelError> {
        progress(TurnProgress::FirstByte);
        let text = request.messages[0].content.iter().filter_map(Block::as_text).collect::<String>();
        self.0.asked.lock().unwrap().push((request.agent.clone(), text));
        if self.0.hangs_at == Some(request.agent.as_str()) {
            self.0.hangs.notify_one();
            cancel.cancelled().await;
        }
        let calls = self.calls(&request.agent);
        let blocks =
            calls.iter().zip(0..).map(|((name, input), id)| Block::tool_use(&format!("c{id}"), name, input.clone()));
        Ok(Turn {
            content: blocks.collect(),
            stop_reason: StopReason::ToolUse,
            model: "scripted".to_owned(),
            usage: Usage { output_tokens: TOKENS, ..Usage::default() },
        })
    }
}
