//! The command line: arguments, output and questions. One file a subcommand.
//!
//! Invariant: nothing of the crate imports this module. What a run does reaches it as events; what a person answers
//! leaves it by [`Approver`](crate::workflow::Approver).

mod accept;
mod answer;
pub mod args;
mod attention;
mod clean;
mod color;
mod completions;
mod config;
mod demo;
mod diff;
mod dismiss;
mod doctor;
mod events;
mod events_flush;
mod failure;
pub mod gate;
mod history;
mod init;
mod issue;
mod issue_lines;
mod keep;
mod last_line;
mod log;
mod lsp;
mod man;
mod model_args;
mod notices;
mod output;
mod pager;
pub mod progress;
mod proof;
mod report_args;
mod reports;
mod reset;
mod review;
mod rollback;
mod run;
mod runtime;
#[cfg(unix)]
mod sandbox_job;
mod schema;
mod session;
mod signals;
mod slips;
mod status;
mod status_watch;
mod task;
mod tell;
mod trust;
mod watching;
mod worker;
mod workers;
mod workflow_commands;

use std::process::ExitCode;

use args::{Args, Command};
use failure::Failure;
use tracing_subscriber::EnvFilter;

use self::session::Start;
use crate::config::user_phases;
use crate::workflow::Table;

/// Do what the arguments of this process ask for. `table` holds the phases.
pub fn main(table: &'static Table) -> ExitCode {
    #[cfg(unix)]
    if let Some(code) = started_by_itself(&args::raw_words()) {
        return code;
    }
    let phases = table.with(&user_phases());
    let args = Args::from_command_line(&phases);
    color::choose(args.color);
    if args.no_pager {
        pager::turn_off();
    }
    log_to_stderr();
    let start = Start { folder: args.workspace.as_deref(), table };
    let done = match args.command {
        Command::Run(run) => run::run(&start, run),
        Command::Review(review) => review::review(&start, review),
        Command::Plan(plan) => run::plan_again(&start, plan),
        Command::Approve(approve) => answer::approve(&start, approve),
        Command::Reject => answer::reject(&start),
        Command::Accept(args) => accept::accept(&start, args.because),
        Command::Tell(args) => tell::tell_agents(&start, &args),
        Command::Dismiss(args) => dismiss::dismiss(&start, &args),
        Command::Restore(args) => dismiss::restore(&start, &args.ids),
        Command::Status(status) if status.watch => status_watch::watch(&start, status.json),
        Command::Status(status) => status::status(&start, status.json),
        Command::Events(args) if args.flush => events_flush::flush(&start),
        Command::Events(args) => events::events(&start, &args),
        Command::Diff(diff) => diff::diff(&start, &diff),
        Command::Keep(args) => keep::keep(&start, &args),
        Command::History(args) => history::history(&start, args),
        Command::Log(args) => log::log(&start, args.run.as_deref()),
        Command::Rollback(rollback) => rollback::rollback(&start, rollback),
        Command::Clean => clean::clean(&start),
        Command::Reset => reset::reset(&start),
        Command::Trust(trust) => trust::trust(&start, &trust),
        Command::Doctor(args) => doctor::doctor(&start, &args),
        Command::Config(args) => config::config(&start, &args),
        Command::Schema(schema) => schema::schema(&phases, &schema.name),
        Command::Init(args) => init::init(&start, &args),
        Command::Demo(args) => demo::demo(table, args),
        Command::Completions(args) => completions::completions(&phases, args.shell),
        Command::Man(args) => man::man(&phases, args.dir.as_deref()),
        Command::Worker(args) => worker::worker(args),
        Command::Lsp(_) => lsp::lsp(&start),
    };
    notices::wait();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) if failure.is_quiet() => ExitCode::from(failure.code),
        Err(Failure { code, message, .. }) => {
            output::error(&message);
            ExitCode::from(code)
        }
    }
}

/// A part of the sandbox, where the hidden first argument asks for one. There is no thread yet: the kernel asks that of who
/// makes a user namespace.
#[cfg(unix)]
fn started_by_itself(words: &[std::ffi::OsString]) -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    if let Some(code) = crate::workspace::sandbox_stage(words.iter()) {
        return Some(code);
    }
    (*words == sandbox_job::WORDS).then(sandbox_job::sandbox_job)
}

/// Logs go to standard error; standard output belongs to the protocol, to `--json` and to results.
fn log_to_stderr() {
    // tower-lsp reports as an error what an editor asks unasked; it is answered all the same. What a sink does not take is told.
    let filter =
        EnvFilter::try_from_env("BATON_LOG").unwrap_or_else(|_| EnvFilter::new("error,tower_lsp=off,async_nats=off"));
    let format = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    // By default a log line that cannot be written is reported on standard error, which panics where that is closed.
    format.log_internal_errors(false).with_env_filter(filter).init();
}
