use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::Failure;
use crate::config::{self, Overrides, Settings};
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::models::Models;
use crate::workflow::{self, Approver, Editor, Engine};
use crate::workspace::Workspace;

/// A workspace with its settings: what every subcommand begins with.
pub(super) struct Session {
    /// The files.
    pub(super) workspace: Workspace,
    /// The settings in force.
    pub(super) settings: Settings,
}

impl Session {
    /// Open the workspace of this process.
    pub(super) fn open(folder: Option<&Path>, flags: Overrides) -> Result<Self, Failure> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => current_folder()?,
        };
        let workspace = Workspace::open(&folder).map_err(|error| Failure::usage(error.to_string()))?;
        let loaded = config::load_from_disk(workspace.root(), config::environment(), flags)
            .map_err(|errors| Failure::usage(errors.to_string()))?;
        for warning in &loaded.warnings {
            super::tell(&format!("warning: {warning}"));
        }
        workflow::check_memory_dir(&workspace, &loaded).map_err(|errors| Failure::usage(errors.to_string()))?;
        Ok(Self { workspace, settings: loaded.settings })
    }

    /// The memory folder, where there is one already.
    pub(super) fn memory(&self) -> Result<Option<Store>, Failure> {
        let there = RepoPath::parse(&self.settings.memory_dir).is_ok_and(|path| self.workspace.is_folder(&path));
        if !there {
            return Ok(None);
        }
        Ok(Some(workflow::open_store(&self.workspace, &self.settings)?))
    }

    /// The models a run would work with, where there are any.
    pub(super) fn models(&self) -> Option<Models> {
        let env = |name: &str| std::env::var(name).ok();
        workflow::models(&self.settings, &env, &Editor::default()).ok()
    }

    /// Everything a run works with.
    pub(super) fn engine(self, approver: Arc<dyn Approver>) -> Result<Engine, Failure> {
        Ok(workflow::open(self.workspace, self.settings, &config::variable, approver, Editor::default())?)
    }
}

/// The folder this process was started in.
pub(super) fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::usage(format!("the current folder cannot be used: {error}")))
}
