//! What a check may use up. Everything here ends with its namespaces.
//!
//! The number of processes is the hard one: `RLIMIT_NPROC` counts the tasks of a user in the check's own user namespace,
//! but does not hold root; `pid_max` holds everybody, and belongs to the namespace only where the kernel says so; and the
//! count by the first process holds where neither does, a moment late.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Tasks of a check, threads included: a parallel test suite on a large machine has a tenth of them.
pub(super) const MAX_TASKS: u64 = 4_096;
/// With this code the first process ends when there are more.
pub(super) const TOO_MANY: i32 = 247;
/// What it prints then.
pub(super) const TOO_MANY_WORDS: &str = "the check had more than 4096 processes and threads and was ended";
/// How often they are counted.
const PERIOD: Duration = Duration::from_millis(25);

const PID_MAX: &str = "/proc/sys/kernel/pid_max";
const USER_NAMESPACES: &str = "/proc/sys/user/max_user_namespaces";

/// The largest process id outside, to be read before there is a namespace: see [`limit`].
pub(super) fn pid_max() -> Option<u64> {
    fs::read_to_string(PID_MAX).ok()?.trim().parse().ok()
}

/// Limits what the check may use, from inside its namespaces, with `/proc` its own and `/proc/sys` still to be written.
/// `outside` is what [`pid_max`] was before.
///
/// # Errors
/// When further user namespaces cannot be refused: in one of its own a check would have capabilities again.
pub(super) fn limit(outside: Option<u64>) -> io::Result<()> {
    fs::write(USER_NAMESPACES, "0")?;
    // A namespace has a value of its own if it is not the one outside; the same one twice says nothing, and may be
    // everybody's.
    if let (Some(outside), Some(inside)) = (outside, pid_max())
        && outside != inside
    {
        // Refused where it cannot be lowered; the count goes on.
        let _ = fs::write(PID_MAX, (MAX_TASKS + 300).to_string());
    }
    limit_without_rights()
}

/// [`limit`] for a process without rights over its namespaces, where who made them refuses further ones.
///
/// # Errors
/// When the system refuses it.
pub(super) fn limit_without_rights() -> io::Result<()> {
    lower(Resource::Nproc, MAX_TASKS)?;
    no_core()
}

/// Lets nothing that is started from here write its memory to a disk when it crashes.
///
/// # Errors
/// When the system refuses it.
pub(super) fn no_core() -> io::Result<()> {
    lower(Resource::Core, 0)
}

/// Lowers a limit for this process and all it starts; what is lower already stays.
fn lower(resource: Resource, most: u64) -> io::Result<()> {
    let now = getrlimit(resource);
    let least = |limit: Option<u64>| Some(limit.map_or(most, |limit| limit.min(most)));
    Ok(setrlimit(resource, Rlimit { current: least(now.current), maximum: least(now.maximum) })?)
}

/// Counts the tasks of the namespace from its first process, and ends that one, and so all of them, when there are too
/// many.
///
/// # Errors
/// When no thread can be started.
pub(super) fn watch() -> io::Result<()> {
    let watched = || {
        loop {
            thread::sleep(PERIOD);
            if tasks() > MAX_TASKS {
                // Standard error is the check's output.
                let _ = io::Write::write_all(&mut io::stderr(), format!("\n{TOO_MANY_WORDS}\n").as_bytes());
                std::process::exit(TOO_MANY);
            }
        }
    };
    thread::Builder::new().name("count".to_owned()).stack_size(64 << 10).spawn(watched).map(drop)
}

/// The tasks that this namespace's `/proc` shows: a folder of each process has a link for each thread, and two more.
fn tasks() -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut count = 0;
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(|c: char| c.is_ascii_digit())) {
        count += fs::metadata(entry.path().join("task")).map_or(1, |task| task.nlink().saturating_sub(2).max(1));
        if count > MAX_TASKS {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_as_tasks() {
        let before = tasks();
        let (send, receive) = std::sync::mpsc::channel::<()>();
        let receive = std::sync::Arc::new(std::sync::Mutex::new(receive));
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let receive = receive.clone();
                thread::spawn(move || drop(receive.lock().map(|receive| receive.recv())))
            })
            .collect();
        let own = fs::metadata("/proc/self/task").expect("threads").nlink() - 2;
        assert!(own >= 20, "{own}");
        assert!(tasks() >= 20 && before > 0);
        drop(send);
        for thread in threads {
            thread.join().expect("it ends");
        }
    }

    #[test]
    fn the_words_name_the_limit() {
        assert!(TOO_MANY_WORDS.contains(&MAX_TASKS.to_string()));
    }
}
