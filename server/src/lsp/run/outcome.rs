//! The outcome of a run as a person sees it: a message, or the question what to do next.
//!
//! A question only says whether the run is to be resumed; `runs` resumes it, so that nothing here starts a run.

use std::sync::Arc;

use tower_lsp::lsp_types::MessageType;

use super::changes;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::folder::allowance::Allowance;
use crate::lsp::wire::client::RequestError;
use crate::lsp::wire::{to_proto, window};
use crate::workflow::{EventErrorKind, Outcome};

const SHOW_CHANGES: &str = "Show changes";
const UNDO_RUN: &str = "Undo run";
const UNDO: &str = "Undo";
const RESUME: &str = "Resume";
const LATER: &str = "Later";
const NOT_NOW: &str = "Not now";

/// Longest message shown, in characters.
const LONGEST: usize = 1000;

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct RunOutcome {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// The same for people.
    pub(super) message: String,
    /// Why it failed.
    pub(super) error: Option<EventErrorKind>,
}

/// The question what to do about a run that did not complete.
pub(super) struct Question {
    typ: MessageType,
    message: String,
    kind: Kind,
}

enum Kind {
    /// Resume the run, look at what it changed, or undo that; the titles of the buttons.
    Resume(&'static [&'static str]),
    /// Allow more than the budget, which is spent.
    AllowMore,
}

impl Question {
    /// About a run that was interrupted before this server started.
    pub(super) fn interrupted(message: String) -> Self {
        Self { typ: MessageType::INFO, message, kind: Kind::Resume(&[RESUME, SHOW_CHANGES, UNDO, LATER]) }
    }

    /// Ask until the answer is final; whether the run is to be resumed.
    pub(super) async fn ask(self, folder: &Folder) -> bool {
        match self.kind {
            Kind::Resume(titles) => self.ask_to_resume(folder, titles).await,
            Kind::AllowMore => self.ask_for_more(folder).await,
        }
    }

    async fn ask_to_resume(&self, folder: &Folder, titles: &[&str]) -> bool {
        let Self { typ, message, .. } = self;
        loop {
            match window::ask(&folder.client, *typ, message.as_str(), titles).await.as_ref().map(Option::as_deref) {
                Ok(Some(SHOW_CHANGES)) => show_error(folder, changes::open_diff(folder, None).await),
                Ok(Some(UNDO_RUN | UNDO)) => {
                    show_error(folder, changes::undo(folder).await);
                    return false;
                }
                Ok(Some(RESUME)) => return true,
                Err(RequestError::Refused(_) | RequestError::Unreadable(_)) => {
                    let how = "baton.workflow goes on, baton.diff shows what was changed, baton.rollback undoes it.";
                    window::show_message(&folder.client, *typ, format!("{message} {how}"));
                    return false;
                }
                _ => return false,
            }
        }
    }

    async fn ask_for_more(&self, folder: &Folder) -> bool {
        let Self { typ, message, .. } = self;
        let more = match folder.files().await {
            Ok(files) => Allowance::more(&files.settings),
            Err(error) => {
                show_error(folder, Err(error));
                return false;
            }
        };
        let allow = more.title();
        loop {
            // A stray key takes the first button, so that one must spend nothing.
            let titles = [SHOW_CHANGES, NOT_NOW, allow.as_str()];
            match window::ask(&folder.client, *typ, message.as_str(), &titles).await.as_ref().map(Option::as_deref) {
                Ok(Some(title)) if title == allow => {
                    folder.allowed().raise(more);
                    return true;
                }
                Ok(Some(SHOW_CHANGES)) => show_error(folder, changes::open_diff(folder, None).await),
                Err(RequestError::Refused(_) | RequestError::Unreadable(_)) => {
                    let how = "Raise budget_usd or budget_tokens in the settings; baton.workflow then goes on.";
                    window::show_message(&folder.client, *typ, format!("{message} {how}"));
                    return false;
                }
                _ => return false,
            }
        }
    }
}

/// Show how a run ended; where it did not complete, returns the question what to do next, which shows it then.
pub(super) fn report(folder: &Arc<Folder>, ended: RunOutcome) -> Option<Question> {
    let typ = to_proto::message_type(ended.outcome);
    let message = format!("Baton: {}", to_proto::plain(&ended.message, LONGEST));
    match (ended.outcome, ended.error) {
        _ if folder.closing.is_cancelled() => window::show_message(&folder.client, typ, message),
        (Outcome::Cancelled | Outcome::Failed, _) => {
            return Some(Question { typ, message, kind: Kind::Resume(&[SHOW_CHANGES, UNDO_RUN, RESUME]) });
        }
        (Outcome::Escalated, Some(EventErrorKind::Budget)) => {
            return Some(Question { typ, message, kind: Kind::AllowMore });
        }
        (Outcome::Waiting, _) => {
            let how = "In the editor, baton.approve takes the plan and goes on, and baton.reject ends it.";
            window::show_message(&folder.client, typ, format!("{message} {how}"));
        }
        _ => window::show_message(&folder.client, typ, message),
    }
    None
}

/// Show why what a person chose could not be done.
pub(super) fn show_error(folder: &Folder, done: Result<(), Refused>) {
    if let Err(error) = done {
        window::show_message(&folder.client, MessageType::ERROR, format!("Baton: {error}"));
    }
}
