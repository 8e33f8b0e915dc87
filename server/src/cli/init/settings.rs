//! The workspace's baton.toml: the checks that the project shows, and the defaults, commented out.

use super::proposal::{Outcome, Proposal};
use crate::cli::failure::Failure;
use crate::cli::output::{columns, print};
use crate::cli::session::Session;
use crate::config::{self, Check, WORKSPACE_FILE, settings_template, with_check};
use crate::text;
use crate::workspace::{DetectedCheck, detected_checks, unified};

const CHECKS: &str = "
# How this project is tested: each command is run by `sh -c` in the root, once the person at this machine has let it with
# `baton trust`. timeout_s = 600, network = false, try = true, secrets = false and paths = [] are the defaults.";

const NO_CHECKS: &str = "
# [[checks]]
# name = \"test\"
# command = \"make test\"
";

/// Write baton.toml, or show what could be added to the one there is.
pub(super) fn init(session: &Session, dry_run: bool) -> Result<u8, Failure> {
    let found = detected_checks(&session.workspace, &config::has_program);
    let mut problem = None;
    let proposal = Proposal::of(&session.workspace, WORKSPACE_FILE, |before| match before {
        Some(_) => Outcome::Same,
        None => new_text(&found).map_or_else(
            |error| {
                problem = Some(error.clone());
                Outcome::Left(error)
            },
            Outcome::Write,
        ),
    })?;
    if proposal.is_left() {
        proposal.show()?;
        return Err(Failure::failed(problem.unwrap_or_else(|| format!("{WORKSPACE_FILE} was not written"))));
    }
    if let Some(before) = &proposal.before {
        return show_missing(&proposal, before, session, &found);
    }
    match dry_run {
        true => proposal.show()?,
        false => proposal.carry_out(&session.workspace)?,
    }
    if !found.is_empty() {
        let listed: Vec<String> = found.iter().map(|check| format!("`{}`", text::revealed(&check.command))).collect();
        say(&format!("The project shows that it is checked by {}.", listed.join(", ")))?;
    } else {
        say("Nothing here shows how the project is tested; set [[checks]] in it, so that the work is tried.")?;
    }
    if !dry_run {
        next(!found.is_empty())?;
    }
    Ok(0)
}

/// What to do next.
fn next(has_checks: bool) -> Result<(), Failure> {
    print("\nNext:")?;
    if has_checks {
        print("  baton trust                            look at the checks, and let them run")?;
    }
    print("  baton doctor                           look whether a model is set up")?;
    print("  baton run --task \"Add a --json flag\"   begin")
}

/// A new file with these checks.
fn new_text(found: &[DetectedCheck]) -> Result<String, String> {
    let mut file = settings_template();
    file.push_str(CHECKS);
    if found.is_empty() {
        return Ok(file + NO_CHECKS);
    }
    for DetectedCheck { name, source, .. } in found {
        file.push_str(&format!("\n# {} is what {} shows.", text::safe_line(name), text::safe_line(source)));
    }
    file.push('\n');
    found.iter().try_fold(file, |file, check| with_check(&file, &of(check)))
}

/// Show what could be added to the file that is there.
fn show_missing(proposal: &Proposal, before: &str, session: &Session, found: &[DetectedCheck]) -> Result<u8, Failure> {
    let set = |found: &&DetectedCheck| session.settings.checks.iter().all(|check| check.command != found.command);
    let missing: Vec<&DetectedCheck> = found.iter().filter(set).collect();
    // A check whose name is taken is one that the person set otherwise.
    let after = missing.iter().fold(before.to_owned(), |text, check| with_check(&text, &of(check)).unwrap_or(text));
    if after == before {
        say(&format!(
            "{WORKSPACE_FILE} is there already and was left as it is; the project shows no check that it lacks."
        ))?;
        return Ok(0);
    }
    say(&format!(
        "{WORKSPACE_FILE} is there already and was left as it is. What the project shows could be added by hand:"
    ))?;
    let diff = unified(&proposal.path, Some(before.as_bytes()), Some(after.as_bytes()));
    print(&format!("\n{}", text::safe_lines(&diff).trim_end()))?;
    Ok(0)
}

fn of(found: &DetectedCheck) -> Check {
    Check::of_workspace(&found.name, &found.command)
}

fn say(sentence: &str) -> Result<(), Failure> {
    print(&text::paragraph("", sentence, columns()))
}
