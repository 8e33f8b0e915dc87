//! What `baton` understands: subcommands, their flags and their help.

mod state;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use self::state::{CompletionsArgs, ConfigArgs, EventsArgs, ManArgs, StatusArgs};
pub use self::worker::WorkerArgs;
use super::last_line;
use super::model_args::ModelArgs;
use super::report_args::{BaselineArgs, ReportArgs};
use super::slips;
use crate::config::SETTINGS_SCHEMAS;
use crate::contracts::{PhaseName, is_task_id};
use crate::memory::tidied;
use crate::text;
use crate::workflow::{CONTEXT, IMPLEMENT, Phases};

/// One coding task through several agents
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "baton", version, propagate_version = true, after_help = FIRST_STEPS)]
pub struct Args {
    /// The workspace: the folder the agents work in [default: the first folder upwards, short of your home, that
    /// has .agent_memory, baton.toml or .git; else the current folder]
    #[arg(long, global = true, value_name = "DIR", allow_hyphen_values = true, display_order = 900)]
    pub workspace: Option<PathBuf>,
    /// Write colours, in a diff too, where the output goes to a terminal, always, or never; NO_COLOR, FORCE_COLOR,
    /// CLICOLOR and CLICOLOR_FORCE in the environment count without it
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        display_order = 900
    )]
    pub color: ColorChoice,
    /// Print what is longer than the screen at once, not by BATON_PAGER, PAGER or less
    #[arg(long, global = true, display_order = 900)]
    pub no_pager: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Take a task through the workflow, from wherever it stands to its end
    Run(RunArgs),
    /// Review the working tree against a commit, with no plan and no edits
    Review(ReviewArgs),
    /// Ask for a new plan: say what should be different
    Plan(PlanArgs),
    /// Approve the plan that waits; `baton run` then goes on with it
    Approve(ApproveArgs),
    /// Reject the plan that waits
    Reject,
    /// Take the reviewed work as it is: dismiss what the review still asks for, and end the workflow
    #[command(after_help = ACCEPT_HELP)]
    Accept(AcceptArgs),
    /// Tell the agents at work something: they take it with their next request
    #[command(after_help = TELL_HELP)]
    Tell(TellArgs),
    /// Dismiss issues: they are neither fixed nor raised again
    Dismiss(DismissArgs),
    /// Take back that issues were dismissed
    Restore(RestoreArgs),
    /// Tell where the workflow stands and what comes next
    Status(StatusArgs),
    /// Print the events of a run: each start, step, wait and end of its phases and tasks
    Events(EventsArgs),
    /// Show what the workflow changed, as a unified diff; its paths begin at the workspace
    Diff(DiffArgs),
    /// List the workflows that ran here: what each was about, how it ended, and what can be undone
    History(HistoryArgs),
    /// Show the conversations of a run: what models were given, said and did, and what came of it
    #[command(after_help = LOG_HELP)]
    Log(LogArgs),
    /// Keep the hunks of a file, or one of them: `baton rollback` passes them over unless it names them
    Keep(KeepArgs),
    /// Undo what the workflow did to your files; what you edited since is kept
    Rollback(RollbackArgs),
    /// Remove old runs with their checkpoints; the newest ones (keep_runs) and the workflow at hand stay
    Clean,
    /// Put the workflow's memory into history and start afresh; your files stay as they are, and `baton history` names what
    /// can still be undone in them
    Reset,
    /// Let the checks of this workspace run, or take over the memory of a moved one: at a terminal
    Trust(TrustArgs),
    /// Look whether everything a run needs is there, and tell how to fix what is not
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Show each setting, its value, and where that comes from
    Config(ConfigArgs),
    /// Print the JSON Schema of a handoff, or of a settings file
    Schema(SchemaArgs),
    /// Write baton.toml with the checks that the project shows, or the pages by which Copilot follows the same phases
    #[command(after_help = INIT_HELP)]
    Init(InitArgs),
    /// Watch a whole run on a small sample project: no key, no network, a few seconds
    Demo(DemoArgs),
    /// Print what lets a shell complete the words of `baton`
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them to a folder
    Man(ManArgs),
    /// Hold agents' conversations for runs on other machines, with the models and the keys of this one
    Worker(WorkerArgs),
    /// Serve an editor: the language server, on standard input and output
    Lsp(LspArgs),
}

/// Flags of `baton init`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct InitArgs {
    /// Write .github/agents and .github/copilot-instructions.md instead: Copilot's agent mode in VS Code then takes a task
    /// through the same phases, with no key, and hands on the same files
    #[arg(long)]
    pub copilot: bool,
    /// Tell of them in AGENTS.md too, for other agents
    #[arg(long, requires = "copilot")]
    pub agents_md: bool,
    /// Only show what would be written
    #[arg(long)]
    pub dry_run: bool,
}

/// Flags of `baton demo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct DemoArgs {
    /// Only make the sample, in a new folder or in this one, which is new or empty, and print where it is: its own
    /// settings name the recorded answers, so that the workflow runs there in an editor too
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    pub prepare: Option<Option<PathBuf>>,
}

/// Flags of `baton run`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = RUN_HELP)]
pub struct RunArgs {
    /// What should be done, in your words; "-" reads it from standard input [default: an unfinished workflow, else
    /// .agent_memory/task.md, else you are asked]
    #[arg(value_name = "TASK", value_parser = task, conflicts_with_all = ["task", "task_file"])]
    pub words: Option<String>,
    /// The same as a flag, for a text that begins with a dash: here "-" is the text itself
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = task, conflicts_with = "task_file")]
    pub task: Option<String>,
    /// Read the task from this file; "-" is standard input
    #[arg(long, value_name = "FILE")]
    pub task_file: Option<PathBuf>,
    /// Make context and plan in one conversation: for a small task, of at most three files
    #[arg(long, conflicts_with_all = ["phase", "only", "fix"])]
    pub quick: bool,
    /// Run this one phase, even if its result exists; it and the later ones go to history
    #[arg(long, value_name = "PHASE", value_parser = PhaseName::read)]
    pub phase: Option<PhaseName>,
    /// Implement only these tasks of the plan, as in T1,T3
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = task_id)]
    pub only: Option<Vec<String>>,
    /// Fix these issues of the review and no others, and review again; `baton status` lists them with their ids
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = issue_id,
          conflicts_with_all = ["words", "task", "task_file", "phase", "only", "reset"])]
    pub fix: Option<Vec<String>>,
    /// Put what there is into history first
    #[arg(long)]
    pub reset: bool,
    /// Approve every plan of this run without asking, except one that writes protected files
    #[arg(long, visible_alias = "yes")]
    pub auto_approve: bool,
    /// The models of this start.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Cancel the run after this time, as in 90s, 15m or 2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Print every event as a line of JSON on standard output, and the outcome as the last
    #[arg(long)]
    pub json: bool,
    /// What is written at the end.
    #[command(flatten)]
    pub reports: ReportArgs,
}

/// Flags of `baton review`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = REVIEW_HELP)]
pub struct ReviewArgs {
    /// Compare with what HEAD and this branch, tag or commit have in common, such as origin/main
    #[arg(long, value_name = "REF")]
    pub base: String,
    /// End with code 6 when an issue is at least this bad
    #[arg(long, value_name = "SEVERITY", default_value = "major")]
    pub fail_on: FailOn,
    /// The models of this start.
    #[command(flatten)]
    pub models: ModelArgs,
    /// Cancel the review after this time, as in 90s, 15m or 2h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Print every event as a line of JSON on standard output, and the outcome as the last
    #[arg(long)]
    pub json: bool,
    /// What its issues are compared with.
    #[command(flatten)]
    pub baseline: BaselineArgs,
    /// What is written at the end.
    #[command(flatten)]
    pub reports: ReportArgs,
}

/// How bad an issue must be for a review to end with code 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Data loss, a security hole, a crash
    Critical,
    /// Wrong behaviour, or worse
    Major,
    /// Worth mending, or worse
    Minor,
    /// None is
    Never,
}

/// Flags of `baton plan`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct PlanArgs {
    /// What should be different, in your words; the notes in plan.md go along
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = feedback, required_unless_present = "notes")]
    pub feedback: Option<String>,
    /// Send the notes in plan.md: lines of yours that begin with ">", each under the heading of what it is about
    #[arg(long)]
    pub notes: bool,
    /// The models of this start.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// Flags of `baton approve`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ApproveArgs {
    /// Approve only these tasks of the plan, as in T1,T3; what they depend on must be among them or done
    #[arg(long, value_name = "IDS", value_delimiter = ',', value_parser = task_id)]
    pub only: Option<Vec<String>>,
    /// Approve only this very plan, by the SHA-256 that `baton status` shows; refused when plan.json is another one by now
    #[arg(long, value_name = "SHA", value_parser = plan_hash)]
    pub plan: Option<String>,
}

/// Flags of `baton accept`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct AcceptArgs {
    /// Why, in your words; kept with the dismissed issues
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = because)]
    pub because: Option<String>,
}

/// Arguments of `baton tell`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct TellArgs {
    /// Only the agent of this task [default: the phase's agent, or every task at work]
    #[arg(long, value_name = "ID", value_parser = task_id)]
    pub task: Option<String>,
    /// What they should know, in your words
    #[arg(value_name = "TEXT", required = true, allow_hyphen_values = true, value_parser = told)]
    pub text: String,
}

/// Arguments of `baton dismiss`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct DismissArgs {
    /// The issues; `baton status` lists them with their ids
    #[arg(value_name = "ID", required = true, value_delimiter = ',', value_parser = issue_id)]
    pub ids: Vec<String>,
    /// Why, in your words
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = because)]
    pub because: Option<String>,
}

/// Arguments of `baton restore`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct RestoreArgs {
    /// The dismissed issues; `baton status` lists them with their ids
    #[arg(value_name = "ID", required = true, value_delimiter = ',', value_parser = issue_id)]
    pub ids: Vec<String>,
}

/// Flags of `baton diff`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct DiffArgs {
    /// Only what this task did
    #[arg(long, value_name = "ID", value_parser = task_id)]
    pub task: Option<String>,
    /// Print the files and their hunks as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Flags of `baton keep`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct KeepArgs {
    /// The file, named from the current folder; with --workspace, from that folder
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only this hunk; `baton diff` on a terminal shows the ids. May be repeated
    #[arg(long = "hunk", value_name = "ID")]
    pub hunks: Vec<String>,
}

/// Flags of `baton history`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct HistoryArgs {
    /// Print the workflows as JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `baton log`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct LogArgs {
    /// The beginning of the run's id [default: the run at work, else the last one that asked a model]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
}

/// Flags of `baton rollback`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = ROLLBACK_HELP)]
pub struct RollbackArgs {
    /// An earlier workflow, by its id; `baton history` lists them. What was written since is kept, as your own edits are
    #[arg(long, value_name = "ID")]
    pub workflow: Option<String>,
    /// Only what this task did
    #[arg(long, value_name = "ID", value_parser = task_id)]
    pub task: Option<String>,
    /// Only what was done to this file, named from the current folder; with --workspace, from that folder
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    pub file: Option<PathBuf>,
    /// Only this hunk, also one that is kept; `baton diff` on a terminal shows the ids. May be repeated
    #[arg(long = "hunk", value_name = "ID", conflicts_with_all = ["task", "workflow"])]
    pub hunks: Vec<String>,
    /// Only tell what would become of each file
    #[arg(long)]
    pub dry_run: bool,
    /// Bring back what the last `baton rollback` undid
    #[arg(long, conflicts_with_all = ["task", "file", "hunks"])]
    pub undo: bool,
}

/// Flags of `baton trust`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = TRUST_HELP)]
pub struct TrustArgs {
    /// Take over what you sealed where this project was before it was moved: approval, undo, answers of models
    #[arg(long)]
    pub moved: bool,
}

/// Flags of `baton doctor`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct DoctorArgs {
    /// Print what was found as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// The models of this start.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// Arguments of `baton schema`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct SchemaArgs {
    /// The handoff; settings for baton.toml, user-settings for your own baton/config.toml
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Flags of `baton lsp`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct LspArgs {
    /// Accepted, since many editors pass it; standard input and output are all there is
    #[arg(long)]
    pub stdio: bool,
}

const HOW_IT_WORKS: &str = "\
Baton hands each agent's result to the next as a checked file in .agent_memory, asks you before
anything is written, and ends with a review at file and line. Nothing is ever committed for you.";

const FIRST_STEPS: &str = "\
Start with:
  baton demo                      see what happens, with no key
  baton run \"Add a --json flag\"   needs ANTHROPIC_API_KEY, or another provider

Settings stand in baton.toml, in your own baton/config.toml and in BATON_... variables.";

const RUN_HELP: &str = "\
With an unfinished workflow, `baton run` resumes it; with --quick it is refused. A quick workflow gathers the
context and plans in one conversation, one task of at most three files; the gate, the checks and the review stay. At the gate, on a terminal, you approve the plan,
ask for changes, edit it or reject it; elsewhere the run ends and waits for `baton approve`.

Exit codes:
    0  the review approved the changes, or the phase asked for is done
    1  failed
    2  wrong usage or settings
    3  stopped for a person: escalated, or waiting for an answer to the plan
    4  the plan was rejected
    5  no conclusion: model, network or quota failed
  130  cancelled";

const REVIEW_HELP: &str = "\
Judged is what the working tree, with untracked files that are not ignored, has that the commit has not. Only
.agent_memory/base_review.json is written, where editors find it. It is no workflow's review: one that is
unfinished goes on as before, and one that is finished keeps its changes, its undo and its issues. The next
such review replaces it. `baton run --fix IDS` takes its issues as the task of a new workflow.

With --baseline or --new-only an issue is recognised by its file and the line that it quotes, whatever its words:
the end says how many are new, and only these count for --fail-on. Have git ignore the files of reports and
baselines, or keep them outside: what is new in the working tree is reviewed.

Exit codes:
    0  reviewed, and no issue is as bad as --fail-on
    1  failed
    2  wrong usage or settings, no such commit, or a file of a report or a baseline cannot be used
    3  stopped for a person: the budget is spent
    5  no conclusion: model, network or quota failed
    6  an issue is as bad as --fail-on, or worse
  130  cancelled";

const ACCEPT_HELP: &str = "\
For work that was reviewed and not approved. No file is changed and nothing is committed: `baton diff` shows the
changes, `baton rollback` undoes them, and `baton restore ID` opens an issue again.

Exit codes:
    0  accepted
    1  failed
    2  there is nothing to accept, or not now; the message says what to do";

const LOG_HELP: &str = "\
On a terminal it is drawn by its width; elsewhere, as in `baton log > log.md`, it is
Markdown. It is made of the run's own journals: keys never stand in them, and what was not sealed by you for this
folder is left out, which the log says.";

const TELL_HELP: &str = "\
The run may be another process's: a terminal's, or an editor's. The text, of at most 16,384 bytes, is added to the
next request of each agent that is told. An agent that makes no further request takes nothing: the run says so when
it ends. While a plan waits for your answer, `baton plan --feedback` says what should be different.

Exit codes:
    0  told
    1  failed
    2  nothing is at work, the task is none that is at work, a plan waits for your answer, or the text is too long";

const INIT_HELP: &str = "\
A baton.toml that is there is left as it is, and what could be added to it is shown. In copilot-instructions.md and
AGENTS.md only the part between our own marks is written; a page in .github/agents that you edited is left alone. Run it
again after an update of Baton.

Exit codes:
    0  written, or shown, or there is nothing to do
    1  failed
    2  wrong usage or settings";

const DOCTOR_HELP: &str = "\
The models' provider is asked whether it has the models; that costs nothing. Nothing is written, and no key
is shown.

Exit codes:
    0  nothing stands in the way of a run
    1  something does
    2  the settings do, or no model is set up";

const TRUST_HELP: &str = "\
Without a flag: shows the checks of this workspace that you have not trusted as they are, and asks whether they may
run. That holds for this folder, for you, and for these very commands; the checks of your own settings need no word.
Where no checks are set, it offers those that the project shows, and writes them to baton.toml if you want them.

Approvals, publish journals and transcripts hold for you and for the folder they were made in. After `mv`, --moved
shows which of them you made where the project was, asks, and makes them hold here. A copy of a project that is
still there is not taken for it.

Exit codes:
    0  trusted or taken over, or there is nothing to trust or to take over
    1  failed, or a run is at work
    2  wrong usage or settings
    3  nobody said yes: it needs a person at a terminal";

const ROLLBACK_HELP: &str = "\
Only files that agents changed are touched. A file you edited since is merged, keeping your edits; where
that cannot be done it is left alone and named, and the exit code is 3.";

/// The words of this process' command line, without the program's name, for what is decided before they are parsed.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "the command line of this process is read here")]
pub fn raw_words() -> Vec<std::ffi::OsString> {
    std::env::args_os().skip(1).collect()
}

impl Args {
    /// The arguments of this process. Help ends it with code 0, wrong usage with 2.
    #[expect(clippy::disallowed_methods, reason = "the command line of this process is parsed here")]
    pub fn from_command_line(phases: &Phases) -> Self {
        let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
        super::color::choose(super::color::flag_in(&words));
        let is_json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
        Self::from_words(words, phases).unwrap_or_else(|error| {
            if is_json && error.use_stderr() {
                last_line::print_usage_fault(&error.to_string());
            }
            super::output::exit_with(&error)
        })
    }

    /// The arguments in these words, of which the first is the program's name.
    ///
    /// # Errors
    /// Wrong usage, or a call for help; `exit_code` and `print` of the error tell what to do.
    pub fn from_words<W: Into<std::ffi::OsString> + Clone>(
        words: impl IntoIterator<Item = W>,
        phases: &Phases,
    ) -> Result<Self, clap::Error> {
        let words: Vec<std::ffi::OsString> = words.into_iter().map(Into::into).collect();
        let mut command = Self::declared(phases);
        slips::check(&command, &words)?;
        let matches = command.try_get_matches_from_mut(words);
        let mut matches = matches.map_err(|error| slips::explained(error, &mut command, phases))?;
        let args = Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))?;
        if let Command::Run(run) = &args.command {
            run.check()?;
            if let Some(words) = &run.words {
                slips::check_task(words, &mut command, phases)?;
            }
        }
        if let Some(models) = args.command.models() {
            models.check().map_err(conflict)?;
        }
        Ok(args)
    }
}

impl Args {
    /// The declaration, with the phases and the handoffs that there are.
    pub(super) fn declared(phases: &Phases) -> clap::Command {
        let names =
            phases.all().iter().map(|phase| PossibleValue::new(phase.name().as_str()).help(phase.titles().help));
        let phase = PossibleValuesParser::new(names).try_map(|name| PhaseName::read(&name));
        let handoffs = phases.handoffs();
        let schemas = handoffs.schemas();
        let schemas = schemas.iter().map(|schema| schema.name);
        let schema = PossibleValuesParser::new(schemas.chain(SETTINGS_SCHEMAS.map(|(name, _)| name)));
        let order: Vec<&str> = phases.names().map(PhaseName::as_str).collect();
        let about = format!("One coding task through {}: {}", text::count(order.len(), "agent"), order.join(", "));
        reflowed(Self::command())
            .max_term_width(100)
            .styles(super::color::clap_styles())
            .about(about.clone())
            .long_about(format!("{about}.\n\n{}", paragraphs(HOW_IT_WORKS)))
            .mut_subcommand("run", |run| run.mut_arg("phase", |arg| arg.value_parser(phase)))
            .mut_subcommand("schema", |command| command.mut_arg("name", |arg| arg.value_parser(schema)))
    }
}

/// The same command with help that a terminal of any width wraps: the lines of a paragraph are joined, and those of a table,
/// which are indented, stay.
fn reflowed(command: clap::Command) -> clap::Command {
    let command = match command.get_after_help().map(ToString::to_string) {
        Some(help) => command.after_help(paragraphs(&help)),
        None => command,
    };
    command.mut_subcommands(reflowed)
}

fn paragraphs(help: &str) -> String {
    let is_prose = |line: &str| !line.is_empty() && !line.starts_with(' ');
    let mut joined = String::new();
    for (line, next) in help.lines().zip(help.lines().skip(1).map(Some).chain([None])) {
        joined.push_str(line);
        joined.push_str(match next {
            Some(next) if is_prose(line) && is_prose(next) => " ",
            Some(_) => "\n",
            None => "",
        });
    }
    joined
}

impl Command {
    /// The flags that choose models, of a subcommand that has them.
    fn models(&self) -> Option<&ModelArgs> {
        match self {
            Self::Run(RunArgs { models, .. })
            | Self::Review(ReviewArgs { models, .. })
            | Self::Plan(PlanArgs { models, .. })
            | Self::Config(ConfigArgs { models, .. })
            | Self::Doctor(DoctorArgs { models, .. }) => Some(models),
            _ => None,
        }
    }
}

/// Flags that do not go together.
fn conflict(message: impl std::fmt::Display) -> clap::Error {
    let mut command = <Args as clap::CommandFactory>::command();
    command.error(clap::error::ErrorKind::ArgumentConflict, message)
}

impl RunArgs {
    /// What the flags of `run` mean together.
    fn check(&self) -> Result<(), clap::Error> {
        match self.phase {
            Some(phase) if self.only.is_some() && phase != IMPLEMENT => {
                Err(conflict("--only chooses what to implement: it goes with --phase implement, or with no phase"))
            }
            Some(phase) if self.reset && phase != CONTEXT => {
                let fault =
                    "--reset leaves nothing for that phase to start from; it goes with no phase, or with context";
                Err(conflict(fault))
            }
            _ => Ok(()),
        }
    }
}

fn task(text: &str) -> Result<String, String> {
    words(text, "the task is empty; say in a sentence what should be done")
}

fn feedback(text: &str) -> Result<String, String> {
    words(text, "the feedback is empty; say in a sentence what should be different")
}

fn told(text: &str) -> Result<String, String> {
    words(text, "the text is empty; say in a sentence what the agents should know")
}

fn because(text: &str) -> Result<String, String> {
    words(text, "the reason is empty; say in a sentence why, or leave --because out")
}

fn words(text: &str, empty: &str) -> Result<String, String> {
    let words = tidied(text);
    if words.is_empty() { Err(empty.to_owned()) } else { Ok(words) }
}

/// SHA-256 in hex.
fn plan_hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let why = "it is the SHA-256 of plan.json, 64 hex digits; `baton status` shows it";
    if is_hash { Ok(text.to_owned()) } else { Err(why.to_owned()) }
}

fn task_id(text: &str) -> Result<String, String> {
    let id = text.trim();
    if is_task_id(id) { Ok(id.to_owned()) } else { Err("this is no task id; ids look like T1".to_owned()) }
}

fn issue_id(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("an issue has an id; `baton status` lists them".to_owned()),
        id => Ok(text::from_encoded(id).into_owned()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("no time at all; write for example 15m".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; write for example 90s, 15m or 2h")),
    }
}

#[cfg(test)]
mod tests;
