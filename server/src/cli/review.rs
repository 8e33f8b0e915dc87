//! `baton review --base`: reviews the working tree against a commit.

use std::sync::Arc;

use super::args::{FailOn, ReviewArgs};
use super::failure::{Failure, ISSUES};
use super::gate;
use super::output::{exit_code_after, print};
use super::progress::{Progress, Style};
use super::run::{EndReport, block_on, drive, exit_code, last_line};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::{ReviewOutput, Severity};
use crate::text;
use crate::workflow::{Goal, Outcome};

/// Review, and answer with the exit code for what was found.
pub(super) fn review(start: &Start<'_>, args: ReviewArgs) -> Result<u8, Failure> {
    let flags = Overrides { provider: args.provider.clone(), ..Overrides::default() };
    let session = Session::open(start, flags)?;
    let progress = (!args.json).then(|| Arc::new(Progress::new(Style::for_stderr(), &session.phases)));
    let engine = session.engine(Arc::new(gate::NonInteractiveApprover))?;
    let report = EndReport::of(&engine);
    let request = Goal::ReviewAgainst { base: args.base }.into();
    let end = block_on(drive(engine, request, args.timeout, progress))??;
    let printed =
        if args.json { print(&text::safe_json(&last_line(&end).to_string())) } else { report.print_base_review(&end) };
    let (_, end) = end;
    let is_reached = end.outcome == Outcome::Done && end.review.as_ref().is_some_and(|r| reaches(r, args.fail_on));
    exit_code_after(if is_reached { ISSUES } else { exit_code(&end) }, printed)
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
