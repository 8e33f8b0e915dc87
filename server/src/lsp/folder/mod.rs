//! One workspace folder: its settings, its diagnostics and lenses, and the state of the run that is active in it.
//!
//! Invariants: [`folders`] holds the only list of open folders; a folder knows whether a run is active, and can stop it,
//! but never starts one: that is done by `run`, which imports this room.

pub(crate) mod allowance;
pub(crate) mod current_run;
pub(crate) mod folders;

use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::request::WorkspaceConfiguration;
use tower_lsp::lsp_types::{ConfigurationItem, ConfigurationParams, MessageType, Url};

use self::allowance::Allowance;
use self::current_run::CurrentRun;
use crate::config::{self, ConfigErrors, Loaded, Settings, WORKSPACE_FILE};
use crate::contracts::RepoPath;
use crate::lsp::board::Board;
use crate::lsp::files::editor_services;
use crate::lsp::files::refused::Refused;
use crate::lsp::files::settings::EditorSettings;
use crate::lsp::files::{Files, blocking};
use crate::lsp::offers::hunks::cache::{HunkCache, HunkSource};
use crate::lsp::offers::hunks::{self, placed::PlacedHunk};
use crate::lsp::offers::lens_refresh::LensRefresh;
use crate::lsp::text::documents::{Document, Documents};
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::Client;
use crate::lsp::wire::window;
use crate::memory::Store;
use crate::models::Models;
use crate::workflow::{self, GateSources, Status, StatusReader, Table};
use crate::workspace::{OpenBuffers, read_as_editor};

/// How long a run may take to stop when the editor leaves. It stops within a second; the rest is for a busy machine.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A folder that the client has open.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) client: Client,
    pub(crate) capabilities: Capabilities,
    /// Its diagnostics.
    pub(crate) board: Board,
    /// The documents open in the editor.
    pub(crate) documents: Documents,
    /// Its lenses.
    lenses: LensRefresh,
    /// The same, as the workspace of its files sees them.
    buffers: OpenBuffers,
    /// The active run. Locked while a run starts, so that there is never a second one.
    pub(crate) current: Mutex<Option<CurrentRun>>,
    /// Stops the search for workers of a run that has not begun yet, while there is one.
    search: std::sync::Mutex<Option<CancellationToken>>,
    /// Reads the status, and remembers what it has read of the runs' journals.
    status: std::sync::Mutex<StatusReader>,
    /// Fired when the client leaves or closes the folder: from then on nothing is asked.
    pub(crate) closing: CancellationToken,
    /// The editor's settings for it.
    settings: EditorSettings,
    /// What the user allowed the workflow beyond its budget.
    allowed: std::sync::Mutex<Allowance>,
    /// The task that asks a person how to continue, until it is answered or withdrawn.
    question: std::sync::Mutex<Option<AbortHandle>>,
    /// Notified when its memory was read anew.
    pub(crate) refreshed: watch::Sender<()>,
    /// What agents changed in its files, hunk by hunk.
    hunks: Arc<HunkCache>,
    /// The phases of the program.
    pub(crate) table: &'static Table,
}

/// A search for workers; dropped, it is over.
pub(crate) struct Search {
    folder: Arc<Folder>,
    /// Fired when it is to stop.
    pub(crate) stop: CancellationToken,
}

impl Drop for Search {
    fn drop(&mut self) {
        self.folder.search().take();
    }
}

impl Folder {
    /// A folder by the path the client has for it.
    pub(crate) fn new(
        path: PathBuf,
        client: Client,
        capabilities: Capabilities,
        documents: Documents,
        table: &'static Table,
    ) -> Arc<Self> {
        let board = Board::new(path.clone(), client.clone(), capabilities, documents.clone(), table);
        let lenses = LensRefresh::new(client.clone(), capabilities.refresh_lenses);
        let buffers = editor_services::buffers(documents.clone(), &path);
        Arc::new(Self {
            path,
            client,
            capabilities,
            board,
            documents,
            lenses,
            buffers,
            current: Mutex::default(),
            search: std::sync::Mutex::default(),
            status: std::sync::Mutex::default(),
            closing: CancellationToken::new(),
            settings: EditorSettings::new(),
            allowed: std::sync::Mutex::default(),
            question: std::sync::Mutex::default(),
            refreshed: watch::Sender::new(()),
            hunks: Arc::default(),
            table,
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
        let table = self.table;
        blocking(move || Files::open(&path, editor, buffers, table)).await
    }

    /// Its settings in force now, or their faults.
    pub(crate) async fn settings(&self) -> Result<Loaded, ConfigErrors> {
        Files::settings(&self.path, self.settings.get().await)
    }

    /// Do something with its files, on the blocking pool.
    ///
    /// # Errors
    /// As [`Self::files`], and the errors of `work`.
    pub(crate) async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (path, buffers, editor) = (self.path.clone(), self.buffers.clone(), self.settings.get().await);
        let table = self.table;
        blocking(move || work(&Files::open(&path, editor, buffers, table)?)).await
    }

    /// The models that a run would use; `None` where they cannot be resolved.
    pub(crate) fn models(&self, settings: &Settings) -> Option<Models> {
        let editor = editor_services::editor(&self.client, self.capabilities, &self.path);
        workflow::models(settings, &config::variable, &editor).ok()
    }

    /// The status of the workflow, with what the user allowed beyond the budget; `None` without a memory.
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
        let status = reader.status(&store, &settings, models.as_ref(), &files.phases, Timestamp::now())?;
        Ok(Some((status, store)))
    }

    /// Run `work` with the sources of a gate's content; `None` without a memory.
    ///
    /// # Errors
    /// When the memory cannot be read, and the errors of `work`.
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
        let phases = &files.phases;
        work(&GateSources { store: &store, settings: &settings, models: models.as_ref(), usage, phases }).map(Some)
    }

    /// Bring diagnostics and lenses up to date with its memory.
    pub(crate) async fn refresh(&self) {
        match self.files().await {
            Ok(files) => self.refresh_from(&files).await,
            // A command that needs the settings reports the error itself.
            Err(error) => {
                tracing::warn!(%error, "no diagnostics are shown");
                self.board.refresh_settings().await;
            }
        }
    }

    /// Bring diagnostics and lenses up to date with these files.
    pub(crate) async fn refresh_from(&self, files: &Files) {
        self.board.refresh(files).await;
        self.refresh_offers(files).await;
    }

    /// Bring lenses, and what is known of the files' hunks, up to date with these files.
    pub(crate) async fn refresh_offers(&self, files: &Files) {
        self.hunks.invalidate();
        let hunks = self.capabilities.hunk_lenses.then(|| self.hunks.clone());
        self.lenses.refresh(files, hunks).await;
        self.refreshed.send_replace(());
    }

    /// The hunks of a file, in the text that the editor shows.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn hunks(
        &self,
        files: &Files,
        file: &RepoPath,
        open: Option<&Document>,
    ) -> Result<Arc<[PlacedHunk]>, Refused> {
        let path = self.path.join(file.as_str());
        let (read, load) = (|| read_as_editor(&path), || hunks::load(files));
        self.hunks.in_file(&HunkSource { file, open, read: &read, load: &load })
    }

    /// Keep diagnostics and lenses up to date until the folder is closed.
    pub(crate) fn keep_refreshed(self: Arc<Self>) {
        tokio::spawn(async move {
            self.refresh().await;
            while self.board.wait_until_stale().await {
                self.refresh().await;
            }
        });
    }

    /// Request this folder's settings from the editor; whatever needs them waits for the answer.
    pub(crate) fn request_settings(self: &Arc<Self>) {
        if !self.capabilities.configuration {
            return;
        }
        let folder = self.clone();
        // Before this returns, so that whatever the client sends next waits for the answer.
        let number = folder.settings.begin_request();
        let scope_uri = Url::from_file_path(&self.path).ok();
        let items = vec![ConfigurationItem { scope_uri, section: Some("baton".to_owned()) }];
        tokio::spawn(async move {
            let answer = folder.client.request::<WorkspaceConfiguration>(ConfigurationParams { items }).await;
            match answer {
                Ok(values) => folder.settings.answered(number, values.into_iter().next().unwrap_or_default()),
                Err(error) => {
                    tracing::warn!(%error, "the editor does not say what its settings are");
                    folder.settings.request_failed(number);
                }
            }
            folder.check_settings().await;
            if number > 1 {
                folder.refresh().await;
            }
        });
    }

    /// Take settings that the editor pushed.
    pub(crate) async fn set_settings(&self, value: Value) {
        self.settings.set(value);
        self.check_settings().await;
        self.refresh().await;
    }

    /// Report faults of the settings before they stop a run from starting.
    async fn check_settings(&self) {
        if self.settings.get().await.is_none() {
            return;
        }
        if let Err(error @ Refused::Settings(_)) = self.files().await {
            window::show_message(&self.client, MessageType::ERROR, format!("Baton: {error}"));
        }
        // Those of the workspace's file are diagnostics of that file.
        let Ok(loaded) = self.settings().await else { return };
        for raised in loaded.raised.iter().filter(|raised| raised.place.source != WORKSPACE_FILE) {
            window::show_message(&self.client, MessageType::WARNING, format!("Baton: {raised}"));
        }
    }

    /// What the user allowed the workflow beyond its budget.
    pub(crate) fn allowed(&self) -> MutexGuard<'_, Allowance> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ask a person how to continue; the question replaces an earlier one.
    pub(crate) fn ask(&self, question: impl Future<Output = ()> + Send + 'static) {
        let asked = tokio::spawn(question).abort_handle();
        let earlier = self.question().replace(asked);
        if let Some(earlier) = earlier {
            earlier.abort();
        }
    }

    /// Withdraw the question how to continue: something else answered it.
    pub(crate) fn withdraw_question(&self) {
        let asked = self.question().take();
        if let Some(asked) = asked {
            asked.abort();
        }
    }

    /// The id of the active run.
    pub(crate) async fn active_run(&self) -> Option<String> {
        self.current.lock().await.as_ref().map(|current| current.run.clone())
    }

    /// Cancel the active run of this server, if there is one, and answer with its id. Its end is reported like every other.
    pub(crate) async fn cancel(&self) -> Option<String> {
        let current = self.current.lock().await;
        let current = current.as_ref()?;
        current.cancel.cancel();
        Some(current.run.clone())
    }

    /// Begin to look for the workers of a run. Answers with what stops that; nothing while another start looks for some.
    pub(crate) fn begin_search(self: &Arc<Self>) -> Option<Search> {
        let mut search = self.search();
        if search.is_some() {
            return None;
        }
        // It ends with the folder.
        let stop = self.closing.child_token();
        *search = Some(stop.clone());
        Some(Search { folder: Arc::clone(self), stop })
    }

    /// Stop the search for workers, if there is one. Whether there was.
    pub(crate) fn stop_search(&self) -> bool {
        let search = self.search();
        search.as_ref().inspect(|stop| stop.cancel()).is_some()
    }

    /// A poisoned lock only means that a thread panicked.
    fn search(&self) -> MutexGuard<'_, Option<CancellationToken>> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether another process is at work in the folder.
    pub(crate) async fn is_at_work_elsewhere(&self) -> bool {
        let holder = self.with_files(|files| Ok(files.memory()?.and_then(|store| store.holder())));
        holder.await.is_ok_and(|holder| holder.is_some())
    }

    /// Cancel the active run if it is this one.
    pub(crate) async fn cancel_run(&self, run: &str) {
        if let Some(current) = self.current.lock().await.as_ref().filter(|current| current.run == run) {
            current.cancel.cancel();
        }
    }

    /// Cancel the active run, if there is one, and wait for its end. Nothing is asked any more.
    pub(crate) async fn stop(&self) {
        self.closing.cancel();
        self.withdraw_question();
        let Some(current) = self.current.lock().await.clone() else { return };
        current.cancel.cancel();
        if tokio::time::timeout(STOP_TIMEOUT, current.over.cancelled()).await.is_err() {
            tracing::error!(run = current.run, "the run did not stop in time");
        }
    }

    /// A poisoned lock only means that a thread panicked.
    fn question(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.question.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client closed the folder: stop its run and clear its diagnostics.
    pub(crate) async fn close(&self) {
        self.stop().await;
        self.board.close().await;
    }
}
