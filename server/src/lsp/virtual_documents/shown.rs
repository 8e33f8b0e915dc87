//! The documents that the client has, which it asks for again when their texts have changed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::Folders;
use crate::lsp::wire::document_content::{DocumentContentRefresh, DocumentContentRefreshParams};
use crate::workspace::sha256;

/// How many are looked at: a client does not say which it has closed.
const MOST: usize = 8;

/// How long it takes at least from one look to the next, and how many times as long as a look took.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_FACTOR: u32 = 5;

/// Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub(crate) struct ShownDocuments {
    /// The URI as the client wrote it, and the hash of the text it got; the newest last.
    shown: Arc<Mutex<VecDeque<(String, String)>>>,
}

impl ShownDocuments {
    /// The client was given a text.
    pub(crate) fn note(&self, uri: &str, text: &str) {
        let mut shown = self.shown();
        shown.retain(|(there, _)| there != uri);
        shown.push_back((uri.to_owned(), sha256(text.as_bytes())));
        if shown.len() > MOST {
            shown.pop_front();
        }
    }

    /// Have the client ask again for what changes, until the folder is closed.
    pub(crate) fn follow(&self, folders: Folders, folder: Arc<Folder>) {
        let shown = self.clone();
        tokio::spawn(async move {
            let mut refreshed = folder.refreshed.subscribe();
            loop {
                tokio::select! {
                    () = folder.closing.cancelled() => return,
                    changed = refreshed.changed() => if changed.is_err() { return },
                }
                let begun = Instant::now();
                shown.refresh(&folders, &folder).await;
                tokio::time::sleep(PAUSE.max(begun.elapsed() * PAUSE_FACTOR)).await;
            }
        });
    }

    async fn refresh(&self, folders: &Folders, folder: &Folder) {
        let all: Vec<(String, String)> = self.shown().iter().cloned().collect();
        for (uri, known) in all {
            let Ok(text) = super::text(folders, &uri).await else { continue };
            if sha256(text.as_bytes()) == known {
                continue;
            }
            self.note(&uri, &text);
            let params = DocumentContentRefreshParams { uri };
            if let Err(error) = folder.client.request::<DocumentContentRefresh>(params).await {
                tracing::debug!(%error, "a document is not refreshed");
            }
        }
    }

    /// A poisoned lock only means that a thread panicked; each change of the list is whole.
    fn shown(&self) -> MutexGuard<'_, VecDeque<(String, String)>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
