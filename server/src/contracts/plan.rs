use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::{Handoff, lenient_timestamp, null_as_default};

/// How a task is to be done: small tasks with files of their own, and the order they may run in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanOutput {
    /// When the plan was made. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// 1 for the first plan, one more for each revision or re-plan. The server fills it.
    #[serde(default = "first_version", deserialize_with = "version")]
    #[schemars(with = "Option<u32>")]
    pub plan_version: u32,
    /// The approach in a few sentences, for a person who has to approve it.
    pub approach_summary: String,
    /// What could go wrong.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub risks: Vec<String>,
    /// The tasks, in the order a reader should meet them.
    pub tasks: Vec<Task>,
    /// Task ids by group: tasks of one group share no file, and depend on earlier groups only.
    pub parallel_groups: Vec<Vec<String>>,
}

/// One unit of work, done by one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Task {
    /// Unique within the plan: letters, digits, `.`, `_`, `-`; for example `T1`.
    pub id: String,
    /// What is done, in a line.
    pub title: String,
    /// What is done, in enough detail for an agent that sees only the plan and the files.
    pub description: String,
    /// Existing files this task changes.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_to_modify: Vec<String>,
    /// New files this task writes.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_to_create: Vec<String>,
    /// Existing files this task removes.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub files_to_delete: Vec<String>,
    /// Ids of tasks that must be done first.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub depends_on: Vec<String>,
    /// What must be true of the result, each checkable by reading the code or running it.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub acceptance_criteria: Vec<String>,
    /// Decides which model does the task.
    pub estimated_complexity: Complexity,
}

/// How hard a task is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Complexity {
    /// A mechanical edit.
    Simple,
    /// Some judgement, one place.
    Moderate,
    /// Several places or a subtle algorithm.
    Complex,
}

impl PlanOutput {
    /// The task of this id.
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }

    /// The index of the group that holds this id.
    pub fn group_of(&self, id: &str) -> Option<usize> {
        self.parallel_groups.iter().position(|group| group.iter().any(|member| member == id))
    }
}

impl Task {
    /// Every path the task may write, as the plan spells them: modified, created, deleted.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        [&self.files_to_modify, &self.files_to_create, &self.files_to_delete].into_iter().flatten().map(String::as_str)
    }
}

impl Complexity {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Moderate => "moderate",
            Self::Complex => "complex",
        }
    }
}

impl Handoff for PlanOutput {
    const NAME: &'static str = "plan";
    const FILE: &'static str = "plan.json";
    const SERVER_FILLED: &'static [&'static str] = &["timestamp", "plan_version"];
}

fn first_version() -> u32 {
    1
}

fn version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_else(first_version))
}
