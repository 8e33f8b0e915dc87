//! The checks of a workspace, shown in full and trusted by a person.

use std::sync::Arc;
use std::time::Duration;

use super::question::{has_terminal, is_yes, typed};
use crate::cli::failure::{Failure, PERSON};
use crate::cli::gate::NonInteractiveApprover;
use crate::cli::gate::checks::{offer_lines, offer_question, parse_offer_answer, trust_question};
use crate::cli::output::{exit_code_after, print, tell};
use crate::cli::progress::{Progress, Style};
use crate::cli::run::{EndReport, drive, exit_code};
use crate::cli::runtime::block_on;
use crate::cli::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::{GateCheck, OfferedCheck};
use crate::memory::Store;
use crate::text;
use crate::workflow::{self, CheckAnswer, GateSources, Goal, WaitingChecks};

/// Columns of what is printed in paragraphs.
const WIDTH: usize = 100;

const NOTHING: &str = "There is nothing to trust here: no checks are set. `baton trust --moved` takes over the memory of a \
                       project that was moved.";

/// Show the checks that are not trusted, and ask; where none are set, offer what the workspace shows.
pub(super) fn trust_checks(start: &Start<'_>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let store = workflow::open_store(&session.workspace, &session.settings, &session.phases)?;
    let WaitingChecks { set, offered } = workflow::waiting_checks(&store, &session.settings);
    let untrusted: Vec<&GateCheck> = set.iter().filter(|check| !check.trusted).collect();
    if !untrusted.is_empty() {
        return ask_to_trust(session, &store, &untrusted);
    }
    if set.is_empty() {
        return offer(session, &store, &offered);
    }
    let these = if set.len() == 1 { "this check" } else { "these checks" };
    print(&format!("There is nothing left to trust: {these} may run.\n{}", shown(set.iter())))?;
    offer_to_run(session, &store)
}

fn ask_to_trust(session: Session, store: &Store, untrusted: &[&GateCheck]) -> Result<u8, Failure> {
    let what = if untrusted.len() == 1 { "This check has" } else { "These checks have" };
    let found = format!(
        "{what} not been trusted as written here; checks run commands, and code of this workspace, on your computer.\n{}",
        shown(untrusted.iter().copied())
    );
    if !has_terminal() {
        let them = if untrusted.len() == 1 { "it" } else { "them" };
        let message = format!("{found}\nOnly a person can trust {them}: run `baton trust` at a terminal.");
        return Err(Failure::new(PERSON, message));
    }
    tell(&found);
    if !is_yes(trust_question(untrusted.len()).trim_end_matches("> "))? {
        let are = if untrusted.len() == 1 { "this check is" } else { "these checks are" };
        print(&format!("Nothing was trusted; {are} skipped."))?;
        return Ok(PERSON);
    }
    let trust = untrusted.iter().map(|check| check.id.clone()).collect();
    answer(session, store, &CheckAnswer { trust, remember: None })
}

fn offer(session: Session, store: &Store, offered: &[OfferedCheck]) -> Result<u8, Failure> {
    if offered.is_empty() {
        print(NOTHING)?;
        return Ok(0);
    }
    let found = format!("No checks are set. This workspace shows how it is checked:\n{}", {
        offer_lines(offered, WIDTH).join("\n")
    });
    if !has_terminal() {
        let message = format!("{found}\nAt a terminal `baton trust` asks whether to remember that in baton.toml.");
        return Err(Failure::new(PERSON, message));
    }
    tell(&found);
    loop {
        match parse_offer_answer(&typed(offer_question(offered.len()))?, offered) {
            Ok(said) if said.remember.as_ref().is_none_or(Vec::is_empty) => {
                workflow::answer_checks(store, &session.settings, &said)?;
                print("Nothing was changed.")?;
                return Ok(0);
            }
            Ok(said) => return answer(session, store, &said),
            Err(message) => tell(&message),
        }
    }
}

fn answer(session: Session, store: &Store, said: &CheckAnswer) -> Result<u8, Failure> {
    if !store.seal().is_kept() {
        return Err(Failure::failed(
            "it cannot be kept which checks may run: Baton's state folder ($XDG_STATE_HOME/baton, else \
             ~/.local/state/baton) cannot be written. Make it writable",
        ));
    }
    let answered = workflow::answer_checks(store, &session.settings, said)?;
    show_in_plan(&session, store)?;
    let words = answered.words().unwrap_or_else(|| "Nothing was changed".to_owned());
    print(&format!("{words}. A command that changes is asked about again."))?;
    offer_to_run(session, store)
}

/// Where checks were skipped and the work is finished, ask whether to run them now, on the work as it is.
fn offer_to_run(session: Session, store: &Store) -> Result<u8, Failure> {
    const QUESTION: &str = "Run what was skipped now, on the work as it is? [y/N] ";
    if !has_terminal() || !workflow::can_run_skipped(store)? || !is_yes(QUESTION)? {
        return Ok(0);
    }
    let progress = Arc::new(Progress::new(Style::for_stderr(), &session.phases));
    let engine = session.engine(Arc::new(NonInteractiveApprover))?;
    let report = EndReport::of(&engine);
    let end = block_on(drive(engine, Goal::Checks.into(), None, Some(progress)))??;
    exit_code_after(exit_code(&end.1), report.print(&end))
}

/// plan.md says which checks run; nothing where no plan waits.
fn show_in_plan(session: &Session, store: &Store) -> Result<(), Failure> {
    if !store.exists() {
        return Ok(());
    }
    let models = session.models();
    let usage = store.workflow_spending()?.into_iter().sum();
    let Session { settings, phases, .. } = session;
    workflow::show_plan(&GateSources { store, settings, models: models.as_ref(), usage, phases })?;
    Ok(())
}

/// The lines of a command, in which nothing is hidden.
fn in_full(command: &str) -> Vec<String> {
    let command = text::revealed(command.strip_suffix('\n').unwrap_or(command));
    command.split('\n').map(|line| format!("      {line}")).collect()
}

/// Each check in full, with all that a person says yes to.
fn shown<'a>(checks: impl Iterator<Item = &'a GateCheck>) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let timeout = text::whole_seconds(Duration::from_secs(check.timeout_s));
        let head = format!("{} ({}; {timeout} at most{})", check.name, check.whence, check.rights());
        lines.push(text::paragraph("  ", &head, WIDTH));
        lines.extend(in_full(&check.command));
        if let Some(before) = check.before.as_ref().filter(|before| **before != check.command) {
            lines.push("    changed since you trusted it; it was:".to_owned());
            lines.extend(in_full(before));
        } else if check.before.is_some() {
            lines.push("    what it may do changed since you trusted it".to_owned());
        }
    }
    lines.join("\n")
}
