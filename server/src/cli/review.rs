//! `baton review --base`: reviews the working tree against a commit.

use std::sync::Arc;

use super::args::{FailOn, ReviewArgs};
use super::failure::{Failure, ISSUES};
use super::gate;
use super::last_line::{LastLine, with_last_line};
use super::output::exit_code_after;
use super::progress::{Progress, Style};
use super::run::{EndReport, drive, exit_code};
use super::runtime::block_on;
use super::session::{Session, Start};
use crate::contracts::{ReviewOutput, Severity};
use crate::workflow::{Goal, Outcome};

/// Review, and answer with the exit code for what was found.
pub(super) fn review(start: &Start<'_>, args: ReviewArgs) -> Result<u8, Failure> {
    let is_json = args.json;
    with_last_line(is_json, review_with(start, args))
}

fn review_with(start: &Start<'_>, args: ReviewArgs) -> Result<u8, Failure> {
    let session = Session::open(start, args.models.overrides())?;
    let progress = (!args.json).then(|| Arc::new(Progress::new(Style::for_stderr(), &session.phases)));
    let engine = session.engine(Arc::new(gate::NonInteractiveApprover))?;
    let report = EndReport::of(&engine);
    let request = Goal::ReviewAgainst { base: args.base }.into();
    let end = block_on(drive(engine, request, args.timeout, progress))??;
    let (run, ended) = &end;
    let is_reached = ended.outcome == Outcome::Done && ended.review.as_ref().is_some_and(|r| reaches(r, args.fail_on));
    let code = if is_reached { ISSUES } else { exit_code(ended) };
    let printed = match args.json {
        true => LastLine::of_base_review(run, ended, code).print(),
        false => report.print_base_review(&end),
    };
    exit_code_after(code, printed)
}

fn reaches(review: &ReviewOutput, fail_on: FailOn) -> bool {
    let bound = match fail_on {
        FailOn::Critical => Severity::Critical,
        FailOn::Major => Severity::Major,
        FailOn::Minor => Severity::Minor,
        FailOn::Never => return false,
    };
    // Severities are ordered worst first.
    review.issues.iter().any(|issue| issue.severity <= bound)
}
