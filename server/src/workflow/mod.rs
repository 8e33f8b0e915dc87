//! The workflow: how a task goes through the phases.
//!
//! Invariants: the engine keeps no state of its own. What comes next is decided by [`next_phase`] from the files of
//! `.agent_memory/` alone, so a run can be killed at any moment and another one continues. Nothing here knows a client or
//! which phases there are; both are given.
//!
//! The sub-rooms import in one direction: `run`, `decide` and `changes`, `checks`, `foreign`, `gate`, `drive`, `start`, `dispatch`,
//! `status`, `log`.

mod changes;
mod checks;
mod decide;
mod dispatch;
mod drive;
mod foreign;
mod gate;
mod log;
mod run;
mod start;
mod status;

pub use changes::before_image::{BeforeImage, BeforeImages};
pub use changes::checkpoints::{Cleaned, clean, lost_events};
pub use changes::files::{ChangedFile, Changes, changes, diff};
pub use changes::hunks::{FileHunks, Hunk, Hunks};
pub use changes::keep::keep;
pub use changes::rollback::rollback;
pub use changes::rolled_back::{KeptIn, RollbackNote, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack};
pub use changes::undone::undone;
pub use changes::unverified::{moved_seals, trust_moved, unverified};
pub use decide::accept::is_accepted;
pub use decide::dismiss::{dismiss_issues, restore_issues};
pub use decide::next::{FixScope, Next, RepairScope, next_phase};
pub use dispatch::{WorkerFault, WorkerOptions, WorkerSeen, connect_dispatch, look_at_workers, serve_worker};
pub use gate::answer::{Answer, Answered, NO_PLAN, answer_plan, revise_waiting_plan};
pub use gate::checks::{ChecksAnswered, WaitingChecks, answer_checks, waiting_checks};
pub use gate::content::{GateSources, show_plan};
pub use gate::notes::{NO_NOTES, left_notes};
pub use gate::skipped::can_run_skipped;
pub use log::{LogBlock, RunEvents, RunLog, run_log, waits_for};
pub use run::costs::{Costs, Priced};
pub use run::dispatch::Local;
pub use run::editor::{Editor, EditorDiagnostics, EditorFinding, FindingLevel};
pub use run::end::RunEnd;
pub use run::error::{PhaseError, StartError};
pub use run::events::{EventError, EventErrorKind, EventPhase, EventStatus, FailureCause, PhaseEvent, WORKFLOW};
pub use run::goal::{Goal, Request};
pub use run::outcome::Outcome;
pub use run::phase::Policy;
pub use run::phase::{Conversation, Dispatcher, Run};
pub use run::phase::{Phase, Phases, Table};
pub use run::phase_kinds::{PhaseEnd, TierRule, Titles, ToolSet};
pub use run::phase_names::{CONTEXT, IMPLEMENT, PLAN, QUICK, REVIEW};
pub use run::prompts::Prompts;
pub use run::question::{Approver, CheckAnswer, FaultyGate, Gate, GateAnswer, GateNotes, GateTask};
pub use run::question::{GateContent, PreviousVersion, TierModel};
pub use start::cancel::{CancelRequest, request_cancel};
pub use start::engine::{Engine, models, open, open_store};
pub use start::launch::{RunHandle, needs_model, start};
pub use start::memory_dir::check_memory_dir;
pub use start::notify::Notices;
pub use start::reset::reset;
pub use start::sinks::{Flushed, flush_events};
pub use start::tell::{ToldTo, tell};
pub use status::doctor::{Check, CheckStatus, Doctor, ModelInForce, SettingInForce, doctor};
pub use status::doctor::{setting_without_secrets, shown_setting};
pub use status::history::{PastWorkflow, history};
pub use status::proof::{CheckRow, CriterionStatus};
pub use status::report::{BaseReviewStatus, FaultStatus, Standing, Status, StatusReader, standing, status};
pub use status::reviewed::ReviewStatus;
pub use status::rows::{IssueStatus, PhaseStatus, TaskStanding};
pub use status::standing::{open_criteria, standing_criteria, standing_review};
pub use status::states::{IssueState, NextStep, PhaseState, TaskState, Tone, WorkflowState};
pub use status::ways_on::{WayOn, WayOnId};

// What the phases are made of.
pub(crate) use changes::files::real_changes;
pub(crate) use changes::publishes::{Publish, in_effect as publishes_in_effect, journal as publish_journal};
pub(crate) use checks::round::check_round;
pub(crate) use checks::tried_words;
pub(crate) use checks::tries::Tries;
pub(crate) use checks::words as check_words;
pub(crate) use decide::rounds::{empty_report, ensure_round};
pub(crate) use foreign::find::{changed_elsewhere, foreign_work};
pub(crate) use foreign::work::ForeignWork;
pub(crate) use gate::content::git_folders;
pub(crate) use run::activity::{close_agent, report_activity, task_agent};
pub(crate) use run::costs::attempt_cost;
pub(crate) use run::dispatch::hold;

#[cfg(test)]
pub(crate) mod fixture {
    use super::Phases;
    pub(crate) use super::status::tests::situations;

    /// The phases of the program.
    pub(crate) fn phases() -> Phases {
        crate::phases::TABLE.with(&[])
    }
}
