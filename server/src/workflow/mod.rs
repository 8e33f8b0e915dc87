//! The workflow: phases, the decision what comes next, the run loop, events and the gate.
//!
//! Invariant: the orchestrator keeps no state of its own. What comes next is decided by [`next_phase`] from the
//! files of `.agent_memory/` alone, so a run can be killed at any moment and another one goes on.

mod changes;
mod decide;
mod drive;
mod foreign;
mod gate;
mod rounds;
mod run;
mod start;
mod status;

pub use changes::checkpoints::{Cleaned, clean};
pub use changes::files::{ChangedFile, Changes, diff};
pub use changes::rollback::{RollbackOutcome, RollbackReport, RollbackRequest, RolledBack, rollback};
pub use changes::unverified::{moved, trust_moved, uncounted};
pub use decide::costs::Costs;
pub use decide::next::{FixScope, Next, Policy, next_phase};
pub use decide::phase::{CONTEXT, IMPLEMENT, PLAN, Phase, PhaseEnd, Phases, REVIEW, Table, TierRule, Titles, ToolSet};
pub use drive::ending::rejected_message;
pub use gate::ask::{Answer, Answered, NO_PLAN, answer_plan, revise_waiting_plan};
pub use gate::content::{GateCheck, GateContent, GateSources, TierModel, show_plan};
pub use rounds::issues::{dismiss_issue, restore_issue};
pub use run::editor::{Editor, EditorDiagnostics, EditorFinding, FindingLevel};
pub use run::error::{PhaseError, StartError};
pub use run::events::{EventError, EventErrorKind, EventPhase, EventStatus, PhaseEvent, WORKFLOW};
pub use run::goal::{Goal, Request};
pub use run::outcome::{Outcome, RunEnd};
pub use run::prompts::Prompts;
pub use run::question::{Approver, FaultyGate, Gate, GateAnswer, GateTask};
pub use run::shared::Run;
pub use start::engine::{Engine, RunHandle, models, open, open_store, policy, reset, start};
pub use start::memory_dir::check_memory_dir;
pub use status::doctor::{Check, CheckStatus, Doctor, doctor};
pub use status::report::{
    FaultStatus, IssueStatus, PhaseStatus, Standing, Status, StatusReader, TaskStanding, standing, standing_review,
    status,
};
pub use status::states::{IssueState, NextStep, PhaseState, TaskState};

// What the phases are made of.
pub(crate) use changes::files::real_changes;
pub(crate) use changes::publishes::{Publish, journal as publish_journal, standing as standing_publishes};
pub(crate) use foreign::work::{Elsewhere, look as look_elsewhere};
pub(crate) use gate::content::git_folders;
pub(crate) use rounds::moves::{current_or_first as current_or_first_round, empty_report};
pub(crate) use run::activity::{close_agent, report_activity, task_agent};
pub(crate) use run::editor::editor_findings;

#[cfg(test)]
pub(crate) mod fixture {
    use super::Phases;

    /// The phases of the program.
    pub(crate) fn phases() -> Phases {
        crate::phases::TABLE.with(&[])
    }
}
