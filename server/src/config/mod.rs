//! Settings: their layers, and who may set what.
//!
//! Weakest first: defaults, the workspace's `baton.toml`, the user's `baton/config.toml`, editor settings, the
//! environment, flags. [`settings_table`] names every setting once, with its range and who may set it; parsing, help
//! and documents follow from there. [`load`] reports *every* wrong value, each at its place, and changes nothing.
//!
//! Invariants: this module imports `contracts` and `text` only; only its file `disk` looks at files and the environment.
//! A workspace cannot approve plans, move its memory out, raise a limit, add a phase, or name an endpoint, a key or a
//! proxy. No file holds a key, and no error shows the value of a setting that is not known.

#![expect(
    clippy::disallowed_methods,
    reason = "this room reads the environment, and the files of settings, for all others"
)]

mod check;
mod checks;
mod disk;
mod dispatch;
mod error;
mod facts;
mod given;
mod hosts;
mod kind;
mod load;
mod phases;
mod plain;
mod schema;
mod scope;
mod settings;
mod sinks;
mod sources;
mod table;
mod template;
mod value;
mod with_check;

pub use check::{Check, CheckOrigin};
pub use disk::{
    cache_folder, environment, has_program, home, read_named_file, state_folder, temporary_folder, user_config_file,
    user_file, user_folder, variable,
};
pub use dispatch::{Dispatch, is_worker_tag};
pub use error::{ConfigError, ConfigErrors, Location};
pub use given::{Fate, Given};
pub use kind::PROVIDERS;
pub use load::{
    Loaded, load, load_from_disk, load_with_user_file, load_without_workspace, user_memory_dir, user_phases,
    workspace_checks,
};
pub use phases::RESERVED_PHASE_NAMES;
pub use schema::{SETTINGS_SCHEMAS, settings_schema};
pub use settings::{
    ApprovalMode, Checkpoint, Effort, EffortChoice, ModelChoice, PhaseTier, ReviewValidation, SandboxMode, Settings,
    UserPhase,
};
pub use sinks::{Sink, SinkKind, WITHOUT_NATS};
pub use sources::{Layer, NOT_SETTINGS, Origin, Overrides, Sources, TomlFile, USER_FILE, UserFile, WORKSPACE_FILE};
pub use table::{Scope, Setting, near_settings, settings_table};
pub use template::settings_template;
pub use with_check::with_check;

#[cfg(test)]
mod tests;
