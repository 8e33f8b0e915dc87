//! `baton run`: take a task through the workflow and show its progress. Also what every subcommand that starts a run shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::args::{PlanArgs, RunArgs};
use super::attention::{self, Attention};
use super::failure::{CANCELLED, FAILED, Failure, NO_CONCLUSION, PERSON, REJECTED, USAGE};
use super::gate;
use super::issue_lines::issue_lines;
use super::last_line::{LastLine, with_last_line};
use super::model_args::ModelArgs;
use super::notices;
use super::output::{
    AS_RECORDED, beside, columns, exit_code_after, message_lines, print, print_json, reader_left, status_after, tell,
    warn, way_on_lines, way_on_lines_after, with_flags,
};
use super::progress::{Progress, Style};
use super::proof::{check_lines, unmet_lines};
use super::reports::{Ending, Reports};
use super::runtime::{after, block_on};
use super::session::{Session, Start};
use super::signals::{Stop, Stops};
use super::task;
use super::workers;
use crate::config::Settings;
use crate::contracts::{BaseReview, Handoff, ReviewOutput, Usage, Verdict};
use crate::memory::Store;
use crate::models::Models;
use crate::text;
use crate::workflow::{
    self, Engine, EventError, EventErrorKind, Goal, IMPLEMENT, NO_NOTES, NO_PLAN, Outcome, PhaseEvent, Phases, Request,
    RunEnd, RunHandle, Status,
};

/// Run, and end with the code its outcome has.
pub(super) fn run(start: &Start<'_>, args: RunArgs) -> Result<u8, Failure> {
    let is_json = args.json;
    let done = Reports::open(&args.reports, is_json).and_then(|mut reports| {
        let done = run_with(start, args, &mut reports);
        reports.also_of_failure(done)
    });
    with_last_line(is_json, done)
}

fn run_with(start: &Start<'_>, mut args: RunArgs, reports: &mut Reports) -> Result<u8, Failure> {
    args.task = task::given(&args)?;
    let session = Session::open(start, args.models.overrides())?;
    reports.set_root(session.workspace.root());
    if args.task.is_none() {
        args.task = task::asked(&session, &args)?;
    }
    let progress = (!args.json).then(|| Arc::new(Progress::new(Style::for_stderr(), &session.phases)));
    let approver = gate::approver(session.workspace.root(), progress.clone());
    let request = Request { goal: goal(&args), auto_approve: args.auto_approve };
    let engine = session.engine(approver)?;
    let is_aside = reports.takes_standard_output();
    let report = EndReport { is_aside, ..EndReport::of(&engine).with_flags(start, &args.models) };
    let end = block_on(drive(engine, request, args.timeout, progress))??;
    let code = exit_code(&end.1);
    let written = reports.write(&report.ending(&end.1, code));
    let printed = match args.json {
        true => LastLine::of_run(&end, code, &report.store).print(),
        false => report.print(&end),
    };
    exit_code_after(code, worse(written, printed))
}

/// `baton plan --feedback` and `--notes`: the Revise answer of a gate that waits; where none does, the plan phase once
/// more, whose plan then waits for a person.
pub(super) fn plan_again(start: &Start<'_>, PlanArgs { feedback, notes, models }: PlanArgs) -> Result<u8, Failure> {
    let session = Session::open(start, models.overrides())?;
    let Some(store) = session.memory()? else { return Err(Failure::usage(NO_PLAN)) };
    let feedback = feedback.unwrap_or_default();
    if notes && store.inspect()?.0.notes.is_empty() {
        return Err(Failure::usage(NO_NOTES));
    }
    if let Some(sent) = workflow::revise_waiting_plan(&store, &feedback)? {
        let with = if sent == 0 { String::new() } else { format!(", with {} of yours", text::count(sent, "note")) };
        print(&format!("The waiting run plans again{with}."))?;
        return Ok(0);
    }
    let request = Goal::Revise { feedback }.into();
    let progress = Arc::new(Progress::new(Style::for_stderr(), &session.phases));
    let engine = session.engine(Arc::new(gate::NonInteractiveApprover))?;
    let report = EndReport::of(&engine).with_flags(start, &models);
    let mut end = block_on(drive(engine, request, None, Some(progress)))??;
    let code = match end.1.outcome {
        Outcome::Done => {
            end.1.message = end.1.message.replacen("The plan phase is done.", "The new plan waits for your answer.", 1);
            PERSON
        }
        _ => exit_code(&end.1),
    };
    exit_code_after(code, report.print(&end))
}

/// Start a run and show it until it ends. Answers with its id and its end.
pub(super) async fn drive(
    mut engine: Engine,
    request: Request,
    timeout: Option<Duration>,
    progress: Option<Arc<Progress>>,
) -> Result<(String, RunEnd), Failure> {
    let mut stops = Stops::new()?;
    let left = workers::connect(&mut engine, &request.goal, timeout, &mut stops, progress.as_deref()).await?;
    let mut attention = progress.as_ref().and_then(|_| Attention::of_stderr(&engine.settings));
    let RunHandle { run, cancel, mut events, mut end, mut notices } = workflow::start(engine, request)?;
    let mut show = |event: &PhaseEvent| match &progress {
        Some(progress) => {
            progress.on(event);
            if let Some(call) = attention.as_mut().and_then(|attention| attention.call(event)) {
                progress.suspend(|| attention::write(&call));
            }
            Ok(())
        }
        None => print_json(&text::safe_json(&json!(event).to_string())),
    };
    // What stopped the run, for its end.
    let mut stopped_by = None;
    let stopping = |why: &str| {
        cancel.cancel();
        if let Some(progress) = &progress {
            progress.suspend(|| tell(why));
        }
    };
    let (timed_out, reader_left) = (after(left), reader_left());
    tokio::pin!(timed_out, reader_left);
    let (mut timer_runs, mut is_read, mut unwritten, mut ran_out) = (true, true, None, false);
    let ended = loop {
        tokio::select! {
            Some(event) = events.recv() => if let Err(failure) = show(&event) {
                // Nothing more is spent on a run whose events cannot be written. events.jsonl has them.
                cancel.cancel();
                unwritten.get_or_insert(failure);
            },
            ended = &mut end => break ended,
            Some(warning) = notices.warnings.recv() => match &progress {
                Some(progress) => progress.suspend(|| warn(&[warning])),
                None => warn(&[warning]),
            },
            stop = stops.next() => match stop {
                Stop::Asked(_) if cancel.is_cancelled() => leave_at_once(progress.as_deref()),
                Stop::Asked(by) => {
                    stopped_by.get_or_insert_with(|| format!("by {by}"));
                    stopping("Stopping… (Ctrl-C again kills)");
                }
                Stop::HungUp => stopping("Stopping: the terminal is gone"),
            },
            () = &mut reader_left, if is_read => {
                is_read = false;
                stopping("Stopping: nobody reads standard output any more (Ctrl-C kills)");
            }
            () = &mut timed_out, if timer_runs => {
                timer_runs = false;
                ran_out = !cancel.is_cancelled();
                let after = humantime::format_duration(timeout.unwrap_or_default());
                stopped_by.get_or_insert_with(|| format!("by --timeout {after}"));
                cancel.cancel();
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        if let Err(failure) = show(&event) {
            unwritten.get_or_insert(failure);
        }
    }
    if let Some(progress) = &progress {
        progress.finish();
    }
    notices::keep(notices);
    let ended = ended.map_err(|error| Failure::failed(format!("the run broke off: {error}; `baton run` goes on")))?;
    match unwritten.filter(|failure| !failure.is_quiet()) {
        Some(failure) => Err(Failure {
            message: format!("{}. The run was stopped; `baton run` goes on with it", failure.message),
            ..failure
        }),
        None => Ok((run, with_cause(ended, stopped_by.as_deref(), timeout.filter(|_| ran_out)))),
    }
}

/// End the process: it was asked to stop twice.
fn leave_at_once(progress: Option<&Progress>) -> ! {
    // The terminal gets back what was changed of it.
    if let Some(progress) = progress {
        progress.finish();
    }
    std::process::exit(i32::from(CANCELLED))
}

/// The end of a run with what stopped it, and with the time after which `--timeout` did.
fn with_cause(mut ended: RunEnd, stopped_by: Option<&str>, ran_out: Option<Duration>) -> RunEnd {
    if ended.outcome != Outcome::Cancelled {
        return ended;
    }
    if let Some(after) = ran_out {
        let after = humantime::format_duration(after);
        let message = format!("the run was stopped after {after}, as --timeout says");
        ended.error.get_or_insert_with(|| EventError::new(EventErrorKind::Timeout, message));
    }
    if let (Some(by), Some(rest)) = (stopped_by, ended.message.strip_prefix("Stopped")) {
        ended.message = format!("Stopped {by}{rest}");
    }
    ended
}

/// Prints how a run ended, and the ways on.
pub(super) struct EndReport {
    store: Store,
    settings: Settings,
    phases: Phases,
    /// The models that were chosen for this run.
    models: ModelArgs,
    /// The workspace, where it was named.
    workspace: Option<PathBuf>,
    /// Whether they are a recorded run.
    is_recorded: bool,
    /// Whether it goes to standard error, since standard output holds a report.
    pub(super) is_aside: bool,
}

impl EndReport {
    /// For the runs of this engine.
    pub(super) fn of(engine: &Engine) -> Self {
        let Engine { store, settings, phases, models, .. } = engine;
        let is_recorded = models.as_ref().is_ok_and(Models::is_recorded);
        let (store, settings, phases) = (store.clone(), settings.clone(), phases.clone());
        Self { store, settings, phases, models: ModelArgs::default(), workspace: None, is_recorded, is_aside: false }
    }

    /// With the flags of this start, which the ways on keep.
    pub(super) fn with_flags(self, start: &Start<'_>, models: &ModelArgs) -> Self {
        Self { models: models.clone(), workspace: start.folder.map(Path::to_owned), ..self }
    }

    /// Print the end of a run: the issues, the totals, where the files are, and what can be done now.
    pub(super) fn print(&self, end: &(String, RunEnd)) -> Result<(), Failure> {
        let status = self.status();
        let mut lines = self.lines(end, status.as_ref());
        lines.extend(way_on_lines_after(status));
        self.say(&lines)
    }

    fn say(&self, lines: &[String]) -> Result<(), Failure> {
        let text = lines.join("\n");
        if self.is_aside {
            tell(&text);
            return Ok(());
        }
        print(&text)
    }

    /// What reports tell of an end.
    pub(super) fn ending(&self, end: &RunEnd, exit_code: u8) -> Ending {
        let memory = self.store.inspect().ok().map(|(mut memory, _)| {
            self.store.forget_unconfirmed_checks(&mut memory);
            memory
        });
        let memory = memory.unwrap_or_default();
        let is_of_base = end.review.as_ref().is_some_and(ReviewOutput::is_of_base);
        let whole = if is_of_base { memory.base_review } else { memory.review };
        // The end knows it without what was dismissed; meanwhile another process may have written another one.
        let is_same = |whole: &ReviewOutput| {
            end.review.as_ref().is_some_and(|seen| (seen.timestamp, seen.round) == (whole.timestamp, whole.round))
        };
        let came_about = matches!(end.outcome, Outcome::Merged | Outcome::Done | Outcome::RolledBack);
        let judged = matches!(end.outcome, Outcome::Escalated | Outcome::Rejected | Outcome::Waiting);
        Ending {
            outcome: Some(end.outcome),
            exit_code,
            is_success: came_about || (judged && end.review.is_some()),
            message: end.error.as_ref().map_or(&end.message, |error| &error.message).clone(),
            review: whole.filter(is_same).or_else(|| end.review.clone()),
            dismissed: memory.dismissed,
            review_file: self.store.name(if is_of_base { BaseReview::FILE } else { ReviewOutput::FILE }),
            checks: if is_of_base { Vec::new() } else { memory.report.map(|report| report.checks).unwrap_or_default() },
            ..Ending::default()
        }
    }

    /// Print what the end means, and what can be done now.
    pub(super) fn print_message(&self, end: &RunEnd) -> Result<(), Failure> {
        let mut lines = message_lines(&end.message);
        lines.extend(way_on_lines_after(self.status()));
        print(&lines.join("\n"))
    }

    /// Print the end of a review against a commit, which is no workflow's, and what can be done about it.
    /// `reached` says why it ends with another code.
    pub(super) fn print_base_review(&self, end: &(String, RunEnd), reached: Option<String>) -> Result<(), Failure> {
        let mut lines = self.lines(end, None);
        lines.extend(reached);
        let mut ways = self.status().map(|status| status.ways_on_of_base_review()).unwrap_or_default();
        with_flags(&mut ways, &self.models, self.workspace.as_deref());
        lines.extend(way_on_lines(&ways, columns()));
        self.say(&lines)
    }

    /// The same without what can be done now.
    pub(super) fn print_end_only(&self, end: &(String, RunEnd)) -> Result<(), Failure> {
        print(&self.lines(end, self.status().as_ref()).join("\n"))
    }

    fn status(&self) -> Option<Status> {
        let mut status = status_after(&self.store, &self.settings, &self.phases)?;
        with_flags(&mut status.ways_on, &self.models, self.workspace.as_deref());
        Some(status)
    }

    /// `status` is where the workflow stands after the run; `None` after one that belongs to no workflow.
    fn lines(&self, (run, end): &(String, RunEnd), status: Option<&Status>) -> Vec<String> {
        let mut lines = Vec::new();
        let judged = matches!(end.outcome, Outcome::Merged | Outcome::Escalated | Outcome::Done);
        if let Some(review) = end.review.as_ref().filter(|_| judged) {
            // The reason of an escalation is the summary of the review; accepted work was not approved by it.
            let summary = text::safe_line(&review.summary);
            let is_said = end.message.contains(summary.trim())
                || (end.outcome == Outcome::Merged && review.verdict != Verdict::Approved);
            // On one line, so that it cannot pass for what this program says.
            lines.extend((!is_said).then(|| text::paragraph("", &summary, columns())));
            lines.push(String::new());
            lines.extend(issue_lines(&review.issues));
            if !review.issues.is_empty() {
                lines.push(String::new());
            }
        }
        if let Some(status) = status {
            let proof =
                [unmet_lines(&status.tasks, columns()), check_lines(&status.checks, &end.message, columns())].concat();
            if !proof.is_empty() {
                lines.extend(proof);
                lines.push(String::new());
            }
        }
        lines.extend(message_lines(&end.message));
        let recorded = if self.is_recorded { AS_RECORDED } else { "" };
        let folder = format!("{}/runs/{run}", self.settings.memory_dir);
        lines.extend(beside(&format!("{}{recorded}", used_words(end)), &folder));
        lines
    }
}

/// `12 turns · 278k tokens · $0.41`, and beside it the same of this run, unless that is all or nothing.
fn used_words(end: &RunEnd) -> String {
    let words = |turns: u64, usage: &Usage| match turns {
        0 => usage.words(),
        turns => {
            format!("{turns} {} · {}", text::plural(turns.try_into().unwrap_or(usize::MAX), "turn"), usage.words())
        }
    };
    let RunEnd { turns, usage, workflow_turns, workflow_usage, .. } = end;
    let all = words(*workflow_turns, workflow_usage);
    if usage == workflow_usage || usage.total_tokens() == 0 {
        return all;
    }
    format!("{all} in all, {} in this run", words(*turns, usage))
}

/// The failure of two that is to be told.
pub(super) fn worse(one: Result<(), Failure>, other: Result<(), Failure>) -> Result<(), Failure> {
    match (one, other) {
        (Err(failure), other) if failure.is_quiet() => other.and(Err(failure)),
        (one, other) => one.and(other),
    }
}

/// The code a process ends with; design: "Command line".
pub(super) fn exit_code(end: &RunEnd) -> u8 {
    match end.outcome {
        Outcome::Merged | Outcome::Done | Outcome::RolledBack => 0,
        Outcome::Escalated | Outcome::Waiting => PERSON,
        Outcome::Rejected => REJECTED,
        Outcome::Cancelled => CANCELLED,
        Outcome::Failed if end.no_conclusion => NO_CONCLUSION,
        Outcome::Failed => match end.error.as_ref().map(|error| error.kind) {
            Some(EventErrorKind::Config) => USAGE,
            Some(EventErrorKind::Model) => NO_CONCLUSION,
            _ => FAILED,
        },
    }
}

/// What the flags of `run` ask for.
fn goal(args: &RunArgs) -> Goal {
    let (task, reset) = (args.task.clone(), args.reset);
    match (&args.fix, args.phase, &args.only) {
        (Some(issues), ..) => Goal::Fix { issues: issues.clone() },
        (None, Some(IMPLEMENT), Some(ids)) => Goal::Tasks { ids: ids.clone(), task },
        (None, Some(named), _) => Goal::Phase { phase: named, task, reset },
        (None, None, only) => Goal::Go { task, reset, only: only.clone(), quick: args.quick },
    }
}

#[cfg(test)]
mod tests {
    use super::super::args::{Args, Command};
    use super::*;
    use crate::workflow::{CONTEXT, fixture};

    #[test]
    fn flags_are_one_goal() {
        let goal = |flags: &[&str]| {
            let args = Args::from_words(["baton", "run"].iter().chain(flags), &fixture::phases()).unwrap();
            let Command::Run(run) = args.command else { panic!("{args:?}") };
            super::goal(&run)
        };
        let ids = |ids: &[&str]| -> Vec<String> { ids.iter().map(|id| (*id).to_owned()).collect() };
        assert_eq!(goal(&[]), Goal::default());
        assert_eq!(goal(&["--task", "Do it"]), Goal::of_task("Do it"));
        assert_eq!(
            goal(&["--reset", "--only", "T1,T3"]),
            Goal::Go { task: None, reset: true, only: Some(ids(&["T1", "T3"])), quick: false }
        );
        assert_eq!(
            goal(&["--phase", "context", "--task", "Do it", "--reset"]),
            Goal::Phase { phase: CONTEXT, task: Some("Do it".to_owned()), reset: true }
        );
        assert_eq!(goal(&["--phase", "implement"]), Goal::Phase { phase: IMPLEMENT, task: None, reset: false });
        assert_eq!(goal(&["--phase", "implement", "--only", "T1"]), Goal::Tasks { ids: ids(&["T1"]), task: None });
        assert_eq!(goal(&["--fix", "i1,i2"]), Goal::Fix { issues: ids(&["i1", "i2"]) });
    }

    #[test]
    fn the_end_of_a_run_names_turns_beside_tokens_and_cost() {
        let usage = |tokens: u64, usd: f64| Usage { input_tokens: tokens, cost_usd: Some(usd), ..Usage::default() };
        let end = |(turns, usage): (u64, Usage), (workflow_turns, workflow_usage): (u64, Usage)| RunEnd {
            outcome: Outcome::Merged,
            message: String::new(),
            error: None,
            no_conclusion: false,
            review: None,
            usage,
            workflow_usage,
            turns,
            workflow_turns,
            changed_files: 0,
        };
        let (one, all) = ((3, usage(20_000, 0.02)), (12, usage(278_000, 0.41)));
        assert_eq!(used_words(&end(all, all)), "12 turns · 278k tokens · $0.41");
        assert_eq!(
            used_words(&end(one, all)),
            "12 turns · 278k tokens · $0.41 in all, 3 turns · 20.0k tokens · $0.02 in this run"
        );
        assert_eq!(used_words(&end((0, usage(0, 0.0)), all)), "12 turns · 278k tokens · $0.41");
        assert_eq!(used_words(&end((1, usage(9, 0.0)), (1, usage(9, 0.0)))), "1 turn · 9 tokens · no cost");
        assert_eq!(used_words(&end((0, usage(0, 0.0)), (0, usage(0, 0.0)))), "0 tokens");
    }
}
