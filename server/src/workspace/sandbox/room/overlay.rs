//! Overlays: a folder of the disk below, what is written to it above.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::covered::{handle, make_folder, path_of};
use super::mounts::at;

/// Where the upper layers of a room are made.
pub(super) struct Layers {
    /// A path to it while the room is made.
    pub(super) folder: PathBuf,
    count: usize,
}

impl Layers {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, count: 0 }
    }

    /// Lays an overlay of `lower` over a path, and returns the folder that holds what is written to it.
    pub(super) fn lay(&mut self, lower: &OwnedFd, over: &Path) -> io::Result<OwnedFd> {
        let base = self.folder.join(self.count.to_string());
        self.count += 1;
        let (upper, work) = (base.join("upper"), base.join("work"));
        fs::create_dir_all(&upper).and_then(|()| fs::create_dir(&work)).map_err(|error| at(&base, error))?;
        like(&path_of(lower), &upper)?;
        let (upper, work) = (handle(&upper)?, handle(&work)?);
        make_folder(over)?;
        mount_overlay(lower, &upper, &work, over).map_err(|error| at(over, error))?;
        Ok(upper)
    }

    /// Tries on the same disk what fails on some: in a folder whose lower one was removed another one is made.
    pub(super) fn try_out(&mut self) -> io::Result<()> {
        let base = self.folder.join("probe");
        let (lower, over) = (base.join("lower"), base.join("over"));
        fs::create_dir_all(lower.join("folder/in"))?;
        fs::create_dir(&over)?;
        self.lay(&handle(&lower)?, &over)?;
        let folder = over.join("folder");
        fs::remove_dir(folder.join("in"))?;
        fs::remove_dir(&folder)?;
        fs::create_dir(&folder)?;
        fs::write(folder.join("file"), "x")?;
        unmount(&over, UnmountFlags::DETACH)?;
        Ok(())
    }
}

/// The layers are named by handles, so that nothing in their paths is taken for an option. What is written does not outlive
/// the room, so that nothing has to reach the disk (`volatile`), where the kernel knows that.
fn mount_overlay(lower: &OwnedFd, upper: &OwnedFd, work: &OwnedFd, over: &Path) -> Result<(), Errno> {
    let fd = |handle: &OwnedFd| format!("/proc/self/fd/{}", handle.as_raw_fd());
    let layers = format!("lowerdir={},upperdir={},workdir={},userxattr", fd(lower), fd(upper), fd(work));
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let attempt = |data: String| {
        let data = CString::new(data).map_err(|_| Errno::INVAL)?;
        mount("overlay", over, "overlay", flags, data.as_c_str())
    };
    match attempt(format!("{layers},volatile")) {
        Err(Errno::INVAL) => attempt(layers),
        done => done,
    }
}

/// The upper folder shows as the root of the overlay: it gets the permissions and the owner of the lower one.
pub(in crate::workspace::sandbox) fn like(lower: &Path, upper: &Path) -> io::Result<()> {
    let (lower, made) = (fs::metadata(lower)?, fs::metadata(upper)?);
    if (lower.uid(), lower.gid()) != (made.uid(), made.gid()) {
        // An owner that is not mapped cannot be given; then the folder is the user's own.
        let _ = chown(upper, Some(lower.uid()), Some(lower.gid()));
    }
    fs::set_permissions(upper, fs::Permissions::from_mode(lower.mode() & 0o7777)).map_err(|error| at(upper, error))
}
