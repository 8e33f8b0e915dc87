//! Where phases, tasks, issues and the workflow stand, in the words of `status --json`. Each word is written once, for serde,
//! which [`Display`](fmt::Display) uses too.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::contracts::{PhaseName, TaskStatus};
use crate::workflow::decide::next::Next;
use crate::workflow::run::phase_names::IMPLEMENT;

/// Where the workflow stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowState {
    /// There is no task.
    Fresh,
    /// There is a task, and nothing has begun.
    Ready,
    /// It can go on; its last run ended by itself.
    Paused,
    /// A run is at work.
    Running,
    /// A task waits until a person has saved a file.
    WaitingForSave,
    /// A turn of a model waits for the network or its provider.
    WaitingForNetwork,
    /// The plan waits for an answer.
    Gate,
    /// A file of the memory folder breaks its contract.
    Faulty,
    /// A run was killed.
    Interrupted,
    /// A run was stopped.
    Cancelled,
    /// A run failed.
    Failed,
    /// A person must decide.
    Escalated,
    /// The review approved, or the user accepted the work.
    Merged,
    /// All that agents wrote is undone.
    RolledBack,
    /// The plan was rejected.
    Rejected,
}

/// Where one phase stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseState {
    /// It has not begun, or is to be done again.
    Pending,
    /// It is at work.
    Running,
    /// A person is asked.
    Waiting,
    /// Its run was killed.
    Interrupted,
    /// Its handoff stands.
    Done,
    /// It ended badly.
    Failed,
    /// The user stopped it.
    Cancelled,
    /// A later phase has a result, and this one never ran.
    Skipped,
}

/// Whether where something stands is good or bad, for icons and colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// It went well.
    Good,
    /// Neither.
    Neutral,
    /// A person should look at it.
    Warning,
    /// It went wrong.
    Error,
}

/// Where one task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// It has not begun.
    Pending,
    /// It is at work.
    Running,
    /// It waits until a person has saved a file.
    Waiting,
    /// Every acceptance criterion is met.
    Completed,
    /// Some of the work is done.
    Partial,
    /// It could not be done.
    Blocked,
    /// The agent or the server failed at it.
    Failed,
    /// The approval leaves it out.
    NotApproved,
}

/// What a re-review made of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueState {
    /// Found by the last review.
    New,
    /// Open since an earlier one.
    Open,
    /// Fixed since the review before.
    Fixed,
    /// The user dismissed it.
    Dismissed,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// A person says what to do.
    Task,
    /// A phase.
    Phase(PhaseName),
    /// A person answers the plan.
    Gate,
    /// A fix round.
    Fix,
    /// A new plan that answers to the review.
    RePlan,
    /// Nothing.
    None,
}

impl From<TaskStatus> for TaskState {
    fn from(status: TaskStatus) -> Self {
        match status {
            TaskStatus::Completed => Self::Completed,
            TaskStatus::Partial => Self::Partial,
            TaskStatus::Blocked => Self::Blocked,
            TaskStatus::Failed => Self::Failed,
        }
    }
}

impl From<&Next> for NextStep {
    fn from(next: &Next) -> Self {
        match next {
            Next::NeedTask => Self::Task,
            Next::Phase(name) => Self::Phase(*name),
            Next::Gate => Self::Gate,
            Next::EnterRound | Next::Repair(_) | Next::Failed { .. } => Self::Phase(IMPLEMENT),
            Next::Fix(_) => Self::Fix,
            Next::RePlan => Self::RePlan,
            Next::Merged | Next::Rejected | Next::Escalated { .. } => Self::None,
        }
    }
}

impl fmt::Display for WorkflowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for PhaseState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for IssueState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for NextStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Serialize for NextStep {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Task => "task",
            Self::Phase(phase) => phase.as_str(),
            Self::Gate => "gate",
            Self::Fix => "fix",
            Self::RePlan => "re_plan",
            Self::None => "none",
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::workflow::REVIEW;

    #[test]
    fn the_words_for_people_are_those_of_the_json() {
        let states = [PhaseState::Pending, PhaseState::Interrupted, PhaseState::Cancelled];
        assert_eq!(json!(states), json!(["pending", "interrupted", "cancelled"]));
        assert_eq!(states.map(|state| state.to_string()), ["pending", "interrupted", "cancelled"]);
        assert_eq!(format!("{:<8}|{:>6}|", TaskState::Blocked, IssueState::New), "blocked |   new|");
        let steps = [NextStep::Task, NextStep::Phase(IMPLEMENT), NextStep::RePlan, NextStep::None];
        assert_eq!(json!(steps), json!(["task", "implement", "re_plan", "none"]));
        assert_eq!(NextStep::Phase(REVIEW).to_string(), "review");
    }

    #[test]
    fn a_result_is_called_in_the_status_as_in_the_report() {
        for status in [TaskStatus::Completed, TaskStatus::Partial, TaskStatus::Blocked, TaskStatus::Failed] {
            assert_eq!(json!(TaskState::from(status)), json!(status));
        }
    }
}
