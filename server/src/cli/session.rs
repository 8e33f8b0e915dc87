//! What every subcommand begins with: the workspace and its settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::Failure;
use super::output::tell;
use crate::config::{self, Overrides, Settings};
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::models::Models;
use crate::workflow::{self, Approver, Editor, Engine, Phases, Table};
use crate::workspace::Workspace;

/// What every subcommand is given.
pub(super) struct Start<'a> {
    /// The workspace that was named.
    pub(super) folder: Option<&'a Path>,
    /// The phases of the program.
    pub(super) table: &'static Table,
}

/// A workspace with its settings.
pub(super) struct Session {
    /// The files.
    pub(super) workspace: Workspace,
    /// The effective settings.
    pub(super) settings: Settings,
    /// The phases of the program.
    table: &'static Table,
    /// Those there are under these settings.
    pub(super) phases: Phases,
}

impl Session {
    /// Open the workspace of this process.
    pub(super) fn open(start: &Start<'_>, flags: Overrides) -> Result<Self, Failure> {
        let folder = start.folder()?;
        let workspace = Workspace::open(&folder).map_err(|error| Failure::usage(error.to_string()))?;
        let loaded = config::load_from_disk(workspace.root(), config::environment(), flags)
            .map_err(|errors| Failure::usage(errors.to_string()))?;
        for warning in &loaded.warnings {
            tell(&format!("warning: {warning}"));
        }
        workflow::check_memory_dir(&workspace, &loaded, start.table)
            .map_err(|errors| Failure::usage(errors.to_string()))?;
        let phases = start.table.with(&loaded.settings.phases);
        Ok(Self { workspace, settings: loaded.settings, table: start.table, phases })
    }

    /// The memory folder, if there is one.
    pub(super) fn memory(&self) -> Result<Option<Store>, Failure> {
        let there = RepoPath::parse(&self.settings.memory_dir).is_ok_and(|path| self.workspace.is_folder(&path));
        if !there {
            return Ok(None);
        }
        Ok(Some(workflow::open_store(&self.workspace, &self.settings, &self.phases)?))
    }

    /// The models that a run would use, if there are any.
    pub(super) fn models(&self) -> Option<Models> {
        workflow::models(&self.settings, &config::variable, &Editor::default()).ok()
    }

    /// Everything a run works with.
    pub(super) fn engine(self, approver: Arc<dyn Approver>) -> Result<Engine, Failure> {
        Ok(workflow::open(self.workspace, self.settings, &config::variable, approver, Editor::default(), self.table)?)
    }
}

impl Start<'_> {
    /// The workspace's folder: the one that was named, else the one this process was started in.
    #[expect(clippy::disallowed_methods, reason = "the folder this process was started in is the default workspace")]
    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        if let Some(folder) = self.folder {
            return Ok(folder.to_owned());
        }
        std::env::current_dir().map_err(|error| Failure::usage(format!("the current folder cannot be used: {error}")))
    }
}
