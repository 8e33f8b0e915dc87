use async_trait::async_trait;

use crate::contracts::{Complexity, PlanOutput, Usage};

/// What a person is shown before anything is written.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The run that asks.
    pub run: String,
    /// The user's task.
    pub task: String,
    /// The plan to answer.
    pub plan: PlanOutput,
    /// SHA-256 of plan.json's bytes, in hex: what an approval binds to.
    pub plan_sha256: String,
    /// Each task as it will run.
    pub tasks: Vec<GateTask>,
    /// The plan rendered for people.
    pub markdown: String,
    /// Protected files the plan would write; only a person can approve those.
    pub protected: Vec<String>,
    /// Files that run code when the project is built.
    pub flagged: Vec<String>,
    /// What the workflow has used so far.
    pub usage: Usage,
    /// What implementing and reviewing may cost, in US dollars, as a range; `None` without prices.
    pub estimate_usd: Option<(f64, f64)>,
    /// plan.md and plan.json, relative to the workspace root.
    pub plan_md: String,
    /// See `plan_md`.
    pub plan_json: String,
    /// What a person should know besides: what counts as absent, and what was done elsewhere.
    pub warnings: Vec<String>,
}

/// One task as the gate shows it.
#[derive(Debug, Clone)]
pub struct GateTask {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its complexity, shown as a badge.
    pub complexity: Complexity,
    /// Every file it may write.
    pub files: Vec<String>,
    /// Ids it waits for.
    pub depends_on: Vec<String>,
}

/// A person's answer at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateAnswer {
    /// Go on, with all tasks or only these.
    Approve {
        /// Ids, or `None` for all.
        tasks: Option<Vec<String>>,
    },
    /// Plan again with these words.
    Revise {
        /// What should be different.
        feedback: String,
    },
    /// plan.json was edited: read it again and ask again.
    Edited,
    /// Stop.
    Reject,
    /// Nobody answers here; the workflow waits for `baton approve`.
    Wait,
}

/// Asks a person. The engine may drop the question (an approval came from elsewhere, the run was cancelled); an
/// implementation takes its prompt away then.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Put the gate before a person and wait for the answer.
    async fn ask(&self, gate: &Gate) -> GateAnswer;
}
