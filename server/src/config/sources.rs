//! What settings are read from: the layers, and the texts and values of each.

use std::path::PathBuf;

use super::error::Location;
use super::settings::{ApprovalMode, PhaseTier};

/// The workspace's file, in its root.
pub const WORKSPACE_FILE: &str = "baton.toml";

/// The user's file, in the configuration folder of XDG.
pub const USER_FILE: &str = "baton/config.toml";

/// Variables with the prefix of settings that are none: the transcript of the `replay` provider, the log filter, how
/// patient the network is, for slow model servers (and for tests of it), which keys the editor keeps, the key that
/// events are signed with, and the one that a run shares with workers.
pub const NOT_SETTINGS: [&str; 9] = [
    "BATON_REPLAY",
    "BATON_LOG",
    "BATON_RETRY_BASE",
    "BATON_IDLE_TIMEOUT",
    "BATON_ANSWER_TIMEOUT",
    "BATON_EDITOR_KEYS",
    "BATON_SINK_KEY",
    "BATON_BUS_KEY",
    "BATON_ACK_WAIT",
];

/// What may hold settings, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Built in.
    Default,
    /// The workspace's `baton.toml`: as trusted as the repository it came with.
    Workspace,
    /// The user's own `baton/config.toml`.
    User,
    /// What the editor sends, already merged with the workspace's own editor settings: as trusted as those.
    Editor,
    /// `BATON_…`.
    Environment,
    /// The command line.
    Flags,
}

/// Where an effective value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The layer that won.
    pub layer: Layer,
    /// Where in it.
    pub place: Location,
}

/// The text of a settings file and the name messages give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFile {
    /// How messages name the file.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The user's settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile {
    /// The file.
    pub file: TomlFile,
    /// Its folder, from which paths in it are named.
    pub folder: PathBuf,
}

/// Settings given on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--provider`.
    pub provider: Option<String>,
    /// `--auto-approve`.
    pub approval: Option<ApprovalMode>,
    /// `--model TIER=ID`, at most one of each tier. Without a provider in it, it is one of `provider`.
    pub models: Vec<(PhaseTier, String)>,
    /// `--budget`, in US dollars.
    pub budget_usd: Option<String>,
    /// `--dispatch`; an empty one turns it off.
    pub dispatch: Option<String>,
}

/// Every layer above the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `baton.toml`.
    pub workspace: Option<TomlFile>,
    /// `baton/config.toml`.
    pub user: Option<UserFile>,
    /// The editor's section `baton`.
    pub editor: Option<serde_json::Value>,
    /// Names and values; those without the prefix `BATON_` are ignored.
    pub env: Vec<(String, String)>,
    /// The command line.
    pub flags: Overrides,
}

impl Layer {
    /// Whether this layer is the user's own, and not the workspace's.
    pub fn is_users(self) -> bool {
        !matches!(self, Self::Workspace | Self::Editor)
    }
}
