use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Handoff, lenient_timestamp, null_as_default};
use crate::text::safe_line;

/// What the implement phase did, task by task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImplReport {
    /// When the report was written. The server fills it.
    #[serde(default, deserialize_with = "lenient_timestamp")]
    #[schemars(with = "Option<String>")]
    pub timestamp: Option<Timestamp>,
    /// The implement round it reports on, from 1. The server fills it.
    #[serde(default = "super::round::first_round", deserialize_with = "super::round::round_number")]
    #[schemars(with = "Option<u32>")]
    pub round: u32,
    /// Version of the plan that was implemented. The server fills it.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<u32>")]
    pub plan_version: u32,
    /// SHA-256 of plan.json's bytes, in hex. The server fills it.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub plan_sha256: String,
    /// A result for every task that ran.
    pub results: Vec<TaskResult>,
    /// What the user's own checks said.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<CheckResult>>")]
    pub checks: Vec<CheckResult>,
}

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskResult {
    /// The task's id in the plan. The server fills it.
    #[serde(default)]
    pub task_id: String,
    /// The files it changed since the workflow began; kinds and counts come from the real diff.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<FileChange>>")]
    pub changes: Vec<FileChange>,
    /// What the reviewer should know.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub notes: String,
    /// What kept the task from being whole, refused writes among it.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<Vec<String>>")]
    pub blockers: Vec<String>,
    /// How it ended.
    pub status: TaskStatus,
    /// The attempts, where a second model was asked. The server fills it.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<Attempt>>")]
    pub attempts: Vec<Attempt>,
}

impl TaskResult {
    /// `T1 took 2 attempts: anthropic:claude-haiku-5-5 (failed), anthropic:claude-sonnet-5-5 (completed)`; `None` of a task that
    /// took one.
    pub fn attempts_words(&self) -> Option<String> {
        (self.attempts.len() > 1).then(|| {
            let told: Vec<String> = self.attempts.iter().map(Attempt::words).collect();
            format!("{} took {} attempts: {}", safe_line(&self.task_id), told.len(), told.join(", "))
        })
    }
}

/// One attempt at a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// `fast`, `balanced` or `powerful`.
    pub tier: String,
    /// `provider:name`.
    pub model: String,
    /// How it ended.
    pub status: TaskStatus,
}

impl Attempt {
    /// An attempt by this model.
    pub fn new(tier: &str, model: &str, status: TaskStatus) -> Self {
        Self { tier: tier.to_owned(), model: model.to_owned(), status }
    }

    /// `anthropic:claude-haiku-5-5 (failed)`.
    pub fn words(&self) -> String {
        format!("{} ({})", safe_line(&self.model), self.status.as_str())
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// Every acceptance criterion is met.
    Completed,
    /// Some of the work is done; notes say what is missing.
    Partial,
    /// It could not be done; blockers say why.
    Blocked,
    /// The agent or the server failed at it.
    Failed,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FileChange {
    /// Path relative to the workspace root.
    pub path: String,
    /// What happened to it. The server takes it from the real diff.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<ChangeType>")]
    pub change_type: ChangeType,
    /// What was changed, in the agent's words; may be empty.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub summary: String,
    /// Lines added. The server counts them.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<u32>")]
    pub lines_added: u32,
    /// Lines removed. The server counts them.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<u32>")]
    pub lines_removed: u32,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChangeType {
    /// It did not exist before.
    Created,
    /// It exists before and after.
    #[default]
    Modified,
    /// It exists no more.
    Deleted,
}

/// What one of the user's checks said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Its name in the settings.
    pub name: String,
    /// The shell command.
    pub command: String,
    /// How it ended.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<CheckState>")]
    pub state: CheckState,
    /// Its exit code; null when it has none: it was skipped, timed out or was killed.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Why it was skipped, could not run or is not repaired again: `untrusted`, `paths`, `sandbox`, `cancelled` (it had not
    /// ended when the run was stopped, and runs when it goes on), or a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How it ends on the files as they were before the workflow; null where nobody had to know.
    #[serde(default)]
    pub base: Option<BaseState>,
    /// What kept it from everything else.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<SandboxLevel>")]
    pub sandbox: SandboxLevel,
    /// How long it took, in milliseconds.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<u64>")]
    pub elapsed_ms: u64,
    /// Path of its log, relative to the memory folder; empty where there is none.
    #[serde(default, deserialize_with = "null_as_default")]
    #[schemars(with = "Option<String>")]
    pub log: String,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Exit code 0.
    Passed,
    /// Another exit code.
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// It was ended by a signal.
    Killed,
    /// The shell did not find the command.
    NotFound,
    /// It did not run.
    #[default]
    Skipped,
}

/// How a check ends on the files as they were before the workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BaseState {
    /// It passes: what fails now fails because of the workflow.
    Passed,
    /// It fails there too.
    Failed,
    /// It could not be found out.
    Unknown,
}

/// What keeps a check from everything else on the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SandboxLevel {
    /// Namespaces of its own, and a copy of the workspace on write.
    View,
    /// Its writes are confined.
    Landlock,
    /// Nothing.
    #[default]
    None,
}

impl ImplReport {
    /// The result of the task of this id.
    pub fn result_of(&self, task: &str) -> Option<&TaskResult> {
        self.results.iter().find(|result| result.task_id == task)
    }

    /// The results of tasks that failed or are blocked.
    pub fn failed(&self) -> impl Iterator<Item = &TaskResult> {
        self.results.iter().filter(|result| result.status.has_failed())
    }

    /// The results that others can build on.
    pub fn done(&self) -> impl Iterator<Item = &TaskResult> {
        self.results.iter().filter(|result| result.status.is_done())
    }

    /// Whether the task of this id has a result that others can build on.
    pub fn is_done(&self, task: &str) -> bool {
        self.done().any(|result| result.task_id == task)
    }

    /// What the check of this name and command said; `None` while it did not run to its end on these results.
    pub fn check(&self, name: &str, command: &str) -> Option<&CheckResult> {
        let is_it = |check: &&CheckResult| check.name == name && check.command == command;
        self.checks.iter().find(is_it).filter(|check| !check.is_unfinished())
    }

    /// Those of these tasks that have no result yet, in their order.
    pub fn pending(&self, tasks: Vec<String>) -> Vec<String> {
        tasks.into_iter().filter(|task| self.result_of(task).is_none()).collect()
    }
}

impl TaskStatus {
    /// Whether the task left something that others can build on.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Completed | Self::Partial)
    }

    /// Whether the task has to be tried again.
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Failed | Self::Blocked)
    }

    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Partial => "partial",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
        }
    }
}

/// The beginning of the reason of a check that is not repaired again: the round that was to do so changed nothing.
pub const REPAIR_CHANGED_NOTHING: &str = "the repair changed nothing";

/// The reason of a check that had not ended when the run was stopped.
pub const CHECK_CANCELLED: &str = "cancelled";

/// The reason of a check that nobody had trusted.
pub const CHECK_UNTRUSTED: &str = "untrusted";

impl CheckResult {
    /// Whether it ran and did not pass.
    pub fn has_failed(&self) -> bool {
        !matches!(self.state, CheckState::Passed | CheckState::Skipped)
    }

    /// Whether it did not run.
    pub fn is_skipped(&self) -> bool {
        self.state == CheckState::Skipped
    }

    /// Whether it had not ended when the run was stopped.
    pub fn is_unfinished(&self) -> bool {
        self.is_skipped() && self.reason.as_deref() == Some(CHECK_CANCELLED)
    }

    /// Whether it was skipped because nobody had trusted it.
    pub fn is_untrusted(&self) -> bool {
        self.is_skipped() && self.reason.as_deref() == Some(CHECK_UNTRUSTED)
    }

    /// Whether it fails now and did not fail before the workflow, as far as anyone knows.
    pub fn is_broken(&self) -> bool {
        self.has_failed() && self.base != Some(BaseState::Failed)
    }

    /// Whether agents are to repair what it found. They cannot install a command that is missing, and are not asked again
    /// after a repair that changed nothing: its reason says so.
    pub fn wants_repair(&self) -> bool {
        let is_missing = self.state == CheckState::NotFound && self.base != Some(BaseState::Passed);
        let is_given_up = self.reason.as_ref().is_some_and(|reason| reason.starts_with(REPAIR_CHANGED_NOTHING));
        self.is_broken() && !is_missing && !is_given_up
    }
}

impl CheckState {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Killed => "killed",
            Self::NotFound => "not_found",
            Self::Skipped => "skipped",
        }
    }
}

impl SandboxLevel {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Landlock => "landlock",
            Self::None => "none",
        }
    }
}

impl ChangeType {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
        }
    }
}

impl Handoff for ImplReport {
    const NAME: &'static str = "impl_report";
    const FILE: &'static str = "impl_report.json";
    const SERVER_FILLED: &'static [&'static str] = &["timestamp", "round", "plan_version", "plan_sha256", "checks"];

    fn complete(mut value: Value, assume: &mut dyn FnMut(String, String)) -> Value {
        let results = value.get_mut("results").and_then(Value::as_array_mut);
        for (index, result) in results.into_iter().flatten().enumerate() {
            let changes = result.get_mut("changes").and_then(Value::as_array_mut);
            for (at, change) in changes.into_iter().flatten().enumerate() {
                if let Value::String(path) = change {
                    assume(
                        format!("/results/{index}/changes/{at}"),
                        "a path alone was taken as a change to it".to_owned(),
                    );
                    *change = json!({ "path": path });
                }
            }
        }
        value
    }
}

/// Of the report, an implementer submits one [`TaskResult`]; it is never a file of its own.
impl Handoff for TaskResult {
    const NAME: &'static str = "task_result";
    const FILE: &'static str = "impl_report.json";
    const SERVER_FILLED: &'static [&'static str] =
        &["task_id", "changes.change_type", "changes.lines_added", "changes.lines_removed", "attempts"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_done_or_has_failed_and_a_task_without_one_is_pending() {
        let result = |(task, status): (&str, &str)| json!({ "task_id": task, "status": status });
        let results = [("T1", "completed"), ("T2", "partial"), ("T3", "blocked"), ("T4", "failed")].map(result);
        let report: ImplReport = serde_json::from_value(json!({ "results": results })).unwrap();
        let done: Vec<&str> = report.done().map(|result| result.task_id.as_str()).collect();
        assert_eq!(done, ["T1", "T2"]);
        let failed: Vec<&str> = report.failed().map(|result| result.task_id.as_str()).collect();
        assert_eq!(failed, ["T3", "T4"]);
        assert!(report.is_done("T2") && !report.is_done("T3") && !report.is_done("T5"));
        let asked = ["T6", "T1", "T5", "T4"].map(str::to_owned).to_vec();
        assert_eq!(report.pending(asked), ["T6", "T5"]);
    }

    #[test]
    fn states_and_changes_are_called_as_in_the_json() {
        for status in [TaskStatus::Completed, TaskStatus::Partial, TaskStatus::Blocked, TaskStatus::Failed] {
            assert_eq!(json!(status), status.as_str());
        }
        for change in [ChangeType::Created, ChangeType::Modified, ChangeType::Deleted] {
            assert_eq!(json!(change), change.as_str());
        }
        let ran = [CheckState::Passed, CheckState::Failed, CheckState::TimedOut, CheckState::Killed];
        for state in ran.into_iter().chain([CheckState::NotFound, CheckState::Skipped]) {
            assert_eq!(json!(state), state.as_str());
        }
        for level in [SandboxLevel::View, SandboxLevel::Landlock, SandboxLevel::None] {
            assert_eq!(json!(level), level.as_str());
        }
    }
}
