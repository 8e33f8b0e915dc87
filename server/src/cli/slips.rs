//! What somebody types wrongly and would not see why: an option without its value, where the next option would be taken for
//! it; a task without `run`, or without quotes; a command or a phase where a task is meant to stand.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::text;
use crate::workflow::Phases;

/// Find an option without its text: in `--task --json` the flag is meant, and "--json" would be sent to a model as the task.
///
/// An option for free text also accepts text that begins with a dash, unless it is exactly an option of the same command;
/// that is still accepted after an equals sign.
///
/// # Errors
/// Names the option and how to write it if that is the text.
pub(super) fn check(declared: &Command, words: &[OsString]) -> Result<(), clap::Error> {
    let mut whole = declared.clone();
    let named = words.iter().skip(1).find_map(|word| whole.find_subcommand(word)).cloned();
    let args: Vec<&Arg> = whole.get_arguments().chain(named.iter().flat_map(Command::get_arguments)).collect();
    let takes_text = |word: &OsStr| {
        let option = word.to_str().and_then(|word| word.strip_prefix("--"))?;
        args.iter().find(|arg| arg.get_long() == Some(option) && arg.is_allow_hyphen_values_set())
    };
    let slip = words.windows(2).find_map(|pair| {
        let [option, text] = pair else { return None };
        let arg = takes_text(option)?;
        let text = text.to_str().filter(|text| is_option(text, &args))?;
        Some((arg.get_long().unwrap_or_default().to_owned(), text.to_owned()))
    });
    let Some((option, text)) = slip else { return Ok(()) };
    let message = format!(
        "--{option} is followed by {text}, not by its value; if that is what you mean, write --{option}={text}"
    );
    Err(whole.error(ErrorKind::InvalidValue, message))
}

/// The error with what to write instead, where it is a task that stands at a wrong place.
pub(super) fn explained(error: clap::Error, declared: &mut Command, phases: &Phases) -> clap::Error {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(text::short_line(word, 60)),
        _ => None,
    };
    let is_like_another = error.get(ContextKind::SuggestedSubcommand).is_some();
    let hint = match error.kind() {
        ErrorKind::InvalidSubcommand => word(ContextKind::InvalidSubcommand).and_then(|word| match word.as_str() {
            "fix" => {
                Some("fix is no command; to have issues of the review fixed, write: baton run --fix IDS".to_owned())
            }
            name if is_phase(name, phases) => {
                Some(format!("{name} is a phase and no command; to run it alone, write: baton run --phase {name}"))
            }
            // A word of a command that is nearly right has a hint already.
            words if is_like_another && !words.contains(char::is_whitespace) => None,
            words => Some(format!("\"{words}\" is no command; for a task, write: baton run \"{words}\"")),
        }),
        ErrorKind::UnknownArgument => {
            word(ContextKind::InvalidArg).filter(|word| !word.starts_with('-')).and_then(|word| {
                let is_run = error.to_string().contains(" run ");
                let example = "a task is one argument; put it in quotes, as in: baton run \"Add a --json flag\"";
                is_run.then(|| format!("\"{word}\" is one word too many: {example}"))
            })
        }
        _ => None,
    };
    match hint {
        Some(hint) => declared.error(error.kind(), hint),
        None => error,
    }
}

/// Refuse a task that is a command's or a phase's name: whoever wrote it wants that done, and a model would be asked for it.
///
/// # Errors
/// Names what to write.
pub(super) fn check_task(task: &str, declared: &mut Command, phases: &Phases) -> Result<(), clap::Error> {
    let instead = if is_phase(task, phases) {
        format!("{task} is a phase; to run it alone, write: baton run --phase {task}")
    } else if declared.find_subcommand(task).is_some() {
        format!("{task} is a command; write: baton {task}")
    } else {
        return Ok(());
    };
    let message = format!("{instead}. If the task is the one word, write: baton run --task {task}");
    Err(declared.error(ErrorKind::InvalidValue, message))
}

fn is_phase(name: &str, phases: &Phases) -> bool {
    phases.names().any(|phase| phase.as_str() == name)
}

/// Whether this is exactly an option of the command, with or without a value.
fn is_option(text: &str, args: &[&Arg]) -> bool {
    if text == "--" {
        return true;
    }
    if let Some(long) = text.strip_prefix("--") {
        let name = long.split('=').next().unwrap_or_default();
        return ["help", "version"].contains(&name) || args.iter().any(|arg| arg.get_long() == Some(name));
    }
    let short = text.strip_prefix('-').and_then(|short| short.parse::<char>().ok());
    short.is_some_and(|short| ['h', 'V'].contains(&short) || args.iter().any(|arg| arg.get_short() == Some(short)))
}
