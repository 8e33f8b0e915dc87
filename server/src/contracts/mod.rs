//! The handoffs: what one phase writes to `.agent_memory/` and the next one reads.
//!
//! Every type here is a serde type with a JSON Schema derived from it. A handoff is read by [`read`], which reports
//! *every* fault of the text, each with its place, so that a person sees diagnostics and a model sees what to fix.
//!
//! Invariant: this module imports nothing of the crate but `text`. Whatever a rule needs from outside (does this file
//! exist?) comes in as an argument.

mod acceptance;
mod approval;
mod as_meant;
mod context;
mod dismissed;
mod fault;
mod file_glob;
mod file_keys;
mod findings;
mod fingerprint;
mod gate_facts;
mod handoffs;
mod limits;
mod model_facts;
mod phase_name;
mod plain_json;
mod plan;
mod plan_changes;
mod plan_markdown;
mod plan_notes;
mod plan_results;
mod plan_rules;
mod proof;
mod quick;
mod quote;
mod repo_path;
mod report;
mod review;
mod round;
mod schema;
mod shown;
mod usage;

pub use acceptance::Acceptance;
pub use approval::{Approval, ApprovedBy, Decision};
pub use context::{ContextOutput, Dependency, Relevance, RelevantFile, TaskSize, joined_ranges};
pub use dismissed::{Dismissal, Dismissed};
pub use fault::{Fault, JsonText, Position};
pub use file_glob::{BadGlob, FileGlob};
pub use file_keys::{FileKeys, name_key};
pub use findings::Findings;
pub use fingerprint::{FINGERPRINT, fingerprints};
pub use gate_facts::{Estimate, FlaggedFile, GateCheck, GateFacts, OfferedCheck, ProtectedFile, Spending};
pub use handoffs::{FindingsReader, HandoffFile, HandoffJson, Handoffs, PhaseFiles};
pub use limits::{
    MAX_BECAUSE_BYTES, MAX_COMMAND_BYTES, MAX_EVENT_BYTES, MAX_EVENT_LINE_BYTES, MAX_EVENTS, MAX_FAULTS,
    MAX_HANDOFF_BYTES, MAX_JSON_DEPTH, MAX_JSON_VALUES, MAX_MANIFEST_BYTES, MAX_MARKDOWN_BYTES, MAX_NOTE_BYTES,
    MAX_PACK_BLOBS, MAX_PACK_BYTES, MAX_PACK_LINE_BYTES, MAX_PHASE_PROMPT_BYTES, MAX_PLAN_NOTES_BYTES,
    MAX_PROMPT_BYTES, MAX_SETTINGS, MAX_SINKS, MAX_TASKS, MAX_TELL_BYTES, MAX_TELL_LINE_BYTES, MAX_TEXT_BYTES,
    MAX_TREE_BYTES, MAX_TREE_FILE_BYTES, MAX_TREE_FILES, MAX_TURN_LINE_BYTES, MAX_USER_PHASES, over_limit, too_large,
};
pub use model_facts::ModelFacts;
pub use phase_name::PhaseName;
pub use plan::{Complexity, PlanOutput, Task};
pub use plan_changes::PlanChanges;
pub use plan_markdown::{plan_markdown, plan_markdown_with_results};
pub use plan_notes::{PlanNote, notes_as_feedback, plan_notes, with_notes_of, without_notes};
pub use plan_results::PlanResults;
pub use plan_rules::{PathKind, PlanStage, check_plan, is_task_id, plan_layers};
pub use proof::CriteriaCount;
pub use quick::{MAX_QUICK_FILES, QuickOutput};
pub use quote::find_quote;
pub use repo_path::{RepoPath, RepoPathError};
pub use report::{
    Attempt, BaseState, CHECK_CANCELLED, CHECK_UNTRUSTED, ChangeType, CheckResult, CheckState, FileChange, ImplReport,
    REPAIR_CHANGED_NOTHING, SandboxLevel, TaskResult, TaskStatus,
};
pub use review::{
    Answer, AnswerState, BaseReview, CriterionResult, CriterionState, Evidence, Issue, Recommended, RecommendedAction,
    Refuted, ReviewOutput, Severity, Verdict, issue_id, short_commit,
};
pub use round::{Round, RoundKind};
pub use schema::{Assumptions, Handoff, json_value, parse, read, read_noted, schema_of, submit_schema};
pub use shown::safe_values;
pub use usage::Usage;
