//! The user's pager, for text that is longer than the screen.

use std::io::{self, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use super::color::draws;
use super::failure::Failure;
use super::output::{print, warn};
use super::runtime::block_on;
use super::signals::Stops;
use crate::{config, text};

/// Where no variable names one.
const USUAL: &str = "less";
/// What the shell answers where there is no such program.
const NO_PROGRAM: i32 = 127;

/// Whether `--no-pager` was given.
static OFF: AtomicBool = AtomicBool::new(false);

/// Use none in this process.
pub(super) fn turn_off() {
    OFF.store(true, Ordering::Relaxed);
}

/// Print a text on standard output: by the pager, where that is a terminal and the text is longer than it.
///
/// # Errors
/// As [`print`].
pub(super) fn page(text: &str) -> Result<(), Failure> {
    let out = io::stdout();
    let Some(pager) = Pager::of_user().filter(|_| out.is_terminal() && is_longer(text, &console::Term::stdout()))
    else {
        return print(text);
    };
    // Ctrl-C is the pager's while it is open; it would be left alone with the terminal.
    let shown = block_on(async {
        let _stops = Stops::new()?;
        Ok::<_, Failure>(pager.show(text, Stdio::inherit()))
    })??;
    match shown {
        Shown::Yes => Ok(()),
        Shown::No(why) => {
            warn(&why.into_iter().collect::<Vec<_>>());
            print(text)
        }
    }
}

/// Whether a text has more rows than the terminal, one of them left for the prompt of the shell.
pub(super) fn is_longer(text: &str, terminal: &console::Term) -> bool {
    let (rows, columns) = terminal.size();
    let columns = usize::from(columns).max(1);
    let needed: usize = text.lines().map(|line| text::columns_of(line).div_ceil(columns).max(1)).sum();
    needed >= usize::from(rows)
}

/// The command of a pager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pager {
    command: String,
    /// Whether a person chose it, who is told where it cannot be started.
    is_chosen: bool,
}

/// What became of a text that was to be shown.
pub(super) enum Shown {
    /// It was shown, at least in part.
    Yes,
    /// It was not, and where a person chose the pager, why.
    No(Option<String>),
}

impl Pager {
    /// `$BATON_PAGER`, else `$PAGER`, else less; `None` where that is empty or `cat`, or there is to be none.
    pub(super) fn of_user() -> Option<Self> {
        if OFF.load(Ordering::Relaxed) || !draws() { None } else { Self::named(&config::variable) }
    }

    fn named(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let chosen = variable("BATON_PAGER").or_else(|| variable("PAGER"));
        let is_chosen = chosen.is_some();
        let command = chosen.unwrap_or_else(|| USUAL.to_owned()).trim().to_owned();
        (!matches!(command.as_str(), "" | "cat")).then_some(Self { command, is_chosen })
    }

    /// Show a text on what `out` is, until the person ends that. Leaving early is no failure.
    pub(super) fn show(&self, text: &str, out: Stdio) -> Shown {
        let not_shown = |why: &str| {
            let why = format!("the pager {} could not be started: {why}. Set BATON_PAGER to another one", self.command);
            Shown::No(self.is_chosen.then_some(why))
        };
        let mut child = match self.process().stdin(Stdio::piped()).stdout(out).spawn() {
            Ok(child) => child,
            Err(error) => return not_shown(&error.to_string()),
        };
        if let Some(mut input) = child.stdin.take() {
            // A pager that was left reads no more.
            let _ = input.write_all(text.as_bytes()).and_then(|()| input.write_all(b"\n"));
        }
        match child.wait() {
            Ok(ended) if ended.code() == Some(NO_PROGRAM) => not_shown("there is no such program"),
            _ => Shown::Yes,
        }
    }

    /// Like git's: a command line for the shell.
    fn process(&self) -> Command {
        let is_plain = !self.command.contains(|c: char| !c.is_alphanumeric() && !"-_./+=: ".contains(c));
        let mut words = self.command.split_whitespace();
        let mut process = Command::new(words.next().unwrap_or_default());
        process.args(words);
        if cfg!(unix) && !is_plain {
            process = Command::new("sh");
            process.args(["-c", &self.command]);
        }
        // Ends by itself where all fits, shows colours, leaves the text on the screen; what the user set holds.
        for (name, value) in [("LESS", "FRX"), ("LV", "-c")] {
            if config::variable(name).is_none() {
                process.env(name, value);
            }
        }
        process
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_names_the_pager_and_cat_means_none() {
        let named = |own: Option<&str>, usual: Option<&str>| {
            let of = |name: &str| if name == "PAGER" { usual } else { own }.map(str::to_owned);
            Pager::named(&of).map(|pager| (pager.command, pager.is_chosen))
        };
        assert_eq!(named(None, None), Some(("less".to_owned(), false)));
        assert_eq!(named(None, Some("more -d")), Some(("more -d".to_owned(), true)));
        assert_eq!(named(Some("most"), Some("more")), Some(("most".to_owned(), true)));
        for off in ["", " ", "cat"] {
            assert_eq!(named(Some(off), Some("more")), None, "{off:?}");
        }
    }

    #[test]
    fn a_pager_that_is_missing_or_left_early_is_no_failure() {
        let pager = |command: &str, is_chosen| Pager { command: command.to_owned(), is_chosen };
        let long = "x\n".repeat(100_000);
        for missing in ["no-such-pager-at-all", "no-such-pager-at-all 2>/dev/null"] {
            let Shown::No(Some(why)) = pager(missing, true).show(&long, Stdio::null()) else { panic!("{missing}") };
            assert!(why.contains(missing) && why.contains("BATON_PAGER"), "{why}");
        }
        assert!(matches!(pager("no-such-pager-at-all", false).show("x", Stdio::null()), Shown::No(None)));
        for shows in ["head -c 1", "head -c 1 | wc -c", "false"] {
            assert!(matches!(pager(shows, true).show(&long, Stdio::null()), Shown::Yes), "{shows}");
        }
    }
}
