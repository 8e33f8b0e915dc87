//! Options that were given without their value, where the next option would be taken for it.

use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Arg, Command};

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
