//! The process that makes the room, and stays outside of it until everything inside has ended.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::process::setsid;

use super::changes::{changes, send_files};
use super::copied::Before;
use super::covered::{Kept, Memory, bind, cover, handle, hide, make_folder, path_of, put_back, show, trace};
use super::mounts::{is_any_beneath, make_read_only, make_writable, mounts};
use super::overlay::Layers;
use super::wire::{
    Answer, Edit, Fault, LAY_HOME, LAY_PART, LAY_ROOT, Report, Setup, TRY_OVERLAYS, Tree, machine_step, mount_step,
    receive, receive_contents, send, step,
};
use super::{confined, devices, edits, namespaces, rights};
use crate::workspace::sandbox::scratch;

/// The folder in the fresh `/tmp` where layers are made; it is gone before anything runs.
const LAYERS: &str = "/tmp/.layers";

/// Makes the room that comes over standard input, runs its command, and says there what came of it.
pub(in crate::workspace::sandbox) fn make_room() -> ExitCode {
    serve(run)
}

/// Does what comes over standard input with `run`, which may open the folder for what is written, says how that ended, and
/// empties the folder.
pub(in crate::workspace::sandbox) fn serve(
    run: impl FnOnce(&mut UnixStream, &mut Option<Dir>) -> Result<(), Fault>,
) -> ExitCode {
    let control = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    let Ok(mut control) = control else { return ExitCode::FAILURE };
    let mut scratch = None;
    let done = run(&mut control, &mut scratch);
    let last = match &done {
        Ok(()) => send(&mut control, &Report::Done),
        Err(fault) => send(&mut control, &Report::Failed(fault.clone())),
    };
    // Who waits for the end need not wait for this.
    drop(control);
    if let Some(scratch) = scratch {
        // What is left is swept by a later run.
        let _ = scratch::empty(&scratch);
    }
    if done.is_ok() && last.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The workspace as it is in the room.
struct Room {
    /// What is written to the workspace.
    written: Option<Written>,
    /// The real workspace. Opened before the room has a `/proc` of its own, in which this process is unknown.
    real: Dir,
}

/// Where it is found what the command wrote.
pub(in crate::workspace::sandbox) enum Written {
    /// The upper layer of an overlay: it holds nothing else.
    Upper(Dir),
    /// A copy, and how it was before.
    Copy(Dir, Before),
}

/// Reads what to do, with the content of each edit, and leaves what this process was started with.
pub(in crate::workspace::sandbox) fn begin(control: &mut UnixStream) -> Result<(Setup, Vec<Vec<u8>>), Fault> {
    let setup: Setup = step("read what to do", receive(control))?;
    let contents = step("read the edits", receive_contents(control, &setup.edits))?;
    // Else the command could write to the user's terminal.
    step("leave the terminal", setsid().map_err(Into::into))?;
    step("close what was inherited", close_inherited(control))?;
    Ok((setup, contents))
}

fn run(control: &mut UnixStream, scratch: &mut Option<Dir>) -> Result<(), Fault> {
    let (setup, contents) = begin(control)?;
    if let Tree::Confined(writable) = &setup.tree {
        return confined::run(control, &setup.inside, writable, setup.network);
    }
    enter(control, &setup)?;
    let room = lay_out(&setup, &contents, scratch)?;
    drop(contents);
    let (mut child, mut inner) = step("start the room's first process", start(&setup))?;
    let ended = follow(control, &mut inner, &mut child)?;
    step("report the end", send(control, &ended))?;
    if let (Report::Ended { .. }, true, Some(written)) = (&ended, setup.collect, &room.written) {
        step("collect what was changed", collect(control, written, &room.real))?;
    }
    Ok(())
}

/// Closes every descriptor but the three standard ones and the control socket.
pub(in crate::workspace::sandbox) fn close_inherited(control: &UnixStream) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2 && *fd != control.as_raw_fd())
        .collect();
    for fd in open {
        // The one that listed the others is closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Into namespaces of its own.
fn enter(control: &mut UnixStream, setup: &Setup) -> Result<(), Fault> {
    let (uid, gid) = namespaces::own_ids();
    machine_step("make user, mount, process and network namespaces", namespaces::leave(setup.network))?;
    let mut is_mapped = false;
    if setup.map_outside {
        machine_step("ask for the users to be mapped", send(control, &Report::Unshared))?;
        if let Answer::Mapped(mapped) = machine_step("wait for the users to be mapped", receive(control))? {
            is_mapped = mapped;
        }
    }
    if !is_mapped {
        machine_step("map the user", namespaces::map_own_user(uid, gid))?;
    }
    let flags = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    machine_step("keep mounts to itself", mount_change("/", flags).map_err(Into::into))?;
    if !setup.network {
        machine_step("bring up the loopback device", namespaces::raise_loopback())?;
    }
    Ok(())
}

/// Mounts everything, and lays the edits over the tree.
fn lay_out(setup: &Setup, contents: &[Vec<u8>], scratch: &mut Option<Dir>) -> Result<Room, Fault> {
    let root = Path::new(&setup.root);
    let home = setup.home.as_ref().map(Path::new);
    // Handles from before anything is covered or laid over.
    let real = step("open the workspace", handle(root).map_err(Into::into))?;
    let real_root = step("open the workspace", Dir::open_ambient_dir(root, ambient_authority()))?;
    let real_home = home.and_then(|home| handle(home).ok());
    let more: Vec<_> =
        setup.more.iter().filter_map(|path| Some((Path::new(path), handle(Path::new(path)).ok()?))).collect();
    let disk = setup.scratch.as_ref().map(|folder| handle(Path::new(folder)).map_err(Into::into));
    let disk = step("open the folder for what is written", disk.transpose())?;
    let copy = match &setup.tree {
        Tree::Copy(folder) => {
            Some(step("open the copy of the workspace", handle(Path::new(folder)).map_err(Into::into))?)
        }
        _ => None,
    };
    let through = open_through(root, setup.through.iter().map(Path::new));
    let parts = open_through(root, setup.parts.iter().map(Path::new));
    let covered: Vec<PathBuf> = setup.covered.iter().map(PathBuf::from).collect();
    let mut kept: Vec<Kept> = Vec::new();
    for path in setup.kept.iter().map(Path::new) {
        let is_laid_over = path.starts_with(root) || home.is_some_and(|home| path.starts_with(home));
        if !is_laid_over {
            trace(path, &covered, &mut kept);
        }
    }
    let before = mount_step("read what is mounted", mounts())?;
    mount_step("make everything read-only", make_read_only(&before))?;
    // Before the workspace, which may lie in its shared memory.
    let mut memory = mount_step("make /dev", devices::replace(setup.memory))?;
    for folder in &covered {
        mount_step("empty the temporary folders", cover(folder, &mut memory))?;
    }
    step("make the folder for layers", place_layers(disk.as_ref(), &mut memory, scratch))?;
    step("put back what lies in temporary folders", put_back(&kept))?;
    let mut layers = Layers::new(PathBuf::from(LAYERS));
    if setup.probe && copy.is_none() {
        mount_step(TRY_OVERLAYS, layers.try_out())?;
    }
    // Before the two that may lie in them. What cannot be laid over can still be read.
    for (path, real) in &more {
        let _ = layers.lay(real, path);
    }
    if let (Some(home), Some(real_home)) = (home, &real_home) {
        let is_there = home.exists();
        match lay_home(&mut layers, real_home, home, root, &before) {
            // Where overlays fail, the home folder is read-only.
            Err(_) if copy.is_some() && is_there => {}
            Err(_) if copy.is_some() => step("show the home folder", bind(real_home, home, true))?,
            done => step(LAY_HOME, done)?,
        }
    }
    let written = match &copy {
        Some(copy) => step("show the copy of the workspace", show_copy(copy, root, setup.collect))?,
        None => Some(step(LAY_ROOT, lay_root(&mut layers, &real, root, &before))?),
    };
    for (path, from) in &through {
        let done = bind(from, path, true).map(|()| {
            // Where the disk itself is read-only it stays so.
            let _ = make_writable(path);
        });
        step("bind the folders that git ignores", done)?;
    }
    for (path, real) in &parts {
        step(LAY_PART, layers.lay(real, path).map(drop))?;
    }
    let hidden: Vec<PathBuf> = setup.hidden.iter().map(PathBuf::from).collect();
    step("hide secrets and sockets", hide(&hidden))?;
    step("hide logins", show_masked(setup, &mut memory))?;
    step("lay the edits over the tree", lay_edits(root, &setup.edits, contents, setup.probe))?;
    step("take the layers away", unmount(LAYERS, UnmountFlags::DETACH).map_err(Into::into))?;
    step("take the layers away", fs::remove_dir(LAYERS))?;
    Ok(Room { written, real: real_root })
}

fn open_through<'a>(root: &Path, folders: impl Iterator<Item = &'a Path>) -> Vec<(PathBuf, OwnedFd)> {
    let paths = folders.map(|folder| root.join(folder));
    paths.filter_map(|path| handle(&path).ok().map(|from| (path, from))).collect()
}

/// Shows configurations without their logins. A folder that git ignores is the real one: nothing is written there but in the
/// parts that are copied on write.
fn show_masked(setup: &Setup, memory: &mut Memory) -> io::Result<()> {
    let root = Path::new(&setup.root);
    for (path, content) in &setup.masked {
        let path = Path::new(path);
        let is_real = setup.through.iter().any(|folder| path.starts_with(root.join(folder)))
            && !setup.parts.iter().any(|part| path.starts_with(root.join(part)));
        show(path, content, !is_real, memory)?;
    }
    Ok(())
}

/// A writable folder for the layers: on disk, or in memory.
fn place_layers(disk: Option<&OwnedFd>, memory: &mut Memory, scratch: &mut Option<Dir>) -> io::Result<()> {
    let folder = Path::new(LAYERS);
    make_folder(Path::new("/tmp"))?;
    fs::create_dir(folder)?;
    match disk {
        Some(disk) => {
            bind(disk, folder, true)?;
            make_writable(folder)?;
            *scratch = Some(Dir::open_ambient_dir(folder, ambient_authority())?);
            Ok(())
        }
        None => memory.place(folder, 0o700),
    }
}

/// One overlay over the home folder; where something is mounted in it, one over each of its folders that has no mount
/// inside, and the rest stays read-only.
fn lay_home(
    layers: &mut Layers,
    real: &OwnedFd,
    home: &Path,
    root: &Path,
    mounts: &[super::mounts::Mount],
) -> io::Result<()> {
    let is_covered = !home.exists();
    if !is_any_beneath(mounts, home) {
        return layers.lay(real, home).map(drop);
    }
    if is_covered {
        bind(real, home, true)?;
    }
    for entry in fs::read_dir(path_of(real))?.flatten() {
        let path = home.join(entry.file_name());
        let is_free = !is_any_beneath(mounts, &path) && !mounts.iter().any(|mount| mount.point == path);
        if entry.file_type()?.is_dir() && is_free && !path.starts_with(root) {
            // A folder that this user cannot use is left as it is.
            if let Ok(lower) = handle(&path_of(real).join(entry.file_name())) {
                let _ = layers.lay(&lower, &path);
            }
        }
    }
    Ok(())
}

fn lay_root(layers: &mut Layers, real: &OwnedFd, root: &Path, mounts: &[super::mounts::Mount]) -> io::Result<Written> {
    if is_any_beneath(mounts, root) {
        return Err(io::Error::other("other file systems are mounted inside it"));
    }
    let upper = layers.lay(real, root)?;
    Ok(Written::Upper(Dir::open_ambient_dir(path_of(&upper), ambient_authority())?))
}

/// Puts a copy in the place of the workspace; how it is now is looked at where what becomes of it is asked for.
fn show_copy(copy: &OwnedFd, root: &Path, collect: bool) -> io::Result<Option<Written>> {
    bind(copy, root, true)?;
    make_writable(root)?;
    if !collect {
        return Ok(None);
    }
    let dir = Dir::open_ambient_dir(path_of(copy), ambient_authority())?;
    let before = Before::of(&dir)?;
    Ok(Some(Written::Copy(dir, before)))
}

/// Writes the edits, and where that is only tried out a file of its own, which is removed again.
pub(in crate::workspace::sandbox) fn lay_edits(
    root: &Path,
    edits: &[Edit],
    contents: &[Vec<u8>],
    probe: bool,
) -> io::Result<()> {
    let dir = Dir::open_ambient_dir(root, ambient_authority())?;
    for (edit, content) in edits.iter().zip(contents) {
        edits::apply(&dir, edit, content)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", edit.path)))?;
    }
    if probe {
        try_to_write(&dir)?;
    }
    Ok(())
}

/// Writes a file that is not there, and removes it again.
fn try_to_write(dir: &Dir) -> io::Result<()> {
    loop {
        let name = format!(".baton-{:016x}", fastrand::u64(..));
        match dir.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
            Ok(mut file) => {
                file.write_all(b"x")?;
                return dir.remove_file(&name);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Starts the first process inside, with a control socket of its own.
fn start(setup: &Setup) -> io::Result<(Child, UnixStream)> {
    rights::pass_on()?;
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.args(super::super::stage::INSIDE).env_clear().stdin(Stdio::from(OwnedFd::from(theirs)));
    // Set now: the folder from before lies under the overlay, in the real tree.
    let child = command.current_dir(&setup.root).spawn()?;
    drop(command);
    send(&mut ours, &setup.inside)?;
    Ok((child, ours))
}

/// The first process inside, with which all others there end.
pub(in crate::workspace::sandbox) trait FirstInside {
    /// Ends it.
    fn kill(&mut self) -> io::Result<()>;

    /// Waits until it has ended.
    fn wait(&mut self) -> io::Result<ExitStatus>;
}

impl FirstInside for Child {
    fn kill(&mut self) -> io::Result<()> {
        Child::kill(self)
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        Child::wait(self)
    }
}

/// Passes on what the inner process says until it has ended; ends it when nobody listens any more.
pub(in crate::workspace::sandbox) fn follow(
    control: &mut UnixStream,
    inner: &mut UnixStream,
    child: &mut impl FirstInside,
) -> Result<Report, Fault> {
    loop {
        let mut ready = [PollFd::new(&*control, PollFlags::IN | PollFlags::RDHUP), PollFd::new(&*inner, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            polled => step("wait for the command", polled.map_err(Into::into))?,
        };
        let [outer, said] = ready.map(|each| each.revents());
        if !outer.is_empty() {
            let _ = child.kill();
        } else if !said.is_empty() {
            match receive::<Report>(inner) {
                Ok(report @ (Report::Started | Report::Unfiltered(_))) => {
                    step("report the start", send(control, &report))?;
                    continue;
                }
                Ok(Report::Failed(fault)) => {
                    let _ = child.wait();
                    return Err(fault);
                }
                Ok(ended) => {
                    // All else in the room ends with its first process.
                    let _ = child.wait();
                    return Ok(ended);
                }
                Err(_) => {}
            }
        } else {
            continue;
        }
        let status = step("wait for the room to end", child.wait())?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        return Ok(Report::Ended { code: status.code(), signal, elapsed: None });
    }
}

/// Says what was changed, and sends what is wanted of it.
pub(in crate::workspace::sandbox) fn collect(
    control: &mut UnixStream,
    written: &Written,
    real: &Dir,
) -> io::Result<()> {
    let (found, dir) = match written {
        Written::Upper(upper) => (changes(upper)?, upper),
        Written::Copy(copy, before) => (before.changes(copy)?, copy),
    };
    send(control, &Report::Changes(found))?;
    let Answer::Wanted(wanted) = receive(control)? else { return Ok(()) };
    send_files(control, dir, real, &wanted)
}
