//! A question to a person at the terminal.

use std::io::{self, IsTerminal, Write};

use crate::cli::failure::Failure;
use crate::cli::gate;

/// Ask at the terminal; only a yes is one.
pub(super) fn is_yes(question: &str) -> Result<bool, Failure> {
    Ok(gate::checks::is_yes(&typed(question)?))
}

/// What a person types at the terminal.
pub(super) fn typed(question: &str) -> Result<String, Failure> {
    // What was typed before the question was on screen does not answer it.
    gate::discard_typed_input();
    let mut out = io::stderr();
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
