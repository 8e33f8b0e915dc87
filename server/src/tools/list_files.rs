use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;

const MOST_FILES: usize = 1_000;

/// List files.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListFiles {
    /// Folder to list, relative to the workspace root; the root if left out.
    path: Option<String>,
    /// Only files that match, for example *.rs (by name, at any depth) or src/**/*.rs (by path).
    glob: Option<String>,
}

impl Tool for ListFiles {
    const NAME: &'static str = "list_files";
    const DESCRIPTION: &'static str = "List the files of the workspace, one path a line, hidden ones included. \
        Ignored files and files of secrets are left out. At most 1000 files are shown; narrow with path or glob for the rest.";
    const SHOWS: Shows = Shows::Workspace;

    fn activity(&self) -> String {
        let folder = self.path.as_deref().unwrap_or("the workspace");
        match &self.glob {
            Some(glob) => format!("listing {glob} in {folder}"),
            None => format!("listing {folder}"),
        }
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let folder = toolbox.folder(self.path.as_deref())?;
        let glob = self.glob.as_deref().filter(|glob| !glob.trim().is_empty());
        let listing = toolbox.files(folder.as_ref(), glob, MOST_FILES)?;
        if listing.files.is_empty() {
            let place = folder.map_or_else(|| "the workspace".to_owned(), |folder| folder.to_string());
            let matching = glob.map(|glob| format!(" that match {glob}")).unwrap_or_default();
            return Ok(format!("No files in {place}{matching} (ignored files and secrets are not listed)."));
        }
        let mut text: String = listing.files.iter().flat_map(|path| [path.as_str(), "\n"]).collect();
        if listing.more {
            text.push_str("There are more files; narrow with path or glob to see them.\n");
        }
        Ok(text)
    }
}
