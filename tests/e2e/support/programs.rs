//! Programs that a test writes and then runs.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Write a program. Another process does it: what this one has open for writing is inherited by what other tests start at the
/// same moment, and a program that is open for writing cannot be run.
pub fn write_program(path: &Path, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(path).stdin(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it is read");
    assert!(child.wait().expect("it ends").success(), "{} cannot be written", path.display());
}
