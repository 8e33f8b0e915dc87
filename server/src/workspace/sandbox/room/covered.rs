//! Folders that are empty in the room, and what is seen beneath them all the same.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive};

use super::mounts::at;

/// How many links are followed on the way to what is kept.
const MAX_LINKS: usize = 40;

/// The most files in a file system in memory.
const MAX_INODES: u64 = 1 << 20;

/// Something beneath a covered folder that is put back.
pub(in crate::workspace::sandbox) enum Kept {
    Link { at: PathBuf, to: PathBuf },
    Bind { at: PathBuf, from: OwnedFd, is_folder: bool },
}

/// A handle that says where something is and allows nothing else.
pub(super) fn handle(path: &Path) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

/// The path by which a handle can be named in a mount.
pub(super) fn path_of(handle: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()))
}

/// What has to be put back so that a path leads where it leads now. Looked up before anything is covered.
pub(in crate::workspace::sandbox) fn trace(path: &Path, covered: &[PathBuf], kept: &mut Vec<Kept>) {
    let mut todo = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Some(base) = covered.iter().find(|folder| todo.starts_with(folder) && todo != **folder) else { return };
        let Some(link) = first_link(base, &todo) else {
            if let Ok(from) = handle(&todo)
                && let Ok(stat) = fstat(&from)
            {
                let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
                kept.push(Kept::Bind { at: todo, from, is_folder });
            }
            return;
        };
        let Ok(to) = fs::read_link(&link) else { return };
        let rest = todo.strip_prefix(&link).map(Path::to_owned).unwrap_or_default();
        todo = without_dots(&link.parent().unwrap_or(Path::new("/")).join(&to).join(rest));
        kept.push(Kept::Link { at: link, to });
    }
}

/// The first component beneath `base` that is a link.
fn first_link(base: &Path, path: &Path) -> Option<PathBuf> {
    let mut at = base.to_owned();
    for component in path.strip_prefix(base).ok()?.components() {
        at.push(component);
        if at.is_symlink() {
            return Some(at);
        }
    }
    None
}

fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

/// One file system in memory for all that is written there: it is full when the folders in it are, together.
pub(super) struct Memory {
    folder: OwnedFd,
    count: usize,
}

impl Memory {
    /// Mounts it, with room for so many bytes.
    pub(super) fn mount(at: &Path, bytes: u64) -> io::Result<Self> {
        mount_memory(at, bytes, "0700")?;
        Ok(Self { folder: handle(at)?, count: 0 })
    }

    fn name(&mut self) -> PathBuf {
        self.count += 1;
        path_of(&self.folder).join(self.count.to_string())
    }

    /// Puts a file of it over another one.
    fn place_file(&mut self, over: &Path, content: &str) -> io::Result<()> {
        let made = self.name();
        let placed = fs::write(&made, content).and_then(|()| Ok(mount_bind(&made, over)?));
        placed.map_err(|error| at(over, error))
    }

    /// Puts an empty folder of it over another one.
    pub(super) fn place(&mut self, over: &Path, mode: u32) -> io::Result<()> {
        let made = self.name();
        let placed = fs::create_dir(&made)
            .and_then(|()| fs::set_permissions(&made, fs::Permissions::from_mode(mode)))
            .and_then(|()| Ok(mount_bind(&made, over)?));
        placed.map_err(|error| at(over, error))
    }
}

/// Shows another content of a file than it has. Where it can be written without a trace outside, it is, so that a command
/// can write it as well; else it is one in memory.
pub(super) fn show(path: &Path, content: &str, may_write: bool, memory: &mut Memory) -> io::Result<()> {
    let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
    if !is_file || (may_write && fs::write(path, content).is_ok()) {
        return Ok(());
    }
    memory.place_file(path, content)
}

/// Puts an empty folder in memory over a folder, if there is one.
pub(super) fn cover(folder: &Path, memory: &mut Memory) -> io::Result<()> {
    if folder.is_dir() { memory.place(folder, 0o1777) } else { Ok(()) }
}

pub(super) fn mount_memory(folder: &Path, bytes: u64, mode: &str) -> io::Result<()> {
    let data = format!("mode={mode},size={bytes},nr_inodes={MAX_INODES}");
    let data = std::ffi::CString::new(data)?;
    mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, data.as_c_str())
        .map_err(|error| at(folder, error))
}

/// Puts back what was traced.
pub(super) fn put_back(kept: &[Kept]) -> io::Result<()> {
    for each in kept {
        match each {
            Kept::Link { at: link, to } => {
                make_folder(link.parent().unwrap_or(Path::new("/")))?;
                match symlink(to, link) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(link, error)),
                    _ => {}
                }
            }
            Kept::Bind { at: point, from, is_folder } => bind(from, point, *is_folder)?,
        }
    }
    Ok(())
}

/// Binds what a handle leads to; the mount point is made if it is missing.
pub(super) fn bind(from: &OwnedFd, point: &Path, is_folder: bool) -> io::Result<()> {
    if is_folder {
        make_folder(point)?;
    } else if !point.exists() {
        make_folder(point.parent().unwrap_or(Path::new("/")))?;
        fs::write(point, "").map_err(|error| at(point, error))?;
    }
    let bound = match mount_bind(path_of(from), point) {
        // Something is mounted in it, which cannot be left behind.
        Err(Errno::INVAL) => mount_bind_recursive(path_of(from), point),
        bound => bound,
    };
    bound.map_err(|error| at(point, error))
}

pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() { Ok(()) } else { fs::create_dir_all(path).map_err(|error| at(path, error)) }
}

/// Makes files, folders and sockets absent: a folder is empty, anything else reads as nothing.
pub(super) fn hide(paths: &[PathBuf]) -> io::Result<()> {
    for path in paths {
        let found = match openat(CWD, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            found => found.map_err(|error| at(path, error))?,
        };
        let kind = FileType::from_raw_mode(fstat(&found)?.st_mode);
        let done = match kind {
            FileType::Symlink => Ok(()),
            FileType::Directory => {
                let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
                mount("tmpfs", path_of(&found), "tmpfs", flags, c"mode=0555,size=4k")
            }
            _ => mount_bind("/dev/null", path_of(&found)),
        };
        done.map_err(|error| at(path, error))?;
    }
    Ok(())
}
