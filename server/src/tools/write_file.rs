use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::syntax_note::syntax_note;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};
use crate::text::count;
use crate::workspace::{MAX_FILE_BYTES, masks};

/// Write a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WriteFile {
    /// The file, relative to the workspace root.
    path: String,
    /// Its whole new content.
    content: String,
}

impl Tool for WriteFile {
    const NAME: &'static str = "write_file";
    const DESCRIPTION: &'static str = "Create a file of your task, or replace the whole content of one that you have \
        read. To change parts of a file use edit_file. Encoding and line endings of an existing file are kept. The file \
        reaches the working tree when you submit.";
    const USERS: Users = Users::Implementers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        format!("writing {}", self.path)
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let path = toolbox.path(&self.path)?;
        if self.content.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("The content is larger than {MAX_FILE_BYTES} bytes; nothing was written.").into());
        }
        if masks(&self.content) > 0 {
            return Err(
                "The content holds a mask (<masked by Baton: …>), which stands for a secret that is not shown; nothing \
                        was written. Change the other lines with edit_file: the secret then stays as it is."
                    .to_owned()
                    .into(),
            );
        }
        let own = {
            let mut staging = toolbox.writing()?;
            staging.write_until(&path, &self.content, &toolbox.interrupt)?;
            staging.may_write(&path)?
        };
        toolbox.edits().written(&own);
        let note = syntax_note(toolbox, &path, None, &self.content);
        Ok(format!("Wrote {path}: {}.\n{note}", count(self.content.lines().count(), "line")))
    }
}
