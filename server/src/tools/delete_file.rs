use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};

/// Delete a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct DeleteFile {
    /// The file, relative to the workspace root.
    path: String,
}

impl Tool for DeleteFile {
    const NAME: &'static str = "delete_file";
    const DESCRIPTION: &'static str = "Delete a file that the plan lists to be deleted by your task, or that you \
        created yourself. It goes from the working tree when you submit.";
    const USERS: Users = Users::Implementers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        format!("deleting {}", self.path)
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let path = toolbox.path(&self.path)?;
        toolbox.writing()?.delete(&path)?;
        Ok(format!("Deleted {path}.\n"))
    }
}
