//! `baton schema NAME`: the JSON Schema of a handoff, or of a settings file.

use super::failure::Failure;
use super::output::print;
use crate::config::{SETTINGS_SCHEMAS, settings_schema};
use crate::workflow::Phases;

/// Print a schema.
pub(super) fn schema(phases: &Phases, name: &str) -> Result<u8, Failure> {
    let of_settings = SETTINGS_SCHEMAS.into_iter().find(|(settings, _)| *settings == name);
    let schema = match of_settings {
        Some((_, layer)) => settings_schema(layer),
        None => phases.handoffs().schema(name).map_err(Failure::usage)?,
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::failed(error.to_string()))?;
    print(&text)?;
    Ok(0)
}
