//! Sends `workspace/codeLens/refresh` when the state of the workflow changes the lenses.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tower_lsp::lsp_types::request::CodeLensRefresh;

use super::hunks::cache::HunkCache;
use super::hunks::load;
use super::hunks::placed::PlacedHunk;
use super::lenses::{Lens, lenses};
use super::snapshot::Snapshot;
use crate::contracts::{Handoff, PlanOutput, RepoPath, ReviewOutput};
use crate::lsp::files::refused::Refused;
use crate::lsp::files::{Files, blocking};
use crate::lsp::text::position::Text;
use crate::lsp::wire::client::Client;
use crate::memory::PLAN_MARKDOWN;

/// The lenses of one folder, as the client may have them.
pub(crate) struct LensRefresh {
    client: Client,
    /// Whether the client takes the request.
    supported: bool,
    known: Mutex<Option<KnownLenses>>,
    requests: Arc<AtomicU8>,
}

/// What the client's lenses are made of: those of the memory, and the hunks of the files.
type KnownLenses = (Vec<Lens>, Vec<(RepoPath, Vec<PlacedHunk>)>);

/// No request is under way.
const IDLE: u8 = 0;
/// A request is under way.
const REQUESTED: u8 = 1;
/// A request is under way, and lenses have changed since.
const REQUEST_AGAIN: u8 = 2;

impl LensRefresh {
    /// The client has no lenses yet.
    pub(crate) fn new(client: Client, supported: bool) -> Self {
        Self { client, supported, known: Mutex::default(), requests: Arc::default() }
    }

    /// Read the lenses of a folder, and have the client request them when they differ from before. `hunks` are those of its
    /// files, where the client wants lenses of them.
    pub(crate) async fn refresh(&self, files: &Files, hunks: Option<Arc<HunkCache>>) {
        if !self.supported {
            return;
        }
        let files = files.clone();
        let found = blocking(move || {
            let of_files = hunks.map(|hunks| hunks.all(&|| load(&files))).transpose()?;
            Ok((lenses_on_disk(&files)?, of_files.unwrap_or_default()))
        });
        match found.await {
            Ok(found) => {
                let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).replace(found.clone());
                // Before the first reading the client cannot have others.
                if before.is_some_and(|before| before != found) {
                    self.request();
                }
            }
            Err(error) => tracing::debug!(%error, "the lenses cannot be read"),
        }
    }

    /// One request at a time: all changes while the client answers lead to one more request.
    fn request(&self) {
        let next = |requests| Some(if requests == IDLE { REQUESTED } else { REQUEST_AGAIN });
        if self.requests.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) != Ok(IDLE) {
            return;
        }
        let (client, requests) = (self.client.clone(), self.requests.clone());
        tokio::spawn(async move {
            loop {
                if let Err(error) = client.request::<CodeLensRefresh>(()).await {
                    tracing::debug!(%error, "lenses are not refreshed");
                }
                if requests.compare_exchange(REQUESTED, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    return;
                }
                requests.store(REQUESTED, Ordering::SeqCst);
            }
        });
    }
}

/// The lenses of the files on the disk.
fn lenses_on_disk(files: &Files) -> Result<Vec<Lens>, Refused> {
    let Some(store) = files.memory()? else { return Ok(Vec::new()) };
    let snapshot = Snapshot::of(files)?;
    let mut found = Vec::new();
    for name in [PlanOutput::FILE, PLAN_MARKDOWN, ReviewOutput::FILE] {
        let Ok(file) = RepoPath::parse(&store.name(name)) else { continue };
        if let Some(text) = files.text(&file) {
            found.extend(lenses(&snapshot, &file, &Text::new(text)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::lsp::wire::client::Outgoing;

    async fn next(queue: &mut UnboundedReceiver<Outgoing>) -> Value {
        match queue.recv().await {
            Some(Outgoing::Message(bytes)) => serde_json::from_slice(&bytes).unwrap(),
            _ => panic!("nothing more"),
        }
    }

    #[tokio::test]
    async fn however_much_changes_while_it_answers_the_client_is_asked_once_more() {
        let (client, mut queue) = Client::new();
        let refresh = LensRefresh::new(client.clone(), true);
        refresh.request();
        let asked = next(&mut queue).await;
        assert_eq!(asked["method"], "workspace/codeLens/refresh");
        assert_eq!(asked.get("params"), None, "null is no params of JSON-RPC's");
        for _ in 0..3 {
            refresh.request();
        }
        client.answer(1, Ok(Value::Null));
        assert_eq!(next(&mut queue).await["id"], 2);
        client.answer(2, Ok(Value::Null));
        // It is over when the next change sends a request of its own.
        while refresh.requests.load(Ordering::SeqCst) != IDLE {
            tokio::task::yield_now().await;
        }
        assert!(queue.try_recv().is_err());
        refresh.request();
        assert_eq!(next(&mut queue).await["id"], 3);
    }
}
