//! What can be done where a run did not come to its end: after a cancel, a failure or a spent budget, and after a kill,
//! at the next start.

use std::sync::Arc;

use tower_lsp::lsp_types::MessageType;

use super::runs::Start;
use crate::config::Settings;
use crate::lsp::commands::changes;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::client::RequestError;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::text;
use crate::workflow::{EventErrorKind, NextStep, Outcome, Status};

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
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    /// What that means, for people.
    pub(crate) message: String,
    pub(crate) error: Option<EventErrorKind>,
}

/// What the user allowed the workflow beyond its budget.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Allowance {
    usd: f64,
    tokens: u64,
}

impl Allowance {
    /// Nothing any more.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Raise the budget by what was allowed.
    pub(crate) fn add_to(self, settings: &mut Settings) {
        settings.budget_usd += self.usd;
        settings.budget_tokens = settings.budget_tokens.map(|tokens| tokens.saturating_add(self.tokens));
    }

    /// As much again as the settings give.
    fn more(settings: &Settings) -> Self {
        Self { usd: settings.budget_usd, tokens: settings.budget_tokens.unwrap_or_default() }
    }

    fn raise(&mut self, by: Self) {
        self.usd += by.usd;
        self.tokens = self.tokens.saturating_add(by.tokens);
    }

    /// `Allow $5.00 more`
    fn title(self) -> String {
        match self.tokens {
            0 => format!("Allow {} more", text::cost(self.usd)),
            tokens => format!("Allow {} and {} tokens more", text::cost(self.usd), text::tokens(tokens)),
        }
    }
}

/// Say how a run ended, and where it did not come to its end, ask what now.
pub(crate) fn tell(folder: &Arc<Folder>, ended: Ended, start: &Start) {
    let typ = to_proto::message_type(ended.outcome);
    let message = format!("Baton: {}", to_proto::plain(&ended.message, LONGEST));
    let again = start.resumed();
    match (ended.outcome, ended.error) {
        _ if folder.closing.is_cancelled() => window::tell(&folder.client, typ, message),
        (Outcome::Cancelled | Outcome::Failed, _) => {
            folder.offer(ask(folder.clone(), typ, message, [SHOW_CHANGES, UNDO_RUN, RESUME], again));
        }
        (Outcome::Escalated, Some(EventErrorKind::Budget)) => {
            folder.offer(ask_for_more(folder.clone(), typ, message, again));
        }
        (Outcome::Waiting, _) => {
            let how = "In the editor, baton.approve takes the plan and goes on, and baton.reject ends it.";
            window::tell(&folder.client, typ, format!("{message} {how}"));
        }
        _ => window::tell(&folder.client, typ, message),
    }
}

/// Look whether a workflow was interrupted before this server began, and offer to go on. Nothing is resumed unasked.
pub(crate) async fn greet(folder: Arc<Folder>) {
    let of = folder.clone();
    let found = folder.with_files(move |files| {
        let Some((status, store)) = of.status(files)?.filter(|(_, store)| store.holder().is_none()) else {
            return Ok(None);
        };
        Ok(Some((status, store.name("plan.md"))))
    });
    match found.await {
        Ok(Some((status, plan))) => {
            if folder.at_work().await.is_none() {
                greet_with(&folder, &status, &plan);
            }
        }
        Ok(None) => {}
        // Faults are diagnostics, and whoever starts something is told the rest.
        Err(error) => tracing::debug!(%error, "whether a workflow was interrupted is not known"),
    }
}

fn greet_with(folder: &Arc<Folder>, status: &Status, plan: &str) {
    let task = to_proto::plain(status.task.as_deref().unwrap_or("a task"), 100);
    if status.gate.is_some() {
        let message = format!(
            "Baton: a plan waits for your answer (“{task}”). Read {}, then run baton.approve or baton.reject; \
             baton.plan with {{\"feedback\": \"…\"}} asks for another one.",
            folder.path.join(plan).display()
        );
        window::tell(&folder.client, MessageType::INFO, message);
        return;
    }
    if let (Some(fault), NextStep::Gate) = (status.faults.first(), status.next) {
        let message = format!(
            "Baton: a plan waits for your answer (“{task}”) and cannot be shown: {}:{}:{}: {} Mend it, or run baton.reject; \
             baton.plan with {{\"feedback\": \"…\"}} has another one made.",
            fault.file,
            fault.line,
            fault.column,
            to_proto::plain(&fault.message, 300)
        );
        window::tell(&folder.client, MessageType::WARNING, message);
        return;
    }
    let was_cut = matches!(status.outcome, None | Some(Outcome::Cancelled));
    if status.run.is_some() && was_cut && !matches!(status.next, NextStep::None | NextStep::Task) {
        let message = format!("Baton: a workflow was interrupted (“{task}”). Next would be: {}.", status.next);
        let titles = [RESUME, SHOW_CHANGES, UNDO, LATER];
        folder.offer(ask(folder.clone(), MessageType::INFO, message, titles, Start::default()));
    }
}

/// Ask until the answer is one that needs no further one.
async fn ask<const N: usize>(
    folder: Arc<Folder>,
    typ: MessageType,
    message: String,
    titles: [&'static str; N],
    again: Start,
) {
    loop {
        match window::ask(&folder.client, typ, message.as_str(), &titles).await.as_ref().map(Option::as_deref) {
            Ok(Some(SHOW_CHANGES)) => said(&folder, changes::show(&folder, None).await),
            Ok(Some(UNDO_RUN | UNDO)) => return said(&folder, changes::undo(&folder).await),
            Ok(Some(RESUME)) => return said(&folder, folder.start(again).await.map(drop)),
            Err(RequestError::Refused(_) | RequestError::Unreadable(_)) => {
                let how = "baton.workflow goes on, baton.diff shows what was changed, baton.rollback undoes it.";
                return window::tell(&folder.client, typ, format!("{message} {how}"));
            }
            _ => return,
        }
    }
}

/// The budget is spent: ask for more.
async fn ask_for_more(folder: Arc<Folder>, typ: MessageType, message: String, again: Start) {
    let more = match folder.files().await {
        Ok(files) => Allowance::more(&files.settings),
        Err(error) => return said(&folder, Err(error)),
    };
    let allow = more.title();
    loop {
        // A stray key takes the first one, and so must spend nothing.
        let titles = [SHOW_CHANGES, NOT_NOW, allow.as_str()];
        match window::ask(&folder.client, typ, message.as_str(), &titles).await.as_ref().map(Option::as_deref) {
            Ok(Some(title)) if title == allow => {
                folder.allowed().raise(more);
                return said(&folder, folder.start(again).await.map(drop));
            }
            Ok(Some(SHOW_CHANGES)) => said(&folder, changes::show(&folder, None).await),
            Err(RequestError::Refused(_) | RequestError::Unreadable(_)) => {
                let how = "Raise budget_usd or budget_tokens in the settings; baton.workflow then goes on.";
                return window::tell(&folder.client, typ, format!("{message} {how}"));
            }
            _ => return,
        }
    }
}

fn said(folder: &Folder, done: Result<(), Refused>) {
    if let Err(error) = done {
        window::tell(&folder.client, MessageType::ERROR, format!("Baton: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_added_to_the_budget_and_gone_with_the_workflow() {
        let settings = Settings { budget_tokens: Some(1_000), ..Settings::default() };
        let mut allowed = Allowance::default();
        let more = Allowance::more(&settings);
        assert_eq!(more.title(), "Allow $5.00 and 1.0k tokens more");
        allowed.raise(more);
        allowed.raise(more);
        let mut raised = settings.clone();
        allowed.add_to(&mut raised);
        assert_eq!((raised.budget_usd, raised.budget_tokens), (15.0, Some(3_000)));
        allowed.clear();
        let mut same = settings.clone();
        allowed.add_to(&mut same);
        assert_eq!(same, settings);
        let mut without = Settings::default();
        more.add_to(&mut without);
        assert_eq!(without.budget_tokens, None, "where there is no limit, none appears");
        assert_eq!(Allowance::more(&without).title(), "Allow $10.00 more");
    }
}
