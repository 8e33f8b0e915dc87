//! The `baton` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    baton::cli::main(&baton::phases::TABLE)
}
