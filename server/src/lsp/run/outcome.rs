//! The outcome of a run as a person sees it: a message, or the question what to do next.
//!
//! A question only says what to start; `runs` starts it, so that nothing here starts a run. A client that shows outcomes by
//! itself (`initializationOptions.baton.outcome`) is sent neither.

use std::sync::Arc;

use tower_lsp::lsp_types::MessageType;

use super::changes;
use super::start::Start;
use super::ways_on::{LATER, buttons, sentence};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::folder::allowance::Allowance;
use crate::lsp::wire::client::RequestError;
use crate::lsp::wire::{to_proto, window};
use crate::workflow::{Goal, Outcome, RollbackRequest, WayOn, WayOnId};

/// Longest message shown, in characters.
const LONGEST: usize = 1000;

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct RunOutcome {
    /// How it ended.
    pub(super) outcome: Outcome,
    /// The same for people.
    pub(super) message: String,
    /// What can be done now.
    pub(super) ways_on: Vec<WayOn>,
}

/// The question what to do now.
pub(super) struct Question {
    typ: MessageType,
    message: String,
    ways: Vec<WayOn>,
    /// What resumes the run.
    resumed: Start,
}

impl Question {
    /// About a run that was interrupted before this server started.
    pub(super) fn interrupted(message: String, ways: Vec<WayOn>) -> Self {
        Self { typ: MessageType::INFO, message, ways, resumed: Start::default() }
    }

    /// Ask until the answer is final; answers with what is to be started, where something is.
    pub(super) async fn ask(self, folder: &Folder) -> Option<Start> {
        let allowance = match folder.files().await {
            Ok(files) => Allowance::more(&files.settings),
            Err(error) => {
                show_error(folder, Err(error));
                return None;
            }
        };
        let title = |way: &WayOn| match way.id {
            WayOnId::AllowMore => allowance.title(),
            _ => way.title.to_owned(),
        };
        let ways: Vec<(&WayOn, String)> = buttons(&self.ways).into_iter().map(|way| (way, title(way))).collect();
        loop {
            let mut titles: Vec<&str> = ways.iter().map(|(_, title)| title.as_str()).collect();
            let later = usize::from(ways.first().is_some_and(|(way, _)| way.id == WayOnId::ShowChanges));
            titles.insert(later, LATER);
            let asked = window::ask(&folder.client, self.typ, self.message.as_str(), &titles).await;
            let chosen = match &asked {
                Ok(Some(answer)) => ways.iter().find(|(_, title)| title == answer).map(|(way, _)| *way),
                Ok(None) => None,
                Err(RequestError::Refused(_) | RequestError::Unreadable(_)) => {
                    let message = format!("{} {}", self.message, sentence(&self.ways));
                    window::show_message(&folder.client, self.typ, message);
                    None
                }
                Err(_) => None,
            };
            let way = chosen?;
            match way.id {
                WayOnId::ShowChanges => show_error(folder, changes::open_diff(folder, None).await),
                WayOnId::Undo => {
                    show_error(folder, changes::undo(folder, RollbackRequest::default()).await);
                    return None;
                }
                WayOnId::BringBack => {
                    let request = RollbackRequest { undo: true, ..RollbackRequest::default() };
                    show_error(folder, changes::undo(folder, request).await);
                    return None;
                }
                WayOnId::AllowMore => {
                    folder.allowed().raise(allowance);
                    return Some(self.resumed);
                }
                WayOnId::Fix => {
                    let ids = way.arguments.as_ref().and_then(|arguments| arguments["ids"].as_array());
                    let issues = ids.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)).collect();
                    return Some(Goal::Fix { issues }.into());
                }
                _ => return Some(self.resumed),
            }
        }
    }
}

/// Show how a run ended; where something must be decided, returns the question what to do now, which shows it then.
pub(super) fn report(folder: &Arc<Folder>, ended: RunOutcome, resumed: Start) -> Option<Question> {
    let typ = to_proto::message_type(ended.outcome);
    let message = format!("Baton: {}", to_proto::plain(&ended.message, LONGEST));
    if folder.capabilities.outcome && !folder.closing.is_cancelled() {
        return None;
    }
    let must_decide = matches!(ended.outcome, Outcome::Cancelled | Outcome::Failed | Outcome::Escalated);
    if must_decide && !folder.closing.is_cancelled() && !buttons(&ended.ways_on).is_empty() {
        return Some(Question { typ, message, ways: ended.ways_on, resumed });
    }
    window::show_message(&folder.client, typ, format!("{message} {}", sentence(&ended.ways_on)).trim_end());
    None
}

/// Show why what a person chose could not be done.
pub(super) fn show_error(folder: &Folder, done: Result<(), Refused>) {
    if let Err(error) = done {
        window::show_message(&folder.client, MessageType::ERROR, format!("Baton: {error}"));
    }
}
