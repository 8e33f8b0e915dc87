//! `baton trust`: what only a person may confirm.

mod checks;
mod question;

use std::path::{Path, PathBuf};

use crate::cli::args::TrustArgs;
use crate::cli::failure::{Failure, PERSON};
use crate::cli::output::{print, tell};
use crate::cli::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::{Approval, Decision};
use crate::memory::{Origin, Resealed, Store, UncountedFrom};
use crate::text;
use crate::workflow;

use question::{has_terminal, is_yes};

/// Confirm what the flags name.
pub(super) fn trust(start: &Start<'_>, args: &TrustArgs) -> Result<u8, Failure> {
    if !args.moved {
        return checks::trust_checks(start);
    }
    let session = Session::open(start, Overrides::default())?;
    let store = session.memory()?;
    let (moved, rest) = match &store {
        Some(store) => workflow::moved_seals(store)?,
        None => (Vec::new(), Vec::new()),
    };
    let found = moved_text(&moved, &rest);
    if !has_terminal() {
        let message = match moved.is_empty() {
            true => found,
            false => format!("{found}\nOnly a person can take it over: run `baton trust --moved` at a terminal."),
        };
        return Err(Failure::new(PERSON, message.trim_start()));
    }
    let Some(store) = store.filter(|_| !moved.is_empty()) else {
        print(&found)?;
        return Ok(0);
    };
    tell(&found);
    if !is_yes("Take this over? [y/N] ")? {
        print("Nothing was taken over.")?;
        return Ok(PERSON);
    }
    take_over(&store, &moved)
}

fn take_over(store: &Store, moved: &[UncountedFrom]) -> Result<u8, Failure> {
    let paths: Vec<PathBuf> = moved.iter().filter_map(|from| moved_from(from).map(Path::to_owned)).collect();
    let Resealed { approval, acceptance, journals, lines } = workflow::trust_moved(store, &paths)?;
    let answer = if approval { "the answer to the plan, " } else { "" };
    let accepted = if acceptance { "the acceptance of the work as it is, " } else { "" };
    print(&format!(
        "Taken over: {answer}{accepted}{} and {} of transcripts. `baton status` tells where the workflow stands.",
        text::count(journals, "publish journal"),
        text::count(lines, "line")
    ))?;
    Ok(0)
}

/// What would be taken over, and what would not.
fn moved_text(moved: &[UncountedFrom], rest: &[String]) -> String {
    let mut lines: Vec<String> = Vec::new();
    for from in moved {
        let Some(path) = moved_from(from) else { continue };
        lines.push(format!(
            "This project was moved here from {}. You sealed there:",
            text::safe_line(&path.display().to_string())
        ));
        if let Some(approval) = &from.approval {
            let then = match approval.decision {
                Decision::Approved => "`baton run` goes on with it without asking again",
                Decision::Rejected => "the plan is rejected again, and not asked about",
            };
            lines.push(format!("  {}: {then}", approval_text(approval)));
        }
        if from.acceptance {
            lines.push("  the acceptance of the work as it is: the workflow counts as finished again".to_owned());
        }
        if from.journals > 0 {
            let count = text::count(from.journals, "publish journal");
            lines.push(format!("  {count}: `baton diff` and `baton rollback` know of those changes again"));
        }
        if from.transcripts > 0 {
            let count = text::count(from.transcripts, "run");
            lines.push(format!("  the transcripts of {count}: what models answered is not asked and paid for again"));
        }
    }
    if moved.is_empty() {
        lines.push("There is nothing to take over: nothing here was sealed where this project was before.".to_owned());
    }
    lines.extend(rest.iter().map(|line| text::paragraph("", &text::safe_line(line), 100)));
    lines.join("\n")
}

/// `the approval of the plan by a person, 2026-01-02 10:00:00 UTC, tasks T1, T2`
fn approval_text(approval: &Approval) -> String {
    let Approval { decision, by, tasks, at, .. } = approval;
    let what = match decision {
        Decision::Approved => "approval",
        Decision::Rejected => "rejection",
    };
    let by = match by {
        crate::contracts::ApprovedBy::Person => "by a person",
        crate::contracts::ApprovedBy::Auto => "given automatically",
    };
    let at = at.map(|at| format!(", {at}")).unwrap_or_default();
    let tasks = tasks.as_ref().map(|tasks| format!(", for {}", tasks.join(", "))).unwrap_or_default();
    text::safe_line(&format!("the {what} of the plan {by}{at}{tasks}"))
}

fn moved_from(from: &UncountedFrom) -> Option<&Path> {
    match &from.origin {
        Origin::Moved(path) => Some(path),
        _ => None,
    }
}
