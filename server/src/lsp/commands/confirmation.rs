//! Asks a person before a command takes something away, in editors that have no plugin of ours to ask.

use std::sync::Arc;
use std::time::Duration;

use tower_lsp::lsp_types::MessageType;

use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::window;

/// The first button: a stray key takes it, so it must do nothing.
const CANCEL: &str = "Cancel";

/// How long a question waits after the command was handled. Emacs's jsonrpc leaves a request that arrives together with the
/// response to its own unread until the next message comes, and nothing tells when the response was read.
const AFTER_RESPONSE: Duration = Duration::from_millis(200);

/// A question whether to do what a command was run for.
pub(super) struct Confirmation {
    /// What it would do.
    pub(super) message: String,
    /// The button that does it.
    pub(super) yes: &'static str,
    /// Shown where nobody answers, because the editor cannot ask: how to do it without being asked.
    pub(super) refused: &'static str,
}

impl Confirmation {
    /// Ask, and do it where the answer is yes. Returns at once: an editor may wait for a command's answer and show no
    /// question meanwhile.
    pub(super) fn ask<F>(self, folder: &Arc<Folder>, work: impl FnOnce(Arc<Folder>) -> F + Send + 'static)
    where
        F: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        let Self { message, yes, refused } = self;
        let asked = folder.clone();
        folder.ask(async move {
            tokio::time::sleep(AFTER_RESPONSE).await;
            let answer = window::ask(&asked.client, MessageType::WARNING, message, &[CANCEL, yes]).await;
            match answer.as_ref().map(Option::as_deref) {
                Ok(Some(title)) if title == yes => {
                    // A task of its own: a question that is withdrawn must not break the work off.
                    tokio::spawn(async move {
                        if let Err(error) = work(asked.clone()).await {
                            window::show_message(&asked.client, MessageType::ERROR, format!("Baton: {error}"));
                        }
                    });
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => window::show_message(&asked.client, MessageType::INFO, refused),
            }
        });
    }
}
