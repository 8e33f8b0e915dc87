//! `baton.trust`: the checks that nobody has trusted yet, shown in full and asked about, at any time; where none are set, what
//! the workspace shows it is checked by.

use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use super::confirmation::Confirmation;
use crate::contracts::{GateCheck, OfferedCheck};
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::gate::checks::{REMEMBER, listed, offer_question, trust_question};
use crate::lsp::run::runs;
use crate::lsp::wire::window;
use crate::workflow::{self, CheckAnswer, Goal};

const NOTHING: &str = "There is nothing to trust: what is set may run.";
const NO_CHECKS: &str = "There is nothing to trust: no checks are set.";

/// Ask whether the untrusted checks may run, and then whether to run those that were skipped; where none are set, whether to
/// remember what the workspace shows. Answers at once with what is asked; `message` says that nothing is.
pub(super) async fn trust(folder: &Arc<Folder>) -> Result<Value, Refused> {
    let found = folder.with_files(|files| {
        let store = files.make_memory()?;
        let checks = workflow::waiting_checks(&store, &files.settings);
        Ok((checks, workflow::can_run_skipped(&store)?))
    });
    let (checks, can_run) = found.await?;
    let untrusted: Vec<GateCheck> = checks.untrusted().cloned().collect();
    if checks.set.is_empty() && !checks.offered.is_empty() {
        ask_to_remember(folder, &checks.offered);
        return Ok(json!({ "asked": checks.offered.iter().map(|offer| &offer.name).collect::<Vec<_>>() }));
    }
    if untrusted.is_empty() && !can_run {
        let message = if checks.set.is_empty() { NO_CHECKS } else { NOTHING };
        if !folder.capabilities.plugin {
            window::show_message(&folder.client, MessageType::INFO, format!("Baton: {message}"));
        }
        return Ok(json!({ "asked": [], "message": message }));
    }
    if untrusted.is_empty() {
        offer_to_run(folder);
    } else {
        ask(folder, &untrusted);
    }
    Ok(json!({ "asked": untrusted.iter().map(|check| &check.name).collect::<Vec<_>>() }))
}

fn ask(folder: &Arc<Folder>, untrusted: &[GateCheck]) {
    let ids: Vec<String> = untrusted.iter().map(|check| check.id.clone()).collect();
    let question = Confirmation {
        message: format!("{}{}", trust_question(untrusted.len()), listed(untrusted.iter())),
        yes: if untrusted.len() == 1 { "Trust It" } else { "Trust Them" },
        refused: "Baton: nothing was trusted, and what is not is skipped. baton.trust asks again.",
    };
    question.ask(folder, |folder| take(folder, CheckAnswer { trust: ids, remember: None }));
}

fn ask_to_remember(folder: &Arc<Folder>, offered: &[OfferedCheck]) {
    let ids = offered.iter().map(|offer| offer.id.clone()).collect();
    let question = Confirmation {
        message: offer_question(offered),
        yes: REMEMBER,
        refused: "Baton: nothing was remembered, and no check runs. baton.trust asks again.",
    };
    question.ask(folder, |folder| take(folder, CheckAnswer { trust: Vec::new(), remember: Some(ids) }));
}

/// Take a yes to checks.
async fn take(folder: Arc<Folder>, answer: CheckAnswer) -> Result<(), Refused> {
    let of = folder.clone();
    let taken = folder.with_files(move |files| {
        let store = files.make_memory()?;
        let words = workflow::answer_checks(&store, &files.settings, &answer)?.words();
        if store.exists() {
            of.with_gate(files, |sources| Ok(workflow::show_plan(sources)?))?;
        }
        Ok((words, workflow::can_run_skipped(&store)?))
    });
    let (words, can_run) = taken.await?;
    folder.refresh().await;
    if can_run {
        offer_to_run(&folder);
    } else if let Some(words) = words {
        window::show_message(&folder.client, MessageType::INFO, format!("Baton: {words}."));
    }
    Ok(())
}

/// Ask whether to run what was skipped, on the work as it is.
fn offer_to_run(folder: &Arc<Folder>) {
    let question = Confirmation {
        message: "Baton: what was skipped may run by now. Run it on the work as it is?".to_owned(),
        yes: "Run the Checks",
        refused: "Baton: what was skipped was not run. baton.trust offers it again.",
    };
    question.ask(folder, |folder| async move { runs::start(&folder, Goal::Checks.into()).await.map(drop) });
}
