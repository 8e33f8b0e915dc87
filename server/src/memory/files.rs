//! The names of the files in a memory folder that are no handoffs. Those of the phases come from the registry
//! (`contracts::Handoffs`) that a store is opened with.

/// The task in the user's words.
pub const TASK: &str = "task.md";
/// The plan as people read it.
pub const PLAN_MARKDOWN: &str = "plan.md";
/// There while context and plan are made in one conversation, or were.
pub const QUICK_MARK: &str = "quick.md";
/// In an entry of `history/`: what the user wants changed about the plan in that entry. In the memory folder: where the
/// user writes it.
pub(super) const FEEDBACK: &str = "feedback.md";
/// How far each sink has come with the events.
pub(super) const SINKS: &str = "sinks";
pub(super) const RUNS: &str = "runs";
/// In the folder of a run: another process asks to stop it.
pub(super) const CANCEL: &str = "cancel";
/// In the folder of a run that reviews against a commit: the id of that commit.
pub(super) const BASE: &str = "base";
/// In the folder of a run that rolls an earlier workflow back: the id of that workflow.
pub(super) const ROLLS_BACK: &str = "rolls_back";
