//! Machines on which something is wrong: a clock that is off, a disk that is full.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A machine that a worker runs on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// By how many seconds the time of day is wrong. Time that is measured is right.
    pub clock_off: i64,
    /// How much can be written.
    pub disk: Disk,
}

/// How much a worker can write beneath its cache and temporary folders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Disk {
    #[default]
    Roomy,
    /// So many KiB: a file system in memory of that size, in a mount namespace of the worker's own. Where no such namespace can
    /// be made, no single file can be longer than that instead, which is refused as "file too large" and not as "no space".
    Small(u32),
}

/// Shifts the time of day, whatever asks for it. The kernel is asked directly: what stands behind a preloaded function need not
/// be found by name then.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
    const char *text = getenv("CLOCK_OFF");
    return text ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (!failed) {
        at->tv_sec = now.tv_sec;
        at->tv_usec = now.tv_nsec / 1000;
    }
    return failed;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

impl Machine {
    /// The command on this machine; `folder` is the worker's own.
    pub(super) fn run(self, mut command: Command, folder: &Path) -> Command {
        if self.clock_off != 0 {
            command.env("LD_PRELOAD", clock()).env("CLOCK_OFF", self.clock_off.to_string());
        }
        match self.disk {
            Disk::Roomy => command,
            Disk::Small(kib) => small_disk(&command, &folder.join("small"), kib),
        }
    }
}

/// The library that shifts the clock, built once.
fn clock() -> PathBuf {
    static BUILT: OnceLock<TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("clock.c"), CLOCK).expect("a file");
        let mut cc = Command::new("cc");
        cc.current_dir(folder.path()).args(["-shared", "-fPIC", "-O1", "-o", "clock.so", "clock.c"]);
        let output = cc.output().expect("a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    });
    folder.path().join("clock.so")
}

/// The same command with little room beneath `$XDG_CACHE_HOME` and `$TMPDIR`. Its process id is that of what is started.
fn small_disk(command: &Command, folder: &Path, kib: u32) -> Command {
    std::fs::create_dir_all(folder).expect("a folder");
    let namespace = own_mounts();
    let script = if namespace.is_some() {
        "mount -t tmpfs -o size=${KIB}k tmpfs \"$SMALL\" && mkdir \"$SMALL/cache\" \"$SMALL/tmp\" && exec \"$@\""
    } else {
        "mkdir -p \"$SMALL/cache\" \"$SMALL/tmp\" && trap '' XFSZ && ulimit -f $((KIB * 2)) && exec \"$@\""
    };
    let mut small = match namespace {
        Some(flags) => {
            let mut unshare = Command::new("unshare");
            unshare.args(flags).arg("sh");
            unshare
        }
        None => Command::new("sh"),
    };
    small.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args()).env_clear();
    small.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    small.env("KIB", kib.to_string()).env("SMALL", folder);
    small.env("XDG_CACHE_HOME", folder.join("cache")).env("TMPDIR", folder.join("tmp"));
    if let Some(folder) = command.get_current_dir() {
        small.current_dir(folder);
    }
    small
}

/// How a mount namespace is made here, if it can be. A user namespace is made for it where mounting needs one.
fn own_mounts() -> Option<&'static [&'static str]> {
    let mounts = |flags: &[&str]| {
        let mut unshare = Command::new("unshare");
        unshare.args(flags).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
        let status = unshare.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    [&["--mount"][..], &["--mount", "--map-root-user"]].into_iter().find(|flags| mounts(flags))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::{Disk, Machine};

    fn run(machine: Machine, script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("PATH", std::env::var_os("PATH").unwrap());
        let output = machine.run(command, folder.path()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[test]
    fn a_clock_can_be_off() {
        let now = || jiff::Timestamp::now().as_second();
        let before = now();
        let told: i64 = run(Machine { clock_off: -86_400, ..Machine::default() }, "date +%s").parse().unwrap();
        assert!((before..=now()).contains(&(told + 86_400)), "{told}");
    }

    #[test]
    fn a_disk_can_be_full() {
        let machine = Machine { disk: Disk::Small(64), ..Machine::default() };
        let script = |kib| format!("dd if=/dev/zero of=$TMPDIR/x bs=1k count={kib} 2>/dev/null && echo written");
        assert_eq!(run(machine, &script(32)), "written");
        assert_eq!(run(machine, &script(256)), "");
    }
}
