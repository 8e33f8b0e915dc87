//! The first process inside: it has the number 1 there, no rights, and everything in the room ends with it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{capabilities, no_new_privs, set_no_new_privs};
use serde::{Deserialize, Serialize};

use super::super::limits::limit_without_rights;
use super::super::room::{
    Edit, Fault, Inside, Report, close_inherited, lay_edits, machine_step, mount_step, receive, receive_contents,
    run_command, send, step,
};
use super::layout::PROBE;

/// What this process is told. The content of each edit that deletes nothing follows as a frame.
#[derive(Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) inside: Inside,
    pub(super) edits: Vec<Edit>,
    /// Files to be written before: their paths and contents.
    pub(super) written: Vec<(OsString, String)>,
    /// Whether overlays are tried out first.
    pub(super) probe: bool,
}

/// Lays the edits that come over standard input over the tree, runs the command, and says how it ended.
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
    // Only bwrap's own words go where its standard error went.
    step("print where the command prints", rustix::stdio::dup2_stderr(io::stdout()).map_err(Into::into))?;
    step("die with the process outside", set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into))?;
    step("close what was inherited", close_inherited(control))?;
    let Told { inside, edits, written, probe } = step("read the command", receive(control))?;
    let contents = step("read the edits", receive_contents(control, &edits))?;
    machine_step("be without rights", without_rights())?;
    machine_step("limit what it may use", limit_without_rights())?;
    for (path, content) in &written {
        step("hide logins", fs::write(path, content))?;
    }
    step("lay the edits over the tree", lay_edits(Path::new(&inside.root), &edits, &contents, probe))?;
    drop(contents);
    if probe {
        mount_step("try out overlays", try_overlay(Path::new(PROBE)))?;
    }
    run_command(control, inside)
}

/// Looks whether bwrap took all rights, instead of believing it.
fn without_rights() -> io::Result<()> {
    let held = capabilities(None)?;
    if !(held.effective | held.permitted | held.inheritable).is_empty() {
        return Err(io::Error::other("bwrap left it capabilities"));
    }
    set_no_new_privs(true)?;
    if no_new_privs()? { Ok(()) } else { Err(io::Error::other("it may gain capabilities")) }
}

/// What fails on some disks: in a folder whose lower one was removed another one is made.
fn try_overlay(over: &Path) -> io::Result<()> {
    let folder = over.join("folder");
    fs::remove_dir(folder.join("in"))?;
    fs::remove_dir(&folder)?;
    fs::create_dir(&folder)?;
    fs::write(folder.join("file"), "x")
}
