//! The level `landlock`: no namespaces, the real tree, and a kernel that refuses writes elsewhere.
//!
//! The process that confines itself stays the parent of all that the command starts, also of what lost its own parents, and
//! ends it with the command. It and the command are in one domain of Landlock, so that it may.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use landlock::{
    ABI, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, kill_process, pidfd_open, set_child_subreaper, wait,
    waitpid,
};

use super::filter::refuse_calls;
use super::wire::{Fault, Inside, Report, send, step};

/// What the newest kernels can refuse that this program knows of; older ones refuse less.
const NEWEST: ABI = ABI::V6;
/// A file that a process can always write, unless it is confined.
const PROBE: &str = "/proc/self/comm";

/// Confines this process to what may be written, runs the command, and says how it ended.
pub(super) fn run(
    control: &mut UnixStream,
    inside: &Inside,
    writable: &[std::ffi::OsString],
    network: bool,
) -> Result<(), Fault> {
    step("become the parent of all that is started", set_child_subreaper(Some(getpid())).map_err(Into::into))?;
    step("refuse core dumps", super::super::limits::no_core())?;
    step("confine itself with Landlock", confine(writable, network))?;
    refuse_calls(control)?;
    let mut sh = Command::new("/bin/sh");
    sh.arg("-c").arg(&inside.command).env_clear().envs(inside.environment.iter().cloned()).stdin(Stdio::null());
    let started = Instant::now();
    let child = step("start sh", sh.current_dir(&inside.root).spawn())?;
    step("say that it runs", send(control, &Report::Started))?;
    let status = step("wait for the command", follow(control, &child))?;
    let elapsed = Some(started.elapsed());
    end_all();
    let Some(status) = status else { return Ok(()) };
    let ended = Report::Ended { code: status.exit_status(), signal: status.terminating_signal(), elapsed };
    step("report the end", send(control, &ended))
}

/// Lets this process and all it starts write only these files and folders, and open no TCP connection unless it may use the
/// network; what the kernel knows of signals and abstract sockets stays among themselves.
fn confine(writable: &[std::ffi::OsString], network: bool) -> io::Result<()> {
    if fs::OpenOptions::new().write(true).open(PROBE).is_err() {
        return Err(io::Error::other("/proc cannot be written here, so that nothing can be tried out"));
    }
    let status = restrict(writable, network).map_err(io::Error::other)?;
    if status == RulesetStatus::NotEnforced {
        return Err(io::Error::other("this kernel has no Landlock, or it is switched off"));
    }
    match fs::OpenOptions::new().write(true).open(PROBE) {
        Err(error) if error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => Ok(()),
        _ => Err(io::Error::other("the kernel took the rules, but does not refuse a write")),
    }
}

fn restrict(writable: &[std::ffi::OsString], network: bool) -> Result<RulesetStatus, RulesetError> {
    let writes = AccessFs::from_write(NEWEST);
    let mut rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(writes)?;
    if !network {
        rules = rules.handle_access(AccessNet::ConnectTcp)?;
    }
    let rules = rules.scope(Scope::AbstractUnixSocket | Scope::Signal)?.create()?;
    // What is not there cannot be written; a file takes only the rights that files have.
    Ok(rules.add_rules(path_beneath_rules(writable.iter().map(Path::new), writes))?.restrict_self()?.ruleset)
}

/// Waits until the command has ended; `None` when nobody listens any more.
fn follow(control: &UnixStream, child: &Child) -> io::Result<Option<WaitStatus>> {
    let child = Pid::from_child(child);
    let ended = pidfd_open(child, PidfdFlags::empty())?;
    loop {
        let mut ready = [PollFd::new(control, PollFlags::IN | PollFlags::RDHUP), PollFd::new(&ended, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(Errno::INTR) => continue,
            polled => polled?,
        };
        let [outer, inner] = ready.map(|each| each.revents());
        if !inner.is_empty() {
            return Ok(waitpid(Some(child), WaitOptions::empty())?.map(|(_, status)| status));
        }
        if !outer.is_empty() {
            return Ok(None);
        }
    }
}

/// Ends whatever the command has left: its children become this process' own when they lose their parents.
fn end_all() {
    loop {
        for child in children() {
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            // There are none left.
            Err(_) => return,
        }
    }
}

/// The processes whose parent this one is; see proc(5), `stat`.
fn children() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |id: &i32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        // The name of a program may hold anything, so the fields after it are counted from its end.
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse::<i32>().ok());
        parent == Some(own)
    };
    ids.filter(is_child).filter_map(Pid::from_raw).collect()
}
