//! What a folder is opened with for one piece of work: its files and settings, and what the editor contributes to them.
//!
//! Invariant: files are read and written on the blocking pool ([`blocking`]), and only through the workspace and the memory.
//! Imports `wire` and `text`.

mod document_symbols;
pub(crate) mod editor_services;
pub(crate) mod refused;
pub(crate) mod settings;
pub(crate) mod task_file;
pub(crate) mod unsaved_plan;

use std::path::Path;

use serde_json::Value;

use crate::config::{self, ConfigErrors, Loaded, Overrides, Settings};
use crate::contracts::RepoPath;
use crate::lsp::files::refused::Refused;
use crate::memory::Store;
use crate::workflow::{self, Phases, Table};
use crate::workspace::{OpenBuffers, TextFile, Workspace};

/// The files and settings of a folder. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Files {
    /// The files.
    pub(crate) workspace: Workspace,
    /// The settings in force.
    pub(crate) settings: Settings,
    /// The phases of the program.
    pub(crate) table: &'static Table,
    /// Those there are under these settings.
    pub(crate) phases: Phases,
}

impl Files {
    /// Open a folder with the editor's settings and open documents.
    ///
    /// # Errors
    /// When the folder cannot be used, or settings are wrong.
    pub(crate) fn open(
        path: &Path,
        editor: Option<Value>,
        buffers: OpenBuffers,
        table: &'static Table,
    ) -> Result<Self, Refused> {
        let workspace = Workspace::open(path)?.with_buffers(buffers);
        let loaded = Self::settings(workspace.root(), editor)?;
        workflow::check_memory_dir(&workspace, &loaded, table)?;
        for warning in &loaded.warnings {
            tracing::debug!("{warning}");
        }
        let phases = table.with(&loaded.settings.phases);
        Ok(Self { workspace, settings: loaded.settings, table, phases })
    }

    /// The settings in force in a folder.
    ///
    /// # Errors
    /// All their faults.
    pub(crate) fn settings(root: &Path, editor: Option<Value>) -> Result<Loaded, ConfigErrors> {
        let user_file = config::user_config_file();
        let (env, flags) = (config::environment(), Overrides::default());
        config::load_with_user_file(root, user_file.as_deref(), editor, env, flags)
    }

    /// The memory folder, where there is one: reading never creates it.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub(crate) fn memory(&self) -> Result<Option<Store>, Refused> {
        let there = RepoPath::parse(&self.settings.memory_dir).is_ok_and(|path| self.workspace.is_folder(&path));
        if there { Ok(Some(self.make_memory()?)) } else { Ok(None) }
    }

    /// The memory folder, created on first use.
    ///
    /// # Errors
    /// When it cannot be made or opened.
    pub(crate) fn make_memory(&self) -> Result<Store, Refused> {
        Ok(workflow::open_store(&self.workspace, &self.settings, &self.phases)?)
    }

    /// The text of a file on the disk; `None` when it is gone or no text.
    pub(crate) fn text(&self, file: &RepoPath) -> Option<String> {
        let state = self.workspace.read(file).ok()??;
        Some(TextFile::decode(&state.bytes).ok()?.text().to_owned())
    }
}

/// Run what reads and writes files on the blocking pool.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Refused::Internal(error.to_string())))
}

/// Run in a task of its own, which completes also when the handler that waits for it is dropped.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(Refused::Internal(error.to_string())))
}
