use schemars::JsonSchema;
use serde::Deserialize;

use super::input::Input;
use super::{ToolError, Toolbox};

pub(super) const DESCRIPTION: &str = "Delete a file that the plan lists to be deleted by your task, or that you \
created yourself. It goes from the working tree when you submit.";

/// Delete a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteFile {
    /// The file, relative to the workspace root.
    path: String,
}

impl Input for DeleteFile {
    fn activity(&self) -> String {
        format!("deleting {}", self.path)
    }
}

pub(super) fn run(toolbox: &Toolbox, input: DeleteFile) -> Result<String, ToolError> {
    let path = toolbox.path(&input.path)?;
    toolbox.writing()?.delete(&path)?;
    Ok(format!("Deleted {path}.\n"))
}
