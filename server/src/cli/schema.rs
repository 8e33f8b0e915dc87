//! `baton schema NAME`: the JSON Schema of a handoff.

use super::failure::Failure;
use super::print;
use crate::contracts::SchemaName;

/// Print a schema.
pub(super) fn schema(name: SchemaName) -> Result<u8, Failure> {
    let text = serde_json::to_string_pretty(&name.schema()).map_err(|error| Failure::failed(error.to_string()))?;
    print(&text)?;
    Ok(0)
}
