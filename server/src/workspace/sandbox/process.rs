//! A process that runs a command: started, read, and ended with all that it started.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::job::{Ended, Ran};
use super::output::Output;
use crate::workspace::platform::{end_group, in_own_group, signal_of};

/// How long what a command printed is waited for once it has ended: a process that it left behind may hold its output open.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What the command printed, as one stream.
type Printed = Box<dyn AsyncRead + Send + Unpin>;

/// Runs a command without a sandbox, in a process group of its own and with this environment.
pub(super) async fn run_plain(
    root: &Path,
    command: &str,
    environment: Vec<(OsString, OsString)>,
    limit: Duration,
    output: Output,
    cancel: &CancellationToken,
) -> Ran {
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(command).current_dir(root).stdin(Stdio::null()).kill_on_drop(true);
    sh.env_clear().envs(environment);
    in_own_group(&mut sh);
    let started = Instant::now();
    match spawn(&mut sh) {
        Ok((child, printed)) => {
            drop(sh);
            follow(child, printed, started, limit, output, cancel).await
        }
        Err(error) => not_run(format!("sh cannot be started: {error}")),
    }
}

/// A job that was never started.
pub(super) fn not_run(reason: String) -> Ran {
    Ran {
        ended: Ended::NotRun(reason),
        elapsed: Duration::ZERO,
        output: String::new(),
        changed: Vec::new(),
        replaced: Vec::new(),
        hints: Vec::new(),
        traces: None,
    }
}

/// Starts a process whose standard output and error are one stream.
#[cfg(unix)]
fn spawn(command: &mut Command) -> io::Result<(Child, Printed)> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn()?;
    let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    Ok((child, Box::new(reader)))
}

#[cfg(not(unix))]
fn spawn(command: &mut Command) -> io::Result<(Child, Printed)> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let nothing = || io::Error::other("it has no output");
    let (out, err) = (child.stdout.take().ok_or_else(nothing)?, child.stderr.take().ok_or_else(nothing)?);
    Ok((child, Box::new(out.chain(err))))
}

/// Reads what a process prints until it ends, its time is over or it is cancelled; then nothing of its group is left.
async fn follow(
    mut child: Child,
    mut printed: Printed,
    started: Instant,
    limit: Duration,
    mut output: Output,
    cancel: &CancellationToken,
) -> Ran {
    let deadline = started.checked_add(limit).unwrap_or_else(|| started + Duration::from_secs(1 << 30));
    let group = child.id();
    let mut buffer = vec![0; 64 << 10];
    let mut is_open = true;
    let ended = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break Ended::Cancelled,
            () = sleep_until(deadline.into()) => break Ended::TimedOut,
            status = child.wait() => break match status {
                Ok(status) => how(status),
                Err(error) => Ended::NotRun(format!("its end cannot be waited for: {error}")),
            },
            read = printed.read(&mut buffer), if is_open => match read {
                Ok(0) | Err(_) => is_open = false,
                Ok(count) => output.take(&buffer[..count]),
            },
        }
    };
    let elapsed = started.elapsed();
    end(group, &mut child);
    let rest = async {
        while let Ok(count @ 1..) = printed.read(&mut buffer).await {
            output.take(&buffer[..count]);
        }
    };
    let _ = timeout(LAST_WORDS, rest).await;
    // Reaped, so that no process is left; killed, it ends at once.
    let _ = timeout(LAST_WORDS, child.wait()).await;
    Ran {
        ended,
        elapsed,
        output: output.into_text(),
        changed: Vec::new(),
        replaced: Vec::new(),
        hints: Vec::new(),
        traces: None,
    }
}

/// Kills a process and its whole group, also where its leader has ended.
fn end(group: Option<u32>, child: &mut Child) {
    if let Some(group) = group {
        end_group(group);
    }
    let _ = child.start_kill();
}

fn how(status: std::process::ExitStatus) -> Ended {
    match (status.code(), signal_of(status)) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}
