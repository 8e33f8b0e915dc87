//! `baton review --base`: reviews the working tree against a commit.

use std::sync::Arc;

use super::args::{FailOn, ReviewArgs};
use super::failure::{Failure, ISSUES, Place};
use super::gate;
use super::last_line::{LastLine, with_last_line};
use super::output::exit_code_after;
use super::progress::{Progress, Style};
use super::report_args::BaselineArgs;
use super::reports::{Baseline, Ending, Reports};
use super::run::{EndReport, drive, exit_code, worse};
use super::runtime::block_on;
use super::session::{Session, Start};
use crate::contracts::{BaseReview, Handoff, Severity};
use crate::memory::Store;
use crate::text;
use crate::workflow::{Goal, Outcome, RunEnd};

/// Review, and answer with the exit code for what was found.
pub(super) fn review(start: &Start<'_>, args: ReviewArgs) -> Result<u8, Failure> {
    let is_json = args.json;
    let done = Reports::open(&args.reports, is_json).and_then(|mut reports| {
        let done = review_with(start, args, &mut reports);
        reports.also_of_failure(done)
    });
    with_last_line(is_json, done)
}

fn review_with(start: &Start<'_>, args: ReviewArgs, reports: &mut Reports) -> Result<u8, Failure> {
    let session = Session::open(start, args.models.overrides())?;
    reports.set_root(session.workspace.root());
    let baseline = baseline(&args.baseline, &session)?;
    let progress = (!args.json).then(|| Arc::new(Progress::new(Style::for_stderr(), &session.phases)));
    let engine = session.engine(Arc::new(gate::NonInteractiveApprover))?;
    let mut report = EndReport::of(&engine).with_flags(start, &args.models);
    report.is_aside = reports.takes_standard_output();
    let request = Goal::ReviewAgainst { base: args.base }.into();
    let (run, mut ended) = block_on(drive(engine, request, args.timeout, progress))??;
    let mut ending = Ending { baseline, shows_new_only: args.baseline.new_only, ..report.ending(&ended, 0) };
    let is_reached = ended.outcome == Outcome::Done && reaches(&ending, args.fail_on);
    let code = if is_reached { ISSUES } else { exit_code(&ended) };
    ending.exit_code = code;
    let written = reports.write(&ending);
    let printed = match args.json {
        true => LastLine::of_base_review(&run, &ended, code).print(),
        false => {
            tell_compared(&mut ended, &ending);
            report.print_base_review(&(run, ended), is_reached.then(|| reached_words(&ending, args.fail_on)))
        }
    };
    exit_code_after(code, worse(written, printed))
}

/// What the issues are compared with: the file that was named, else what the last review here found.
fn baseline(args: &BaselineArgs, session: &Session) -> Result<Option<Baseline>, Failure> {
    if let Some(file) = &args.baseline {
        return Baseline::read(file).map(Some);
    }
    if !args.new_only {
        return Ok(None);
    }
    let Some(store) = session.memory()? else { return Ok(Some(Baseline::default())) };
    last_review(&store).map(Some)
}

fn last_review(store: &Store) -> Result<Baseline, Failure> {
    let (memory, faults) = store.inspect()?;
    let name = store.name(BaseReview::FILE);
    if let Some(faulty) = faults.into_iter().find(|faulty| faulty.file == name) {
        let place = faulty.faults.first().map(|fault| fault.position);
        let at = place.map(|place| format!(":{place}")).unwrap_or_default();
        let why = faulty.faults.first().map(|fault| fault.message.as_str()).unwrap_or_default();
        let message = format!("{name}{at}: the last review, with which issues are compared, cannot be read: {why}");
        let place = Place { file: name, line: place.map(|place| place.line) };
        return Err(Failure { place: Some(place), ..Failure::usage(message) });
    }
    Ok(memory.base_review.as_ref().map(Baseline::of_review).unwrap_or_default())
}

/// Have the end say how many issues are new, and show these alone where that was asked for.
fn tell_compared(ended: &mut RunEnd, ending: &Ending) {
    let Some(compared) = ending.compared_words() else { return };
    ended.message = format!("{} {compared}.", ended.message.trim_end());
    if let Some(review) = ended.review.as_mut().filter(|_| ending.shows_new_only) {
        let findings = ending.findings();
        let is_new = |id: &str| findings.iter().any(|finding| finding.issue.id == id && finding.counts());
        review.issues.retain(|issue| is_new(&issue.id));
    }
}

fn reaches(ending: &Ending, fail_on: FailOn) -> bool {
    count_reached(ending, fail_on) > 0
}

/// How many of the issues that count are as bad.
fn count_reached(ending: &Ending, fail_on: FailOn) -> usize {
    let bound = match fail_on {
        FailOn::Critical => Severity::Critical,
        FailOn::Major => Severity::Major,
        FailOn::Minor => Severity::Minor,
        FailOn::Never => return 0,
    };
    // Severities are ordered worst first.
    ending.findings().iter().filter(|finding| finding.counts() && finding.issue.severity <= bound).count()
}

/// Why the code is that of `--fail-on`.
fn reached_words(ending: &Ending, fail_on: FailOn) -> String {
    let number = count_reached(ending, fail_on);
    let are = if number == 1 { "is" } else { "are" };
    let bad = match fail_on {
        FailOn::Critical => "critical",
        FailOn::Major => "major or worse",
        FailOn::Minor | FailOn::Never => "minor or worse",
    };
    format!("{} {are} {bad}; exit {ISSUES}.", text::count(number, "issue"))
}
