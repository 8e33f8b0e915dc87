//! Watches the process of the editor. Usually its end closes standard input; where something else, such as a child of the
//! editor, holds that open, the server would keep running. The specification of `processId` asks it to exit.

use std::time::Duration;

/// How often the process is checked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Returns when the process with this id has ended; never for one that cannot be seen, as where the server runs in a
/// container or on another machine.
pub(crate) fn ended(pid: u32) -> impl Future<Output = ()> + Send + use<> {
    // Before this returns, so that the id cannot be reused in between.
    let process = Process::find(pid);
    async move {
        let Some(process) = process else {
            tracing::debug!(pid, "the editor's process is not to be seen from here");
            return std::future::pending().await;
        };
        while process.is_alive() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// A process, distinguished from a later one with the same id where the system says when it began.
#[cfg(unix)]
#[derive(Debug, PartialEq, Eq)]
struct Process {
    pid: rustix::process::Pid,
    began: Option<String>,
}

#[cfg(unix)]
impl Process {
    fn find(pid: u32) -> Option<Self> {
        let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
        let process = Self { pid, began: Stat::of(pid).map(|stat| stat.began) };
        process.is_alive().then_some(process)
    }

    fn is_alive(&self) -> bool {
        match (Stat::of(self.pid), &self.began) {
            (Some(now), Some(began)) => now.began == *began && !now.is_dead,
            // The system gives no start time now, or gave none before.
            (now, _) => now.is_none_or(|now| !now.is_dead) && self.takes_signals(),
        }
    }

    fn takes_signals(&self) -> bool {
        !matches!(rustix::process::test_kill_process(self.pid), Err(rustix::io::Errno::SRCH))
    }
}

/// The fields of `/proc/<pid>/stat` in use; proc(5).
#[cfg(unix)]
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Clock ticks from the start of the system to that of the process.
    began: String,
    /// It has ended, and its parent has not waited for it yet.
    is_dead: bool,
}

#[cfg(unix)]
impl Stat {
    #[expect(clippy::disallowed_methods, reason = "/proc is no file of anybody")]
    fn of(pid: rustix::process::Pid) -> Option<Self> {
        let folder = format!("/proc/{}", pid.as_raw_nonzero());
        let text = std::fs::read(format!("{folder}/stat")).ok()?;
        // The main thread of a process may end before the others.
        let has_threads = || std::fs::read_dir(format!("{folder}/task")).is_ok_and(|tasks| tasks.count() > 1);
        let stat = Self::parse(&String::from_utf8_lossy(&text))?;
        Some(Self { is_dead: stat.is_dead && !has_threads(), ..stat })
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field, the program's name, may hold anything, brackets and blanks included.
        let (_, fields) = text.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        // The state is field 3, and the start field 22.
        Some(Self { began: fields.nth(18)?.to_owned(), is_dead: matches!(state, "Z" | "X" | "x") })
    }
}

#[cfg(not(unix))]
struct Process;

#[cfg(not(unix))]
impl Process {
    fn find(_pid: u32) -> Option<Self> {
        None
    }

    fn is_alive(&self) -> bool {
        true
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let line = |state: &str| format!("7 (a) b) c) {state} 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 3141 9 9\n");
        let stat = |is_dead| Some(Stat { began: "3141".to_owned(), is_dead });
        assert_eq!((Stat::parse(&line("S")), Stat::parse(&line("Z"))), (stat(false), stat(true)));
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_seen_also_before_its_parent_takes_note() {
        let mut sleeper = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        let process = Process::find(sleeper.id()).unwrap();
        assert!(process.is_alive());
        sleeper.kill().unwrap();
        tokio::time::timeout(Duration::from_secs(30), ended_of(&process)).await.unwrap();
        sleeper.wait().unwrap();
        assert!(!process.is_alive());
        assert_eq!(Process::find(sleeper.id()), None, "one that is gone is not looked for");
    }

    async fn ended_of(process: &Process) {
        while process.is_alive() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[test]
    fn a_later_process_of_the_same_id_is_another_one() {
        let this = Process::find(std::process::id()).unwrap();
        assert!(this.is_alive());
        if this.began.is_some() {
            assert!(!Process { began: Some("1".to_owned()), ..this }.is_alive());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_seen_never_ends() {
        for pid in [0, u32::MAX, i32::MAX as u32] {
            let waited = tokio::time::timeout(Duration::from_secs(3600), ended(pid)).await;
            assert!(waited.is_err(), "{pid}");
        }
    }
}
