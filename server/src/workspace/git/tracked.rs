//! Which files git tracks, and where it keeps them.

use std::path::PathBuf;

use super::open::open;
use crate::workspace::Workspace;

/// The files of the index, by their paths from the workspace's root; `None` without git. Names that are no text are left
/// out.
pub(in crate::workspace) fn tracked_files(workspace: &Workspace) -> Option<Vec<String>> {
    let repository = open(workspace).ok()??;
    let top = repository.workdir()?.canonicalize().ok()?;
    let below = workspace.root().strip_prefix(&top).ok()?.to_str()?.to_owned();
    let prefix = if below.is_empty() { below } else { format!("{below}/") };
    let index = repository.index().ok()?;
    let names = index.iter().filter_map(|entry| String::from_utf8(entry.path).ok());
    Some(names.filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)).collect())
}

/// The real path of the folder that holds the repository's objects; `None` without git.
pub(in crate::workspace) fn repository_folder(workspace: &Workspace) -> Option<PathBuf> {
    open(workspace).ok()??.commondir().canonicalize().ok()
}
