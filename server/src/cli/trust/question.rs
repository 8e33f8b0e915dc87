//! A question to a person at the terminal.

use std::io::{self, IsTerminal, Write};

use crate::cli::failure::Failure;
use crate::cli::gate;
use crate::cli::output::stderr_columns;
use crate::text;

/// Ask at the terminal; only a yes is one.
pub(super) fn is_yes(question: &str) -> Result<bool, Failure> {
    Ok(gate::checks::is_yes(&typed(question)?))
}

/// What a person types at the terminal.
pub(super) fn typed(question: &str) -> Result<String, Failure> {
    // What was typed before the question was on screen does not answer it.
    gate::discard_typed_input();
    let mut out = io::stderr();
    // A few columns are left for the answer.
    let wrapped = stderr_columns().map(|columns| text::rewrapped(question.trim_end(), columns.saturating_sub(8)) + " ");
    let question = wrapped.as_deref().unwrap_or(question);
    write!(out, "{question}")?;
    out.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line)
}

/// Whether a person can be asked.
pub(super) fn has_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
