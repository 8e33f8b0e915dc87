//! Arguments of the subcommands that print what there is: status, events, settings, and what Baton says of itself.

use std::path::PathBuf;

use clap_complete::Shell;

use crate::cli::model_args::ModelArgs;

/// Flags of `baton status`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = STATUS_HELP)]
pub struct StatusArgs {
    /// Print the status as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// Show it anew whenever something changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// Arguments of `baton events`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = EVENTS_HELP)]
pub struct EventsArgs {
    /// The beginning of the run's id [default: the run at work, else the last one]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Go on until the run ends; where none is at work, wait for the next one
    #[arg(long, short)]
    pub follow: bool,
    /// Print each event as a line of JSON, as `baton run --json` does
    #[arg(long)]
    pub json: bool,
    /// Send your sinks what they have not taken yet of any run; ends with 5 where something is left
    #[arg(long, conflicts_with_all = ["run", "follow", "json"])]
    pub flush: bool,
}

/// Arguments of `baton config`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = CONFIG_HELP)]
pub struct ConfigArgs {
    /// Only this setting, with what it means and takes; or those below a name, such as models
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Print the settings as JSON on standard output
    #[arg(long)]
    pub json: bool,
    /// The models of this start.
    #[command(flatten)]
    pub models: ModelArgs,
}

/// Arguments of `baton completions`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = COMPLETIONS_HELP)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Flags of `baton man`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(after_help = MAN_HELP)]
pub struct ManArgs {
    /// Write all pages, one for each subcommand, to this folder, which is made where it is missing
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

const STATUS_HELP: &str = "\
With --watch, a terminal shows the newest status in place, and keeps it when you leave with Ctrl-C. Elsewhere each
new status is printed below the last one, after a line with its time; with --json each is one line. It goes on
after a run has ended, for the next one.

Exit codes:
    0  printed, or the reader of a --watch has left
    1  failed
    2  wrong usage or settings
  130  a --watch was ended by Ctrl-C";

const EVENTS_HELP: &str = "\
Times count from the beginning of the run. On a terminal lines are wrapped; elsewhere each event is one line.
--follow without RUN may be started before the run is: it says that it waits. It ends with that run, however that
ended, and follows no other one.

Exit codes:
    0  printed, or the reader has left
    1  failed
    2  there is no such run, or wrong usage or settings
  130  ended by Ctrl-C";

const CONFIG_HELP: &str = "\
These are the values that `baton run` here would use. Weakest first they come from: the defaults, baton.toml of the
workspace, your own baton/config.toml, BATON_... variables, flags. Of a limit, such as budget_usd, the smaller of
the workspace's value and yours holds. What an editor sets holds in that editor alone, and isn't shown here. Keys
are no settings: `baton doctor` tells whether they are there.

Exit codes:
    0  printed
    1  failed
    2  there is no such setting, or settings are faulty; the message says where";

const COMPLETIONS_HELP: &str = "\
For the shell at hand, in its startup file:
  bash         source <(baton completions bash)
  zsh          source <(baton completions zsh)     after compinit
  fish         baton completions fish | source
  powershell   baton completions powershell | Out-String | Invoke-Expression
  elvish       eval (baton completions elvish | slurp)";

const MAN_HELP: &str = "\
  baton man | man -l -                     read baton(1)
  baton man --dir ~/.local/share/man/man1  install all pages; then `man baton-run` works";
