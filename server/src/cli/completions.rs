//! `baton completions SHELL`: what lets a shell complete the words of the command line.

use clap_complete::Shell;

use super::args::Args;
use super::failure::Failure;
use super::output::print_bytes;
use crate::workflow::Phases;

/// Print the script of a shell.
pub(super) fn completions(phases: &Phases, shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::declared(phases), "baton", &mut script);
    print_bytes(&script)?;
    Ok(0)
}
