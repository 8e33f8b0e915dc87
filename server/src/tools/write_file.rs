use schemars::JsonSchema;
use serde::Deserialize;

use super::input::Input;
use super::{ToolError, Toolbox};
use crate::text::count;
use crate::workspace::{MAX_FILE_BYTES, masks};

pub(super) const DESCRIPTION: &str = "Create a file of your task, or replace the whole content of one that you have \
read. To change parts of a file use edit_file. Encoding and line endings of an existing file are kept. The file \
reaches the working tree when you submit.";

/// Write a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct WriteFile {
    /// The file, relative to the workspace root.
    path: String,
    /// Its whole new content.
    content: String,
}

impl Input for WriteFile {
    fn activity(&self) -> String {
        format!("writing {}", self.path)
    }
}

pub(super) fn run(toolbox: &Toolbox, input: WriteFile) -> Result<String, ToolError> {
    let path = toolbox.path(&input.path)?;
    if input.content.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("The content is larger than {MAX_FILE_BYTES} bytes; nothing was written.").into());
    }
    if masks(&input.content) > 0 {
        return Err(
            "The content holds a mask (<masked by Baton: …>), which stands for a secret that is not shown; nothing \
                    was written. Change the other lines with edit_file: the secret then stays as it is."
                .to_owned()
                .into(),
        );
    }
    toolbox.writing()?.write_until(&path, &input.content, &toolbox.interrupt)?;
    Ok(format!("Wrote {path}: {}.\n", count(input.content.lines().count(), "line")))
}
