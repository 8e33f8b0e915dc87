//! Standard output: results go there, and whoever reads them may leave before the end.
//!
//! A reader who left, as in `| head -1`, is no failure: the command ends quietly. Anything else that keeps a result from
//! being written, such as a full disk, is one.

use std::io::{self, Write};

use super::failure::Failure;
use super::tell;
use crate::contracts::Issue;
use crate::text;

/// A line of the result.
///
/// # Errors
/// When it cannot be written; [`Failure::is_quiet`] when nobody reads any more.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(format!("{text}\n").as_bytes())
}

/// A part of the result, byte for byte.
///
/// # Errors
/// As [`print`].
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| unwritten(&error))
}

/// `file:line: severity: text`, as compilers say it and editors jump to it.
pub(super) fn issue_line(issue: &Issue) -> String {
    let Issue { file, line, severity, description, .. } = issue;
    format!("{}:{line}: {}: {}", text::safe_line(file), severity.as_str(), text::safe_line(description))
}

/// The code of something that was done, once its end was told. An end that nobody reads is as it was done; one that
/// cannot be written fails, unless it has failed already.
///
/// # Errors
/// When what was done went well, and cannot be told.
pub(super) fn ended(code: u8, telling: Result<(), Failure>) -> Result<u8, Failure> {
    match telling {
        Err(failure) if failure.is_quiet() => Ok(code),
        Err(failure) if code != 0 => {
            tell(&format!("error: {}", text::safe_lines(&failure.message)));
            Ok(code)
        }
        told => told.map(|()| code),
    }
}

/// End the process with a call for help, or with what is wrong with the arguments.
pub(super) fn exit_with(error: &clap::Error) -> ! {
    let code = match error.print().map_err(|error| unwritten(&error)) {
        Err(failure) if !error.use_stderr() && !failure.is_quiet() => {
            tell(&format!("error: {}", failure.message));
            i32::from(failure.code)
        }
        // Standard error that cannot be written has nobody to be told so.
        _ => error.exit_code(),
    };
    std::process::exit(code)
}

fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::quiet(),
        _ => Failure::failed(format!("the result cannot be written to standard output: {error}")),
    }
}

/// Returns when whoever reads standard output has left, however long nothing is written: never where it is no pipe.
#[cfg(unix)]
pub(super) async fn unread() {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::fs::{FileType, fstat};

    let is_pipe = fstat(io::stdout())
        .is_ok_and(|found| matches!(FileType::from_raw_mode(found.st_mode), FileType::Fifo | FileType::Socket));
    if !is_pipe {
        return std::future::pending().await;
    }
    let (left, leaves) = tokio::sync::oneshot::channel();
    // A thread of its own: the wait cannot be called off, and must not hold the end of the process.
    std::thread::spawn(move || {
        let out = io::stdout();
        // Nothing is waited for but what is always told: that the other end is closed.
        let mut watched = [PollFd::new(&out, PollFlags::empty())];
        while let Err(rustix::io::Errno::INTR) = poll(&mut watched, None) {}
        if watched.iter().any(|end| end.revents().intersects(PollFlags::ERR | PollFlags::HUP)) {
            // The run may have ended in the meantime.
            let _ = left.send(());
        }
    });
    if leaves.await.is_err() {
        std::future::pending().await
    }
}

/// Elsewhere it is known at the next write.
#[cfg(not(unix))]
pub(super) async fn unread() {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Severity;

    #[test]
    fn an_issue_reads_like_a_compilers_message() {
        let issue = Issue {
            severity: Severity::Major,
            file: "src/a.rs".to_owned(),
            line: 12,
            end_line: None,
            quote: None,
            description: "The count\nis off by one.".to_owned(),
            suggested_fix: None,
            task_id: None,
            id: String::new(),
        };
        assert_eq!(issue_line(&issue), "src/a.rs:12: major: The count is off by one.");
    }
}
