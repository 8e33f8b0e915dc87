use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::folders::counts_by_folder;
use super::glob_list::GlobList;
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;

const MOST_SHOWN: usize = 1_000;
/// What is counted when not all is shown.
const MOST_FILES: usize = 200_000;

/// List files.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ListFiles {
    /// Folder to list, relative to the workspace root; the root if left out.
    path: Option<String>,
    /// Only files that match: *.rs (at any depth), src/**/*.rs (by path), several with commas, !docs/** to leave out.
    glob: Option<GlobList>,
}

impl Tool for ListFiles {
    const NAME: &'static str = "list_files";
    const DESCRIPTION: &'static str = "List the files of the workspace, one path a line, hidden ones included. \
        Ignored files and files of secrets are left out. At most 1000 files are shown, then how many each folder has; \
        narrow with path or glob for the rest.";
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
        let globs = GlobList::globs(self.glob.as_ref())?;
        let listing = toolbox.files(folder.as_ref(), globs.as_ref(), MOST_FILES)?;
        if listing.files.is_empty() {
            let place = folder.map_or_else(|| "the workspace".to_owned(), |folder| folder.to_string());
            let glob = self.glob.filter(|_| globs.is_some());
            let matching = glob.map(|glob| format!(" that match {glob}")).unwrap_or_default();
            return Ok(format!("No files in {place}{matching} (ignored files and secrets are not listed)."));
        }
        let shown = listing.files.iter().take(MOST_SHOWN);
        let mut text: String = shown.flat_map(|path| [path.as_str(), "\n"]).collect();
        if listing.files.len() > MOST_SHOWN || listing.more {
            let at_least = if listing.more { "at least " } else { "" };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "These are the first {MOST_SHOWN} of {at_least}{} files; narrow with path or glob to see the others, or \
                 outline a folder for those that matter. Files by folder:",
                listing.files.len()
            );
            text.push_str(&counts_by_folder(listing.files.iter().map(|path| (path, 1))));
        }
        Ok(text)
    }
}
