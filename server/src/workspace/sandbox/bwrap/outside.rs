//! The process that starts bwrap, and stays outside until everything inside has ended.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, PipeReader, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, memfd_create, openat};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::super::room::{
    Fault, FirstInside, Report, Setup, Tree, Written, begin, collect, follow, machine_step, send, send_bytes, serve,
    step,
};
use super::super::stage;
use super::arguments::{ALWAYS, arguments, with_ends};
use super::inside::Told;
use super::layout::{Layout, can_be_laid_over};

/// The most that is read of bwrap's own words, and of what it says about the room.
const MAX_WORDS: u64 = 4 << 10;

/// Its words where there is no more room, which may be because of what the workspace holds.
const FULL: [&str; 3] = ["No space left on device", "Disk quota exceeded", "Cannot allocate memory"];

/// Its words where what was to be covered is gone again, a socket of another program, say.
const VANISHED: [&str; 3] = ["Can't create file at", "Can't mkdir", "Can't find source path"];

/// How often bwrap is started where something has gone between the look at it and the mount.
const MOST_TRIES: u32 = 3;

/// Lets bwrap make the room that comes over standard input, runs its command, and says there what came of it.
pub(in crate::workspace::sandbox) fn make_room() -> ExitCode {
    serve(run)
}

fn run(control: &mut UnixStream, scratch: &mut Option<Dir>) -> Result<(), Fault> {
    let (setup, contents) = begin(control)?;
    let nothing = || io::Error::from(io::ErrorKind::NotFound);
    let program = match &setup.tree {
        Tree::Bwrap(program) => Ok(Path::new(program)),
        _ => Err(nothing()),
    };
    let program = step("know which bwrap there is", program)?;
    let folder = machine_step("know where to write", setup.scratch.as_ref().map(Path::new).ok_or_else(nothing))?;
    *scratch = Some(step("open the folder for what is written", Dir::open_ambient_dir(folder, ambient_authority()))?);
    let real = step("open the workspace", Dir::open_ambient_dir(&setup.root, ambient_authority()))?;
    machine_step("lay an overlay over the workspace by bwrap", can_be_laid_over(Path::new(&setup.root)))?;
    let mut tries = 1..=MOST_TRIES;
    let (layout, ended) = loop {
        let folder = folder.join(format!("try-{}", tries.start()));
        step("make a folder for what is written", fs::create_dir(&folder))?;
        let layout = step("lay out the view", Layout::of(&setup, &folder))?;
        let (mut first, mut inner) = step("start bwrap", First::start(program, &setup, &layout))?;
        // Where it fails, bwrap has ended and says why.
        let _ = tell(&mut inner, &setup, &layout, &contents);
        let ended = follow(control, &mut inner, &mut first)?;
        let Some(reason) = first.words() else { break (layout, ended) };
        // Nothing was started, and what is there now is looked up anew.
        if VANISHED.iter().any(|vanished| reason.contains(vanished)) && tries.next().is_some() && !tries.is_empty() {
            continue;
        }
        let step = "make a view by bwrap".to_owned();
        let is_of_machine = !FULL.iter().any(|full| reason.contains(full)) && !makes_overlays(program, &folder);
        return Err(Fault { step, reason, errno: None, is_of_machine });
    };
    drop(contents);
    step("report the end", send(control, &ended))?;
    if let (Report::Ended { .. }, true, Some(upper)) = (&ended, setup.collect, layout.upper()) {
        let upper = step("collect what was changed", Dir::open_ambient_dir(upper, ambient_authority()))?;
        step("collect what was changed", collect(control, &Written::Upper(upper), &real))?;
    }
    Ok(())
}

fn tell(inner: &mut UnixStream, setup: &Setup, layout: &Layout, contents: &[Vec<u8>]) -> io::Result<()> {
    let told = Told {
        inside: setup.inside.clone(),
        edits: setup.edits.clone(),
        written: layout.written.clone(),
        probe: setup.probe,
    };
    send(inner, &told)?;
    let mut of_written = setup.edits.iter().zip(contents).filter(|(edit, _)| !edit.deleted);
    of_written.try_for_each(|(_, content)| send_bytes(inner, content))
}

/// bwrap, and the first process in its room.
struct First {
    bwrap: Child,
    /// What bwrap itself prints: it fails, and why.
    words: PipeReader,
    /// The first process, once there is one. When it has ended, all others in the room have.
    inside: Option<OwnedFd>,
}

impl First {
    /// Starts bwrap with a control socket for the process that it starts.
    fn start(program: &Path, setup: &Setup, layout: &Layout) -> io::Result<(Self, UnixStream)> {
        let all = arguments(layout, &setup.root, setup.memory, setup.network)?;
        // What bwrap is to read or to start, it inherits.
        let mut arguments = File::from(memfd_create("arguments", MemfdFlags::empty())?);
        arguments.write_all(&with_ends(&all))?;
        arguments.rewind()?;
        let this_program = openat(CWD, "/proc/self/exe", OFlags::PATH, Mode::empty())?;
        let (mut info, info_writer) = io::pipe()?;
        fcntl_setfd(&info_writer, FdFlags::empty())?;
        let (words, words_writer) = io::pipe()?;
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg("--args").arg(arguments.as_raw_fd().to_string());
        command.arg("--info-fd").arg(info_writer.as_raw_fd().to_string());
        command.arg("--").arg(format!("/proc/self/fd/{}", this_program.as_raw_fd())).args(stage::INSIDE_BWRAP);
        command.env_clear().current_dir("/").stdin(Stdio::from(OwnedFd::from(theirs)));
        command.stdout(io::stdout().as_fd().try_clone_to_owned()?).stderr(words_writer);
        let bwrap = command.spawn()?;
        drop(command);
        drop(info_writer);
        let inside = first_inside(&mut info).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Ok((Self { bwrap, words, inside }, ours))
    }

    /// What bwrap said, once all have ended. It says nothing unless it fails.
    fn words(&mut self) -> Option<String> {
        let mut words = Vec::new();
        let read = (&mut self.words).take(MAX_WORDS).read_to_end(&mut words);
        let words = String::from_utf8_lossy(&words).trim().replace('\n', "; ");
        (read.is_ok() && !words.is_empty()).then_some(words)
    }
}

impl FirstInside for First {
    fn kill(&mut self) -> io::Result<()> {
        match &self.inside {
            Some(inside) => Ok(pidfd_send_signal(inside, Signal::KILL)?),
            None => self.bwrap.kill(),
        }
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.bwrap.wait()?;
        // Where bwrap itself was killed, the first process is, a moment later.
        if let Some(inside) = &self.inside {
            let _ = pidfd_send_signal(inside, Signal::KILL);
            while poll(&mut [PollFd::new(inside, PollFlags::IN)], None) == Err(Errno::INTR) {}
        }
        Ok(status)
    }
}

/// The first process in the room, from what bwrap says about it: `{"child-pid": 123, …}`. `None`: bwrap has ended.
fn first_inside(info: &mut PipeReader) -> Option<Pid> {
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"}") && said.len() < MAX_WORDS as usize {
        match info.read(&mut byte) {
            Ok(0) => return None,
            Ok(_) => said.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    let said: serde_json::Value = serde_json::from_slice(&said).ok()?;
    Pid::from_raw(said.get("child-pid")?.as_i64()?.try_into().ok()?)
}

/// Whether bwrap makes a room that has nothing to do with the workspace: else it is the machine that refuses.
fn makes_overlays(program: &Path, scratch: &Path) -> bool {
    let folders = ["lower", "upper", "work"].map(|name| scratch.join("plain").join(name));
    if folders.iter().any(|folder| std::fs::create_dir_all(folder).is_err()) {
        // Nothing is known then.
        return true;
    }
    let [lower, upper, work] = &folders;
    let mut command = Command::new(program);
    command.args(ALWAYS).args(["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"]);
    command.arg("--overlay-src").arg(lower).arg("--overlay").args([upper.as_os_str(), work.as_os_str()]);
    command.args(["/tmp/plain", "--", "/bin/sh", "-c", ":"].map(OsStr::new)).env_clear();
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
