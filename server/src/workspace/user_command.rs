//! A command of the user's own that is told something on its standard input.
//!
//! Unlike a check it is not part of the project: only the user's own file names it, and it runs as the user would run it, but
//! for the keys of models, which it is not given.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::platform::{end_group, in_own_group, signal_of};

/// Bytes of what it says on standard error that are kept.
const MOST_SAID: u64 = 2_000;

/// A command, and what it is told.
#[derive(Debug, Clone)]
pub struct UserCommand {
    /// For `sh -c`.
    pub command: String,
    /// What it reads on its standard input.
    pub input: Vec<u8>,
    /// Variables it is given beside those of this process.
    pub variables: Vec<(&'static str, String)>,
    /// Variables of this process that it is not given.
    pub withheld: Vec<String>,
}

/// Why it did not do what it was run for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserCommandError {
    /// `sh` is not there, or no process can be made.
    #[error("cannot be started: {0}")]
    NotStarted(String),
    /// It ended with another code than 0, or by a signal.
    #[error("ended with {how}{said}")]
    Failed {
        /// `code 3`, `signal 9`.
        how: String,
        /// What it said last, behind a colon; empty where it said nothing.
        said: String,
    },
    /// Its time was over; it was ended with all that it started.
    #[error("was ended after {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It was cancelled, and ended with all that it started.
    #[error("was cancelled")]
    Cancelled,
}

/// Runs a command in a folder, for so long at most.
///
/// # Errors
/// When it cannot be started, fails, takes too long or is cancelled; nothing of it runs on in the last two cases.
pub async fn run_user_command(
    folder: &Path,
    told: UserCommand,
    limit: Duration,
    cancel: &CancellationToken,
) -> Result<(), UserCommandError> {
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(&told.command).current_dir(folder).kill_on_drop(true);
    sh.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    sh.envs(told.variables.iter().map(|(name, value)| (*name, value.as_str())));
    for name in &told.withheld {
        sh.env_remove(name);
    }
    in_own_group(&mut sh);
    let mut child = sh.spawn().map_err(|error| UserCommandError::NotStarted(error.to_string()))?;
    let mut group = Group::of(&child);
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let tell = async {
        if let Some(mut stdin) = stdin {
            // One that reads nothing is told nothing, which is its own affair.
            let _ = stdin.write_all(&told.input).await;
        }
    };
    let end = async { tokio::join!(child.wait(), tell, said(stderr)) };
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(UserCommandError::Cancelled),
        ended = timeout(limit, end) => match ended {
            Err(_) => Err(UserCommandError::TimedOut(limit)),
            Ok((status, (), said)) => {
                group.leave();
                match status {
                    Ok(status) if status.success() => Ok(()),
                    Ok(status) => Err(UserCommandError::Failed { how: how(status), said }),
                    Err(error) => Err(UserCommandError::Failed { how: error.to_string(), said }),
                }
            }
        },
    }
}

/// What it says on standard error: the beginning, behind a colon.
async fn said(stderr: Option<ChildStderr>) -> String {
    let Some(stderr) = stderr else { return String::new() };
    let mut bytes = Vec::new();
    let mut first = stderr.take(MOST_SAID);
    let _ = first.read_to_end(&mut bytes).await;
    // More than that is read as well, so that it does not wait for a reader.
    let mut rest = first.into_inner();
    let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    match String::from_utf8_lossy(&bytes).trim() {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

/// The process group of a command, which is ended when this is dropped.
struct Group {
    leader: Option<u32>,
}

impl Group {
    fn of(child: &Child) -> Self {
        Self { leader: child.id() }
    }

    /// The command has ended by itself: what it left behind is the user's.
    fn leave(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            end_group(leader);
        }
    }
}

fn how(status: std::process::ExitStatus) -> String {
    match (status.code(), signal_of(status)) {
        (Some(code), _) => format!("code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn command(command: &str) -> UserCommand {
        let variables = vec![("BATON_RUN", "r; echo no".to_owned())];
        UserCommand {
            command: command.to_owned(),
            input: b"{}\n".to_vec(),
            variables,
            withheld: vec!["HOME".to_owned()],
        }
    }

    async fn ran(folder: &Path, line: &str, limit: Duration) -> Result<(), UserCommandError> {
        run_user_command(folder, command(line), limit, &CancellationToken::new()).await
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn it_reads_what_it_is_told_and_what_it_says_of_a_failure_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let line = "cat > told; printf '%s|%s' \"$BATON_RUN\" \"${HOME-none}\" > env";
        ran(folder.path(), line, LONG).await.unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("told")).unwrap(), "{}\n");
        assert_eq!(std::fs::read_to_string(folder.path().join("env")).unwrap(), "r; echo no|none");
        assert_eq!(ran(folder.path(), "true", LONG).await, Ok(()), "it need not read");
        let failed = ran(folder.path(), "echo no such thing >&2; exit 3", LONG).await.unwrap_err();
        assert_eq!(failed.to_string(), "ended with code 3: no such thing");
        let talks = ran(folder.path(), "yes no | head -c 200000 >&2; exit 4", LONG).await.unwrap_err().to_string();
        assert!(talks.starts_with("ended with code 4: no") && talks.len() < 2_100, "{}", talks.len());
    }

    /// Waits until a process is gone.
    async fn is_gone(pid: &str) -> bool {
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        for _ in 0..500 {
            if rustix::process::test_kill_process(pid).is_err() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    #[tokio::test]
    async fn nothing_of_it_outlives_its_time_or_a_cancel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let line = "sleep 600 & echo $! > pid.new; mv pid.new pid; wait";
        let late = ran(folder.path(), line, Duration::from_secs(2)).await;
        assert_eq!(late.unwrap_err().to_string(), "was ended after 2 s");
        assert!(is_gone(&std::fs::read_to_string(&path).unwrap()).await);
        std::fs::remove_file(&path).unwrap();
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let (folder, cancel) = (folder.path().to_owned(), cancel.clone());
            async move { run_user_command(&folder, command(line), LONG, &cancel).await }
        });
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
        assert_eq!(running.await.unwrap(), Err(UserCommandError::Cancelled));
        assert!(is_gone(&std::fs::read_to_string(&path).unwrap()).await);
    }
}
