//! `baton schema NAME`: the JSON Schema of a handoff.

use super::failure::Failure;
use super::output::print;
use crate::workflow::Phases;

/// Print a schema.
pub(super) fn schema(phases: &Phases, name: &str) -> Result<u8, Failure> {
    let schema = phases.handoffs().schema(name).map_err(Failure::usage)?;
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::failed(error.to_string()))?;
    print(&text)?;
    Ok(0)
}
