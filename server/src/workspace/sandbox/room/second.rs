//! The first process inside the room: it has the number 1 there, and with it everything in the room ends.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind, mount_remount};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, set_dumpable_behavior, set_parent_process_death_signal, wait,
};

use super::filter::refuse_calls;
use super::mounts::at;
use super::rights::give_up;
use super::wire::{Fault, Inside, Report, machine_step, mount_step, receive, send, step};
use crate::workspace::sandbox::limits;

/// Parts of `/proc` that change the whole system, for root also without capabilities.
pub(in crate::workspace::sandbox) const READ_ONLY: [&str; 9] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/mtrr",
    "/proc/driver",
];

/// Runs the command that comes over standard input, and says there how it ended.
pub(in crate::workspace::sandbox) fn run_inside() -> ExitCode {
    let control = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let Ok(mut control) = control else { return ExitCode::FAILURE };
    let report = run(&mut control).unwrap_or_else(Report::Failed);
    match send(&mut control, &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(control: &mut UnixStream) -> Result<Report, Fault> {
    step("die with the process outside", set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into))?;
    // Read after that: if the one outside is gone already, there is nothing to read.
    let inside: Inside = step("read the command", receive(control))?;
    mount_step("mount /proc", mount_proc())?;
    machine_step("limit what it may use", limits::limit(inside.pid_max))?;
    mount_step("make parts of /proc read-only", protect_proc())?;
    machine_step("give up capabilities", give_up(inside.foreign_files))?;
    run_command(control, inside)
}

/// Runs the command as the first process inside, which has no rights any more, and waits until it has ended.
pub(in crate::workspace::sandbox) fn run_command(control: &mut UnixStream, inside: Inside) -> Result<Report, Fault> {
    machine_step("refuse to be traced", set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Into::into))?;
    step("count processes", limits::watch())?;
    refuse_calls(control)?;
    step("outlive signals of what runs here", outlive_signals())?;
    let mut sh = Command::new("/bin/sh");
    sh.arg("-c").arg(&inside.command).env_clear().envs(inside.environment).stdin(Stdio::null());
    let started = Instant::now();
    let child = step("start sh", sh.current_dir(&inside.root).spawn())?;
    step("say that it runs", send(control, &Report::Started))?;
    let child = Pid::from_child(&child);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == child => {
                let (code, signal) = (status.exit_status(), status.terminating_signal());
                return Ok(Report::Ended { code, signal, elapsed: Some(started.elapsed()) });
            }
            // Others that lost their parents end here.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return step("wait for the command", Err(error.into())),
        }
    }
}

/// Has signals that would end this process do nothing. A kernel spares the first process of a namespace those that it does not
/// handle, but not where they come while they are blocked, as they are during a spawn. Handlers are not inherited by what is
/// started; an ignored signal would be.
fn outlive_signals() -> io::Result<()> {
    use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    for signal in [SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

fn mount_proc() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    Ok(mount("proc", "/proc", "proc", flags, None)?)
}

fn protect_proc() -> io::Result<()> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    for path in READ_ONLY.iter().map(Path::new).filter(|path| path.exists()) {
        mount_bind(path, path).map_err(|error| at(path, error))?;
        mount_remount(path, flags, "").map_err(|error| at(path, error))?;
    }
    Ok(())
}
