//! One workspace folder: its files, its board, and the run at work in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use super::board::Board;
use super::capabilities::Capabilities;
use super::client::Client;
use super::documents::Documents;
use super::files::{Files, blocking};
use super::lens_refresh::LensRefresh;
use super::lent;
use super::refused::Refused;
use super::runs::Current;
use crate::workspace::OpenBuffers;

/// A folder that the client has open. What starts, watches and stops its runs is in `runs`.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) client: Client,
    pub(super) capabilities: Capabilities,
    /// Its diagnostics.
    pub(super) board: Board,
    /// The texts open in the editor.
    pub(super) documents: Documents,
    /// Its lenses.
    pub(super) lenses: LensRefresh,
    /// The same as its files' workspace sees them.
    buffers: OpenBuffers,
    /// Held while a run starts, so that there is never a second one.
    pub(super) current: Mutex<Option<Current>>,
    /// Held while dismissed.json is changed.
    pub(super) dismissing: Mutex<()>,
}

impl Folder {
    /// A folder by the path the client has for it.
    pub(super) fn new(path: PathBuf, client: Client, capabilities: Capabilities, documents: Documents) -> Arc<Self> {
        let board = Board::new(path.clone(), client.clone(), capabilities);
        let lenses = LensRefresh::new(client.clone(), capabilities.refresh_lenses);
        let buffers = lent::buffers(documents.clone(), &path);
        let (current, dismissing) = (Mutex::default(), Mutex::default());
        Arc::new(Self { path, client, capabilities, board, documents, lenses, buffers, current, dismissing })
    }

    /// The path the client has for it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its files under the settings in force now.
    ///
    /// # Errors
    /// When the folder cannot be used, or settings are wrong.
    pub(super) async fn files(&self) -> Result<Files, Refused> {
        let (path, buffers) = (self.path.clone(), self.buffers.clone());
        blocking(move || Files::open(&path, None, buffers)).await
    }

    /// Do something with its files where it stalls nobody.
    ///
    /// # Errors
    /// As [`Self::files`], and what the work answers.
    pub(super) async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (path, buffers) = (self.path.clone(), self.buffers.clone());
        blocking(move || work(&Files::open(&path, None, buffers)?)).await
    }

    /// Show what is in its memory now.
    pub(super) async fn show(&self) {
        match self.files().await {
            Ok(files) => self.show_files(&files).await,
            // What starts a run says it again, where somebody has asked.
            Err(error) => tracing::warn!(%error, "no diagnostics are shown"),
        }
    }

    /// Show what these files say now.
    pub(super) async fn show_files(&self, files: &Files) {
        self.board.refresh(files).await;
        self.lenses.look(files).await;
    }

    /// The client closed the folder: stop its run and show nothing more of it.
    pub(super) async fn close(&self) {
        self.stop().await;
        self.board.clear().await;
    }
}
