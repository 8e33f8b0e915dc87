//! Lenses follow the state of the workflow: when they change, the client is told to ask for them again.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tower_lsp::lsp_types::request::CodeLensRefresh;

use super::lenses::{Lens, lenses};
use crate::contracts::{Handoff, PlanOutput, RepoPath, ReviewOutput};
use crate::lsp::commands::requests;
use crate::lsp::files::refused::Refused;
use crate::lsp::files::{Files, blocking};
use crate::lsp::text::position::Text;
use crate::lsp::wire::client::Client;

/// The lenses of one folder, as the client could last know them.
pub(crate) struct LensRefresh {
    client: Client,
    /// Whether the client can be told.
    supported: bool,
    known: Mutex<Option<Vec<Lens>>>,
    asking: Arc<AtomicU8>,
}

/// Nothing is asked.
const IDLE: u8 = 0;
/// The client is asked.
const ASKING: u8 = 1;
/// The client is asked, and something has changed since.
const ASK_AGAIN: u8 = 2;

impl LensRefresh {
    /// The client knows no lenses yet.
    pub(crate) fn new(client: Client, supported: bool) -> Self {
        Self { client, supported, known: Mutex::default(), asking: Arc::default() }
    }

    /// Look at a folder's memory, and tell the client when it has other lenses than before.
    pub(crate) async fn look(&self, files: &Files) {
        if !self.supported {
            return;
        }
        let files = files.clone();
        match blocking(move || all(&files)).await {
            Ok(found) => {
                let before = self.known.lock().unwrap_or_else(PoisonError::into_inner).replace(found.clone());
                // Before the first look the client cannot have asked for anything else.
                if before.is_some_and(|before| before != found) {
                    self.ask();
                }
            }
            Err(error) => tracing::debug!(%error, "lenses are not looked at"),
        }
    }

    /// One request at a time: however much changes while the client answers, it is asked but once more.
    fn ask(&self) {
        let next = |asking| Some(if asking == IDLE { ASKING } else { ASK_AGAIN });
        if self.asking.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) != Ok(IDLE) {
            return;
        }
        let (client, asking) = (self.client.clone(), self.asking.clone());
        tokio::spawn(async move {
            loop {
                if let Err(error) = client.request::<CodeLensRefresh>(()).await {
                    tracing::debug!(%error, "lenses are not refreshed");
                }
                if asking.compare_exchange(ASKING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                    return;
                }
                asking.store(ASKING, Ordering::SeqCst);
            }
        });
    }
}

/// The lenses of the files on the disk.
fn all(files: &Files) -> Result<Vec<Lens>, Refused> {
    let Some(store) = files.memory()? else { return Ok(Vec::new()) };
    let snapshot = requests::snapshot(files)?;
    let mut found = Vec::new();
    for name in [PlanOutput::FILE, ReviewOutput::FILE] {
        let Ok(file) = RepoPath::parse(&store.name(name)) else { continue };
        if let Some(text) = requests::on_disk(&files.workspace, &file) {
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
        refresh.ask();
        let asked = next(&mut queue).await;
        assert_eq!(asked["method"], "workspace/codeLens/refresh");
        assert_eq!(asked.get("params"), None, "null is no params of JSON-RPC's");
        for _ in 0..3 {
            refresh.ask();
        }
        client.answer(1, Ok(Value::Null));
        assert_eq!(next(&mut queue).await["id"], 2);
        client.answer(2, Ok(Value::Null));
        // It is over when the next change asks anew.
        while refresh.asking.load(Ordering::SeqCst) != IDLE {
            tokio::task::yield_now().await;
        }
        assert!(queue.try_recv().is_err());
        refresh.ask();
        assert_eq!(next(&mut queue).await["id"], 3);
    }
}
