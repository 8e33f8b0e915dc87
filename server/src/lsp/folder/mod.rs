//! One workspace folder: its files, its board, and the run at work in it.

pub(crate) mod folders;

use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::request::WorkspaceConfiguration;
use tower_lsp::lsp_types::{ConfigurationItem, ConfigurationParams, MessageType, Url};

use crate::config::{ConfigErrors, Loaded, Settings, WORKSPACE_FILE};
use crate::lsp::board::Board;
use crate::lsp::files::lent;
use crate::lsp::files::refused::Refused;
use crate::lsp::files::settings::EditorSettings;
use crate::lsp::files::{Files, blocking};
use crate::lsp::offers::lens_refresh::LensRefresh;
use crate::lsp::run::runs::Current;
use crate::lsp::run::way_out::Allowance;
use crate::lsp::text::documents::Documents;
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::window;
use crate::memory::Store;
use crate::models::Models;
use crate::workflow::{self, GateSources, Status, StatusReader};
use crate::workspace::OpenBuffers;

/// A folder that the client has open. What starts, watches and stops its runs is in `runs`.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) client: Client,
    pub(crate) capabilities: Capabilities,
    /// Its diagnostics.
    pub(crate) board: Board,
    /// The texts open in the editor.
    pub(crate) documents: Documents,
    /// Its lenses.
    pub(crate) lenses: LensRefresh,
    /// The same as its files' workspace sees them.
    buffers: OpenBuffers,
    /// Held while a run starts, so that there is never a second one.
    pub(crate) current: Mutex<Option<Current>>,
    /// What was read of its runs' journals.
    status: std::sync::Mutex<StatusReader>,
    /// Fired when the client leaves or closes the folder: nobody is asked anything any more.
    pub(crate) closing: CancellationToken,
    /// What the editor has set for it.
    settings: EditorSettings,
    /// What the user allowed the workflow beyond its budget.
    allowed: std::sync::Mutex<Allowance>,
    /// The question what to do now, while it stands.
    offer: std::sync::Mutex<Option<AbortHandle>>,
}

impl Folder {
    /// A folder by the path the client has for it.
    pub(crate) fn new(path: PathBuf, client: Client, capabilities: Capabilities, documents: Documents) -> Arc<Self> {
        let board = Board::new(path.clone(), client.clone(), capabilities, documents.clone());
        let lenses = LensRefresh::new(client.clone(), capabilities.refresh_lenses);
        let buffers = lent::buffers(documents.clone(), &path);
        Arc::new(Self {
            path,
            client,
            capabilities,
            board,
            documents,
            lenses,
            buffers,
            current: Mutex::default(),
            status: std::sync::Mutex::default(),
            closing: CancellationToken::new(),
            settings: EditorSettings::new(),
            allowed: std::sync::Mutex::default(),
            offer: std::sync::Mutex::default(),
        })
    }

    /// The path the client has for it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its files under the settings in force now.
    ///
    /// # Errors
    /// When the folder cannot be used, or settings are wrong.
    pub(crate) async fn files(&self) -> Result<Files, Refused> {
        let (path, buffers, editor) = (self.path.clone(), self.buffers.clone(), self.settings.get().await);
        blocking(move || Files::open(&path, editor, buffers)).await
    }

    /// Its settings as they are in force now, or what is wrong with them.
    pub(crate) async fn settings(&self) -> Result<Loaded, ConfigErrors> {
        Files::settings(&self.path, self.settings.get().await)
    }

    /// Do something with its files where it stalls nobody.
    ///
    /// # Errors
    /// As [`Self::files`], and what the work answers.
    pub(crate) async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (path, buffers, editor) = (self.path.clone(), self.buffers.clone(), self.settings.get().await);
        blocking(move || work(&Files::open(&path, editor, buffers)?)).await
    }

    /// The models that a run would work with, where there are any.
    pub(crate) fn models(&self, settings: &Settings) -> Option<Models> {
        let editor = lent::editor(&self.client, self.capabilities, &self.path);
        workflow::models(settings, &|name| std::env::var(name).ok(), &editor).ok()
    }

    /// Where the workflow of these files stands, under what the user allowed beyond the budget; `None` without a memory.
    ///
    /// # Errors
    /// When the memory cannot be read.
    pub(crate) fn status(&self, files: &Files) -> Result<Option<(Status, Store)>, Refused> {
        let Some(store) = files.memory()? else { return Ok(None) };
        let mut settings = files.settings.clone();
        self.allowed().add_to(&mut settings);
        let models = self.models(&settings);
        // A poisoned lock only means that a thread panicked; what was read is whole lines.
        let mut reader = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let status = reader.status(&store, &settings, models.as_ref(), Timestamp::now())?;
        Ok(Some((status, store)))
    }

    /// What a gate's content comes from, handed to `work` with these files' memory; `None` without one.
    ///
    /// # Errors
    /// When the memory cannot be read, and what the work answers.
    pub(crate) fn with_gate<T>(
        &self,
        files: &Files,
        work: impl FnOnce(&GateSources<'_>) -> Result<T, Refused>,
    ) -> Result<Option<T>, Refused> {
        let Some(store) = files.memory()? else { return Ok(None) };
        let mut settings = files.settings.clone();
        self.allowed().add_to(&mut settings);
        let models = self.models(&settings);
        let usage = store.workflow_spending()?.into_iter().sum();
        work(&GateSources { store: &store, settings: &settings, models: models.as_ref(), usage }).map(Some)
    }

    /// Show what is in its memory now.
    pub(crate) async fn show(&self) {
        match self.files().await {
            Ok(files) => self.show_files(&files).await,
            // What starts a run says it again, where somebody has asked.
            Err(error) => {
                tracing::warn!(%error, "no diagnostics are shown");
                self.board.refuse_settings().await;
            }
        }
    }

    /// Show what these files say now.
    pub(crate) async fn show_files(&self, files: &Files) {
        self.board.refresh(files).await;
        self.lenses.look(files).await;
    }

    /// Show what is in its memory from now on, until it is closed.
    pub(crate) fn attend(self: Arc<Self>) {
        tokio::spawn(async move {
            self.show().await;
            while self.board.is_stale().await {
                self.show().await;
            }
        });
    }

    /// Ask the editor what is set here; what needs the settings waits for its answer from now on.
    pub(crate) fn ask_settings(self: &Arc<Self>) {
        if !self.capabilities.configuration {
            return;
        }
        let folder = self.clone();
        // Before this returns, so that whatever the client sends next waits for it.
        let number = folder.settings.ask();
        let scope_uri = Url::from_file_path(&self.path).ok();
        let items = vec![ConfigurationItem { scope_uri, section: Some("baton".to_owned()) }];
        tokio::spawn(async move {
            let answer = folder.client.request::<WorkspaceConfiguration>(ConfigurationParams { items }).await;
            match answer {
                Ok(values) => folder.settings.answered(number, values.into_iter().next().unwrap_or_default()),
                Err(error) => {
                    tracing::warn!(%error, "the editor does not say what its settings are");
                    folder.settings.not_answered(number);
                }
            }
            folder.check_settings().await;
        });
    }

    /// The editor says of its own accord what is set.
    pub(crate) async fn take_settings(&self, value: Value) {
        self.settings.set(value);
        self.check_settings().await;
    }

    /// Say what is wrong with the settings, before somebody starts something.
    async fn check_settings(&self) {
        if self.settings.get().await.is_none() {
            return;
        }
        if let Err(error @ Refused::Settings(_)) = self.files().await {
            window::tell(&self.client, MessageType::ERROR, format!("Baton: {error}"));
        }
        // Those of the workspace's file are shown there.
        let Ok(loaded) = self.settings().await else { return };
        for raised in loaded.raised.iter().filter(|raised| raised.place.source != WORKSPACE_FILE) {
            window::tell(&self.client, MessageType::WARNING, format!("Baton: {raised}"));
        }
    }

    /// What the user allowed the workflow beyond its budget.
    pub(crate) fn allowed(&self) -> MutexGuard<'_, Allowance> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ask what to do now, until it is answered or withdrawn.
    pub(crate) fn offer(&self, question: impl Future<Output = ()> + Send + 'static) {
        let asked = tokio::spawn(question).abort_handle();
        if let Some(earlier) = self.offered().replace(asked) {
            earlier.abort();
        }
    }

    /// The question what to do now is answered by something else that happens.
    pub(crate) fn withdraw_offer(&self) {
        if let Some(asked) = self.offered().take() {
            asked.abort();
        }
    }

    /// A poisoned lock only means that a thread panicked.
    fn offered(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client closed the folder: stop its run and show nothing more of it.
    pub(crate) async fn close(&self) {
        self.stop().await;
        self.board.clear().await;
    }
}
