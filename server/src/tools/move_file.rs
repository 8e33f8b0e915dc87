use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};

/// Move a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct MoveFile {
    /// The file, relative to the workspace root: one that the plan lists to be deleted by your task, or that you created.
    from: String,
    /// Its new path, where no file is: one that the plan lists to be created or modified by your task.
    to: String,
}

impl Tool for MoveFile {
    const NAME: &'static str = "move_file";
    const DESCRIPTION: &'static str = "Rename or move a file of your task. Its content, encoding and permissions stay, and it \
        can be edited at its new path afterwards. References to the old path elsewhere are not changed.";
    const USERS: Users = Users::Implementers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        format!("moving {} to {}", self.from, self.to)
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let (from, to) = (toolbox.path(&self.from)?, toolbox.path(&self.to)?);
        let (from, to) = toolbox.writing()?.move_file(&from, &to)?;
        toolbox.edits().moved(&from, &to);
        Ok(format!("Moved {from} to {to}.\n"))
    }
}
