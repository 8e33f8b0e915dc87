//! Whether the folder that a setting names may be a memory folder.

use crate::config::{ConfigError, ConfigErrors, Layer, Loaded};
use crate::contracts::RepoPath;
use crate::memory;
use crate::workflow::run::phase::Table;
use crate::workspace::Workspace;

const SETTING: &str = "memory_dir";

/// Refuse settings whose memory folder is none: one in which files of something else live, or that is a link or a file.
/// Nothing is made or changed.
///
/// # Errors
/// What is wrong, at the place where the setting is given. The default folder is checked when it is opened.
pub fn check_memory_dir(workspace: &Workspace, loaded: &Loaded, table: &Table) -> Result<(), ConfigErrors> {
    let origin = loaded.origin(SETTING);
    // Reading the settings reports what is no path.
    let Ok(path) = RepoPath::parse(&loaded.settings.memory_dir) else { return Ok(()) };
    match memory::check_folder(workspace, &path, &table.with(&loaded.settings.phases).handoffs()) {
        Err(error) if origin.layer != Layer::Default => {
            let message = format!("{SETTING}: {error}");
            Err(ConfigErrors(vec![ConfigError { place: origin.place, setting: SETTING.to_owned(), message }]))
        }
        _ => Ok(()),
    }
}
