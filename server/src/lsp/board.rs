//! What the editor shows of a folder's memory: the diagnostics, kept up to date.

use std::path::PathBuf;

use tokio::sync::Mutex;
use tower_lsp::lsp_types::PublishDiagnosticsParams;
use tower_lsp::lsp_types::notification::PublishDiagnostics;

use super::capabilities::Capabilities;
use super::client::Client;
use super::diagnostics::{self, Diagnostics, Place};
use super::files::{Files, blocking};

/// The diagnostics of one folder.
pub(super) struct Board {
    path: PathBuf,
    client: Client,
    capabilities: Capabilities,
    /// What the client shows. Held while the memory is read and published, so that the newest comes last.
    published: Mutex<Diagnostics>,
}

impl Board {
    /// An empty board for a folder by the path the client has for it.
    pub(super) fn new(path: PathBuf, client: Client, capabilities: Capabilities) -> Self {
        Self { path, client, capabilities, published: Mutex::default() }
    }

    /// Show what the memory says now, and nothing else. When this returns, it is sent.
    pub(super) async fn refresh(&self, files: &Files) {
        let (folder, with_task) = (self.path.clone(), self.capabilities.related_information);
        let files = files.clone();
        let mut published = self.published.lock().await;
        let found = blocking(move || {
            let Some(store) = files.memory()? else { return Ok(Diagnostics::new()) };
            // A faulty review has no lines to point at; the rest of the memory does not matter here.
            let (memory, _faults) = store.inspect()?;
            let place = Place { folder: &folder, with_task };
            Ok(diagnostics::of_review(&memory, &store, &files.workspace, place))
        });
        match found.await {
            Ok(found) => self.publish(&mut published, found),
            Err(error) => tracing::warn!(%error, "the review cannot be shown"),
        }
    }

    /// Show nothing any more.
    pub(super) async fn clear(&self) {
        self.publish(&mut *self.published.lock().await, Diagnostics::new());
    }

    /// Send what differs from what the client shows.
    fn publish(&self, published: &mut Diagnostics, found: Diagnostics) {
        let cleared = published.keys().filter(|uri| !found.contains_key(uri)).map(|uri| (uri, Vec::new()));
        let changed = found.iter().filter(|(uri, diagnostics)| published.get(uri) != Some(diagnostics));
        for (uri, diagnostics) in cleared.chain(changed.map(|(uri, diagnostics)| (uri, diagnostics.clone()))) {
            let uri = uri.clone();
            self.client.notify::<PublishDiagnostics>(PublishDiagnosticsParams { uri, diagnostics, version: None });
        }
        *published = found;
    }
}
