//! The effective settings, as the rest of the crate sees them.

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::dispatch::Dispatch;
use super::sinks::Sink;
use crate::contracts::ModelFacts;

/// Every setting with its effective value.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The memory folder, relative to the workspace root.
    pub memory_dir: String,
    /// Hours after which a context without a plan is gathered again.
    pub context_staleness_hours: f64,
    /// Which model serves which tier.
    pub models: ModelChoice,
    /// Tasks that may run at once, 1 to 64.
    pub max_parallel_tasks: usize,
    /// Reviews that may end without an approval before a person is asked.
    pub max_review_cycles: u32,
    /// Repair rounds after failing checks.
    pub max_repair_rounds: u32,
    /// US dollars a workflow may cost.
    pub budget_usd: f64,
    /// Tokens a workflow may use, for models without a price.
    pub budget_tokens: Option<u64>,
    /// Who answers the gate.
    pub approval: ApprovalMode,
    /// Whether checkpoints are kept in git.
    pub checkpoint: Checkpoint,
    /// Runs kept in the memory folder.
    pub keep_runs: usize,
    /// Hosts that may be sent a key over plain http, in lower case, each with or without a port.
    pub allow_http_hosts: Vec<String>,
    /// The user's own checks.
    pub checks: Vec<Check>,
    /// Whether a file or the editor sets `checks`, be it to none.
    pub has_set_checks: bool,
    /// What checks are kept from the rest of the machine by.
    pub sandbox: SandboxMode,
    /// Which findings of a review another model looks at.
    pub review_validation: ReviewValidation,
    /// The user's own reviewing phases, each after the one that its `after` names.
    pub phases: Vec<UserPhase>,
    /// How long the models of each tier think.
    pub effort: EffortChoice,
    /// What the user says of models.
    pub model_facts: Vec<ModelFacts>,
    /// The user's own command, for `sh -c`, that is told when a run waits, ends or meets its budget.
    pub notify: Option<String>,
    /// Where events are sent.
    pub sinks: Vec<Sink>,
    /// Where workers elsewhere take conversations from; `None` has them held in this process.
    pub dispatch: Option<Dispatch>,
    /// Whether the terminal is rung when a run waits, or ends after a while.
    pub bell: bool,
}

/// `provider:name` for each tier; `None` is the provider's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelChoice {
    /// Context, and simple tasks.
    pub fast: Option<String>,
    /// Moderate and complex tasks.
    pub balanced: Option<String>,
    /// Plan and review.
    pub powerful: Option<String>,
    /// The provider to take defaults from (`--provider`, `BATON_PROVIDER`).
    pub provider: Option<String>,
}

/// How long the models of each tier think before they answer, where they can be told; `None` is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EffortChoice {
    /// Context, and simple tasks.
    pub fast: Option<Effort>,
    /// Moderate and complex tasks.
    pub balanced: Option<Effort>,
    /// Plan and review.
    pub powerful: Option<Effort>,
}

/// How long a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Shortly.
    Low,
    /// As long as most work needs.
    Medium,
    /// As long as it takes.
    High,
}

/// Who answers the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalMode {
    /// A person.
    Ask,
    /// The workflow itself, except for plans with protected files.
    Auto,
}

/// Whether checkpoints are kept in git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checkpoint {
    /// Under `refs/baton/`.
    Ref,
    /// Not at all.
    Off,
}

/// What checks are kept from the rest of the machine by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxMode {
    /// By the best there is here.
    Auto,
    /// By a view, or they do not run.
    Require,
    /// By nothing.
    Off,
}

/// Which findings of a review another model looks at before anything follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReviewValidation {
    /// Critical and major ones.
    Serious,
    /// None.
    Off,
}

/// A reviewing phase that the user added. It reads, reports issues, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPhase {
    /// Its name, as in events, diagnostic codes and its handoff `<name>.json`: `[a-z][a-z0-9-]{0,31}`.
    pub name: String,
    /// The phase it follows: `implement`, or one of the user's that stands before it.
    pub after: String,
    /// The text of its prompt, at most 64 KB and not empty.
    pub prompt: String,
    /// Which model it uses.
    pub tier: PhaseTier,
}

/// The tier of a phase that the user added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PhaseTier {
    /// `models.fast`.
    Fast,
    /// `models.balanced`.
    #[default]
    Balanced,
    /// `models.powerful`.
    Powerful,
}

impl PhaseTier {
    /// The word used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Balanced => "balanced",
            Self::Powerful => "powerful",
        }
    }
}

impl Effort {
    /// Every word used in settings, from the shortest thought to the longest.
    pub const WORDS: [&'static str; 3] = ["low", "medium", "high"];

    /// The effort of one of these words; `medium` for any other.
    pub(super) fn of(word: &str) -> Self {
        match word {
            "low" => Self::Low,
            "high" => Self::High,
            _ => Self::Medium,
        }
    }

    /// The word used in settings.
    pub fn as_str(self) -> &'static str {
        let [low, medium, high] = Self::WORDS;
        match self {
            Self::Low => low,
            Self::Medium => medium,
            Self::High => high,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_dir: ".agent_memory".to_owned(),
            context_staleness_hours: 4.0,
            models: ModelChoice::default(),
            max_parallel_tasks: 4,
            max_review_cycles: 3,
            max_repair_rounds: 2,
            budget_usd: 5.0,
            budget_tokens: None,
            approval: ApprovalMode::Ask,
            checkpoint: Checkpoint::Ref,
            keep_runs: 20,
            allow_http_hosts: Vec::new(),
            checks: Vec::new(),
            has_set_checks: false,
            sandbox: SandboxMode::Auto,
            review_validation: ReviewValidation::Serious,
            phases: Vec::new(),
            effort: EffortChoice::default(),
            model_facts: Vec::new(),
            notify: None,
            sinks: Vec::new(),
            dispatch: None,
            bell: true,
        }
    }
}
