//! The table of settings: each with its default, its meaning, its kind and who may set it.

use super::check::Check;
use super::dispatch::Dispatch;
use super::error::nearest;
use super::kind::{Kind, PROVIDERS};
use super::settings::{ApprovalMode, Checkpoint, Effort, ReviewValidation, SandboxMode, UserPhase};
use super::sinks::Sink;
use crate::contracts::ModelFacts;

/// One setting: the only place where it is declared.
#[derive(Debug)]
pub struct Setting {
    /// Its dotted key in files and editor settings.
    pub key: &'static str,
    /// Its default, as people read it.
    pub default: &'static str,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// Which layers may set it.
    pub scope: Scope,
    pub(super) kind: Kind,
}

/// Which layers may set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every layer.
    All,
    /// Every layer; but this value only the user's own: the user's file, the environment, flags.
    UserFor(&'static str),
    /// Every layer. It is a limit that a workspace and an editor may lower but not raise: the smaller of theirs and the
    /// user's file's, or the default, holds. The environment and flags replace all of them.
    Lowers,
    /// The user's file alone: it is about whom the user trusts.
    UserFile,
    /// The user's own layers: their file, the environment, flags. Elsewhere it is a fault.
    Users,
    /// The user's file alone, or with `environment` that too: it is about the user's own machine. Elsewhere it is ignored, with a
    /// warning at its place, so that a workspace that has it can be worked in.
    OwnMachine {
        /// Whether the environment may set it.
        environment: bool,
    },
    /// Files and editor settings: it has parts.
    Files,
    /// The environment and flags: it belongs to one start.
    Start,
}

/// Every setting, in the order in which it is listed for people.
pub fn settings_table() -> &'static [Setting] {
    &TABLE
}

/// The keys that a wrong one may mean, nearest first, three at most; none where none is near.
pub fn near_settings(wrong: &str) -> Vec<&'static str> {
    const MOST: usize = 3;
    nearest(wrong, TABLE.iter().map(|setting| setting.key), MOST)
}

/// The upper bound of a count that needs none.
const UNBOUNDED: u64 = u32::MAX as u64;

static TABLE: [Setting; 27] = [
    Setting {
        key: "memory_dir",
        default: ".agent_memory",
        doc: "The folder of handoffs and runs, inside the workspace.",
        scope: Scope::All,
        kind: Kind::Folder { set: |settings, folder| settings.memory_dir = folder },
    },
    Setting {
        key: "context_staleness_hours",
        default: "4",
        doc: "Hours after which a context is gathered again, as long as there is no plan.",
        scope: Scope::All,
        kind: Kind::Number { set: |settings, hours| settings.context_staleness_hours = hours },
    },
    Setting {
        key: "provider",
        default: "none",
        doc: "The provider whose models serve where models.* names none.",
        scope: Scope::Start,
        kind: Kind::Word { words: &PROVIDERS, set: |settings, name| settings.models.provider = Some(name.to_owned()) },
    },
    Setting {
        key: "models.fast",
        default: "none",
        doc: "The model for context and simple tasks.",
        scope: Scope::All,
        kind: Kind::Model { set: |settings, model| settings.models.fast = model },
    },
    Setting {
        key: "models.balanced",
        default: "none",
        doc: "The model for moderate and complex tasks.",
        scope: Scope::All,
        kind: Kind::Model { set: |settings, model| settings.models.balanced = model },
    },
    Setting {
        key: "models.powerful",
        default: "none",
        doc: "The model for plan and review.",
        scope: Scope::All,
        kind: Kind::Model { set: |settings, model| settings.models.powerful = model },
    },
    Setting {
        key: "effort.fast",
        default: "low",
        doc: "How long the model for context and simple tasks thinks before it answers, where it can be told.",
        scope: Scope::All,
        kind: Kind::Word { words: &Effort::WORDS, set: |settings, word| settings.effort.fast = Some(Effort::of(word)) },
    },
    Setting {
        key: "effort.balanced",
        default: "medium",
        doc: "How long the model for moderate and complex tasks thinks before it answers, where it can be told.",
        scope: Scope::All,
        kind: Kind::Word {
            words: &Effort::WORDS,
            set: |settings, word| settings.effort.balanced = Some(Effort::of(word)),
        },
    },
    Setting {
        key: "effort.powerful",
        default: "high",
        doc: "How long the model for plan and review thinks before it answers, where it can be told.",
        scope: Scope::All,
        kind: Kind::Word {
            words: &Effort::WORDS,
            set: |settings, word| settings.effort.powerful = Some(Effort::of(word)),
        },
    },
    Setting {
        key: "model_facts",
        default: "none",
        doc: "What you know of models, which goes before what Baton knows: context window, longest answer, prices.",
        scope: Scope::UserFile,
        kind: Kind::Facts { set: |settings, facts: Vec<ModelFacts>| settings.model_facts = facts },
    },
    Setting {
        key: "max_parallel_tasks",
        default: "4",
        doc: "Tasks that are implemented at once, at most.",
        scope: Scope::Lowers,
        kind: Kind::Whole { min: 1, max: 64, set: |settings, n| settings.max_parallel_tasks = n as usize },
    },
    Setting {
        key: "max_review_cycles",
        default: "3",
        doc: "Reviews that may end without an approval before you are asked.",
        scope: Scope::Lowers,
        kind: Kind::Whole { min: 1, max: UNBOUNDED, set: |settings, n| settings.max_review_cycles = n as u32 },
    },
    Setting {
        key: "max_repair_rounds",
        default: "2",
        doc: "Rounds in which agents repair what makes checks fail, before the review.",
        scope: Scope::Lowers,
        kind: Kind::Whole { min: 0, max: UNBOUNDED, set: |settings, n| settings.max_repair_rounds = n as u32 },
    },
    Setting {
        key: "budget_usd",
        default: "5",
        doc: "US dollars that a workflow may cost; it stops before it costs more.",
        scope: Scope::Lowers,
        kind: Kind::Number { set: |settings, usd| settings.budget_usd = usd },
    },
    Setting {
        key: "budget_tokens",
        default: "none",
        doc: "Tokens that a workflow may use, prompts and answers together; the limit for models without a price.",
        scope: Scope::Lowers,
        kind: Kind::Limit { set: |settings, tokens| settings.budget_tokens = tokens },
    },
    Setting {
        key: "approval",
        default: "ask",
        doc: "Who answers the gate: you (ask), or nobody (auto), so that every plan is approved but those that write protected files.",
        scope: Scope::UserFor("auto"),
        kind: Kind::Word {
            words: &["ask", "auto"],
            set: |settings, word| {
                settings.approval = if word == "auto" { ApprovalMode::Auto } else { ApprovalMode::Ask };
            },
        },
    },
    Setting {
        key: "checkpoint",
        default: "ref",
        doc: "Whether checkpoints of the files are kept in git, under refs/baton/ (ref), or not (off).",
        scope: Scope::All,
        kind: Kind::Word {
            words: &["ref", "off"],
            set: |settings, word| settings.checkpoint = if word == "off" { Checkpoint::Off } else { Checkpoint::Ref },
        },
    },
    Setting {
        key: "keep_runs",
        default: "20",
        doc: "Runs that stay in the memory folder when old ones are removed.",
        scope: Scope::Lowers,
        kind: Kind::Whole { min: 1, max: UNBOUNDED, set: |settings, n| settings.keep_runs = n as usize },
    },
    Setting {
        key: "allow_http_hosts",
        default: "none",
        doc: "Hosts that may be sent a key over plain http, each with or without a port.",
        scope: Scope::UserFile,
        kind: Kind::Hosts { set: |settings, hosts| settings.allow_http_hosts = hosts },
    },
    Setting {
        key: "checks",
        default: "none",
        doc: "Commands that build, test or lint the project; implementers may try them, and each round ends with them.",
        scope: Scope::Files,
        kind: Kind::Checks {
            set: |settings, checks: Vec<Check>| {
                settings.checks = checks;
                settings.has_set_checks = true;
            },
        },
    },
    Setting {
        key: "sandbox",
        default: "auto",
        doc: "What checks run in: a view of the workspace or the best there is instead (auto), a view or not at all (require), or nothing (off).",
        scope: Scope::UserFor("off"),
        kind: Kind::Word {
            words: &["auto", "require", "off"],
            set: |settings, word| {
                settings.sandbox = match word {
                    "require" => SandboxMode::Require,
                    "off" => SandboxMode::Off,
                    _ => SandboxMode::Auto,
                };
            },
        },
    },
    Setting {
        key: "review_validation",
        default: "serious",
        doc: "Whether another model checks critical and major findings before anything follows from them (serious), or not (off).",
        scope: Scope::All,
        kind: Kind::Word {
            words: &["serious", "off"],
            set: |settings, word| {
                settings.review_validation =
                    if word == "off" { ReviewValidation::Off } else { ReviewValidation::Serious };
            },
        },
    },
    Setting {
        key: "phases",
        default: "none",
        doc: "Further reviewing phases with prompts of your own; they only read, and the reviewer decides.",
        scope: Scope::UserFile,
        kind: Kind::Phases { set: |settings, phases: Vec<UserPhase>| settings.phases = phases },
    },
    Setting {
        key: "notify",
        default: "none",
        doc: "Your own command, run by sh when a run waits, ends or meets its budget; it reads the event as a line of JSON.",
        scope: Scope::OwnMachine { environment: false },
        kind: Kind::Command { set: |settings, command| settings.notify = command },
    },
    Setting {
        key: "sinks",
        default: "none",
        doc: "Where events are sent: web servers, commands, Redis, NATS; see server/docs/events.md.",
        scope: Scope::Users,
        kind: Kind::Sinks { set: |settings, sinks: Vec<Sink>| settings.sinks = sinks },
    },
    Setting {
        key: "dispatch",
        default: "none",
        doc: "The NATS server by which workers on other machines hold the agents' conversations; see server/docs/workers.md.",
        scope: Scope::Users,
        kind: Kind::Dispatch { set: |settings, dispatch: Option<Dispatch>| settings.dispatch = dispatch },
    },
    Setting {
        key: "bell",
        default: "on",
        doc: "Whether the terminal is rung, and shows a notification, when a run waits or ends after a while (on), or not (off).",
        scope: Scope::OwnMachine { environment: true },
        kind: Kind::Word { words: &["on", "off"], set: |settings, word| settings.bell = word == "on" },
    },
];

impl Setting {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("BATON_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// What values it takes, in a few words.
    pub fn allowed(&self) -> String {
        self.kind.allowed()
    }

    /// Whether it names a model.
    pub(super) fn is_model(&self) -> bool {
        matches!(self.kind, Kind::Model { .. })
    }

    /// Whether an empty variable turns it off. Of the others such a variable is none, for so a shell unsets it for one command.
    pub(super) fn is_off_when_empty(&self) -> bool {
        matches!(self.kind, Kind::Dispatch { .. })
    }

    /// The setting of this key.
    pub(super) fn of(key: &str) -> Option<&'static Self> {
        TABLE.iter().find(|setting| setting.key == key)
    }

    /// Whether this key is a table that holds settings.
    pub(super) fn is_table(key: &str) -> bool {
        TABLE.iter().any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
    }
}
