//! `baton review --base`: the working tree against a commit, judged.

use std::sync::Arc;

use super::args::{FailOn, ReviewArgs};
use super::failure::{Failure, ISSUES};
use super::output::ended;
use super::progress::{Progress, Style};
use super::run::{Place, block_on, drive, exit_code, last_line};
use super::session::{Session, Start};
use super::{gate, print};
use crate::config::Overrides;
use crate::contracts::{ReviewOutput, Severity};
use crate::text;
use crate::workflow::{Goal, Outcome};

/// Review, and end with the code that what was found has.
pub(super) fn review(start: &Start<'_>, args: ReviewArgs) -> Result<u8, Failure> {
    let flags = Overrides { provider: args.provider.clone(), ..Overrides::default() };
    let session = Session::open(start, flags)?;
    let progress = (!args.json).then(|| Arc::new(Progress::new(Style::for_stderr())));
    let engine = session.engine(Arc::new(gate::NonInteractiveApprover))?;
    let place = Place::of(&engine);
    let request = Goal::ReviewAgainst { base: args.base }.into();
    let end = block_on(drive(engine, request, args.timeout, progress))??;
    let telling = if args.json { print(&text::safe_json(&last_line(&end).to_string())) } else { place.tell(&end) };
    let (_, end) = end;
    let is_reached = end.outcome == Outcome::Done && end.review.as_ref().is_some_and(|r| reaches(r, args.fail_on));
    ended(if is_reached { ISSUES } else { exit_code(&end) }, telling)
}

fn reaches(review: &ReviewOutput, fail_on: FailOn) -> bool {
    let bound = match fail_on {
        FailOn::Critical => Severity::Critical,
        FailOn::Major => Severity::Major,
        FailOn::Minor => Severity::Minor,
        FailOn::Never => return false,
    };
    // The worst comes first.
    review.issues.iter().any(|issue| issue.severity <= bound)
}
