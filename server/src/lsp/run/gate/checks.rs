//! The question about the checks, in a client without an interface of its own.

use tower_lsp::lsp_types::MessageType;

use crate::contracts::{GateCheck, OfferedCheck};
use crate::lsp::wire::client::Client;
use crate::lsp::wire::to_proto::plain;
use crate::lsp::wire::window;
use crate::text::{cut, revealed};
use crate::workflow::{CheckAnswer, GateContent};

// A stray Enter takes the first answer in some clients: it lets nothing run and changes nothing.
const NOT_NOW: &str = "Not Now";
const NEVER: &str = "Don't Ask Again";
pub(crate) const REMEMBER: &str = "Remember and Run";

/// Most characters of a command in a question.
const SHOWN: usize = 2_000;

/// What the question about a plan says of the checks.
pub(super) fn lines(content: &GateContent) -> Vec<String> {
    let check = |check: &GateCheck| {
        let skipped = check.why_skipped().map(|why| format!(" (skipped: {why})")).unwrap_or_default();
        format!("Check after the work: {}{}{skipped}", named(&check.name, &check.command), check.rights())
    };
    content.checks.iter().map(check).collect()
}

/// Ask about the checks. Only the one button says yes.
pub(super) async fn ask(client: &Client, content: &GateContent) -> CheckAnswer {
    let untrusted: Vec<&GateCheck> = content.untrusted().collect();
    if untrusted.is_empty() {
        return ask_about_offers(client, &content.offered_checks).await;
    }
    let (asked, skip, run) = match untrusted.len() {
        1 => ("this check of the workspace is not trusted yet. Run it after the work?", "Skip It", "Run It"),
        _ => ("these checks of the workspace are not trusted yet. Run them after the work?", "Skip Them", "Run Them"),
    };
    let question = format!("Baton: {asked}{}", listed(untrusted.iter().copied()));
    let is_yes = matches!(
        window::ask(client, MessageType::WARNING, question, &[skip, run]).await,
        Ok(Some(title)) if title == run
    );
    let trust = if is_yes { untrusted.iter().map(|check| check.id.clone()).collect() } else { Vec::new() };
    CheckAnswer { trust, remember: None }
}

/// The question about untrusted checks outside of a gate.
pub(crate) fn trust_question(count: usize) -> &'static str {
    match count {
        1 => {
            "Baton: this check of the workspace is not trusted yet. It runs a command, and code of the workspace, on your \
              computer. Let it run?"
        }
        _ => {
            "Baton: these checks of the workspace are not trusted yet. They run commands, and code of the workspace, on \
              your computer. Let them run?"
        }
    }
}

/// A line for each check, with all that a person says yes to.
pub(crate) fn listed<'a>(checks: impl Iterator<Item = &'a GateCheck>) -> String {
    let line = |check: &GateCheck| {
        let before = check.before.as_ref().filter(|before| **before != check.command);
        let before = before.map(|before| format!(" (it was: {})", in_full(before))).unwrap_or_default();
        format!("\n{}{}{before}", named(&check.name, &check.command), check.rights())
    };
    checks.map(line).collect()
}

/// A command in which nothing is hidden; what is longer than anybody reads is cut, and that is seen.
fn in_full(command: &str) -> String {
    cut(&revealed(command.trim_end_matches('\n')), SHOWN).replace('\n', "\n    ")
}

async fn ask_about_offers(client: &Client, offered: &[OfferedCheck]) -> CheckAnswer {
    if offered.is_empty() {
        return CheckAnswer::default();
    }
    let answer = window::ask(client, MessageType::INFO, offer_question(offered), &[NOT_NOW, NEVER, REMEMBER]).await;
    let remember = match answer.ok().flatten().as_deref() {
        Some(REMEMBER) => Some(offered.iter().map(|offer| offer.id.clone()).collect()),
        Some(NEVER) => Some(Vec::new()),
        _ => None,
    };
    CheckAnswer { trust: Vec::new(), remember }
}

/// The question about commands that could be checks, with a line for each.
pub(crate) fn offer_question(offered: &[OfferedCheck]) -> String {
    let shown = offered.iter().map(|offer| format!("\n{} ({})", in_full(&offer.command), plain(&offer.reason, 80)));
    let asked = match offered.len() {
        1 => "Remember this one in baton.toml, and run it after the work?",
        _ => "Remember these in baton.toml, and run them after the work?",
    };
    format!("Baton: no checks are set. {asked}{}", shown.collect::<String>())
}

/// `test: cargo test`
fn named(name: &str, command: &str) -> String {
    format!("{}: {}", plain(name, 80), in_full(command))
}
