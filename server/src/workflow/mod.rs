//! The workflow: phases, the decision what comes next, the run loop, events and the gate.
//!
//! Invariant: the orchestrator keeps no state of its own. What comes next is decided by [`next_phase`] from the
//! files of `.agent_memory/` alone, so a run can be killed at any moment and another one goes on.

mod activity;
mod approval;
mod base_review;
mod beginning;
mod changes;
mod checkpoints;
mod doctor;
mod drive;
mod editor;
mod elsewhere;
mod ending;
mod engine;
mod error;
mod estimate;
mod events;
mod gate;
mod gate_content;
mod goal;
mod issues;
mod memory_dir;
mod next;
mod outcome;
mod phase;
mod prompts;
mod published;
mod recover;
mod rollback;
mod rounds;
mod run;
mod states;
mod status;
mod uncounted;

pub use approval::{Answer, Answered, NO_PLAN, answer_plan, revise_waiting_plan};
pub use changes::{ChangedFile, Changes, diff};
pub use checkpoints::{Cleaned, clean};
pub use doctor::{Check, CheckStatus, Doctor, doctor};
pub use editor::{Editor, EditorDiagnostics, EditorFinding, FindingLevel};
pub use ending::rejected_message;
pub use engine::{Engine, RunHandle, models, open, open_store, policy, reset, start};
pub use error::{PhaseError, StartError};
pub use estimate::Costs;
pub use events::{EventError, EventErrorKind, EventPhase, EventStatus, PhaseEvent, WORKFLOW};
pub use gate::{Approver, FaultyGate, Gate, GateAnswer, GateTask};
pub use gate_content::{GateCheck, GateContent, GateSources, TierModel, show_plan};
pub use goal::{Goal, Request};
pub use issues::{dismiss_issue, restore_issue};
pub use memory_dir::check_memory_dir;
pub use next::{FixScope, Next, Policy, next_phase};
pub use outcome::{Outcome, RunEnd};
pub use phase::{CONTEXT, IMPLEMENT, PLAN, Phase, PhaseEnd, Phases, REVIEW, Table, TierRule, Titles, ToolSet};
pub use prompts::Prompts;
pub use rollback::{RollbackOutcome, RollbackReport, RollbackRequest, RolledBack, rollback};
pub use run::Run;
pub use states::{IssueState, NextStep, PhaseState, TaskState};
pub use status::{
    FaultStatus, IssueStatus, PhaseStatus, Standing, Status, StatusReader, TaskStanding, standing, standing_review,
    status,
};
pub use uncounted::{moved, trust_moved, uncounted};

// What the phases are made of.
pub(crate) use activity::{close_agent, report_activity, task_agent};
pub(crate) use changes::real_changes;
pub(crate) use editor::editor_findings;
pub(crate) use elsewhere::{Elsewhere, look as look_elsewhere};
pub(crate) use gate_content::git_folders;
pub(crate) use published::{Publish, journal as publish_journal, standing as standing_publishes};
pub(crate) use rounds::{current_or_first as current_or_first_round, empty_report};

#[cfg(test)]
pub(crate) mod fixture {
    use super::Phases;

    /// The phases of the program.
    pub(crate) fn phases() -> Phases {
        crate::phases::TABLE.with(&[])
    }
}
