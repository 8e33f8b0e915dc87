//! Settings: their layers, and who may set what.

mod settings;

pub use settings::{ApprovalMode, Check, Checkpoint, ModelChoice, Settings};
