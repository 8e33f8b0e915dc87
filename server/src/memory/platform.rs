//! What systems do in their own ways: private files and folders, the plan made read-only, processes, removed folders.
//!
//! Each function has the same signature everywhere. Where permission bits are unknown, a file is as private as the folder that it is
//! made in: it inherits its access control list, and both the user's state folder and a project in the user's profile are closed to
//! other users.

pub(super) use system::{has_no_name, is_here, private_file, private_folder, set_read_only, unix_path};

#[cfg(unix)]
mod system {
    use std::ffi::OsString;
    use std::io;

    use cap_std::fs::{
        Dir, DirBuilder, DirBuilderExt, MetadataExt, OpenOptions, OpenOptionsExt, Permissions, PermissionsExt,
    };
    use rustix::io::Errno;
    use rustix::process::{Pid, test_kill_process};

    const LOCKED: u32 = 0o444;
    const OPEN: u32 = 0o644;

    /// A file that is created by these options is for its owner alone: mode 0600.
    pub(in crate::memory) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options.mode(0o600)
    }

    /// What creates a folder for its owner alone: mode 0700.
    pub(in crate::memory) fn private_folder() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder
    }

    /// Makes a file read-only for everyone (mode 0444), or gives write access back to its owner (0644).
    ///
    /// # Errors
    /// What the system said.
    pub(in crate::memory) fn set_read_only(dir: &Dir, file: &str, is_read_only: bool) -> io::Result<()> {
        dir.set_permissions(file, Permissions::from_mode(if is_read_only { LOCKED } else { OPEN }))
    }

    /// Whether a process with this id exists on this machine, as far as this process can see.
    pub(in crate::memory) fn is_here(pid: u32) -> Option<bool> {
        match test_kill_process(Pid::from_raw(i32::try_from(pid).ok()?)?) {
            // A process of another user cannot be signalled.
            Ok(()) | Err(Errno::PERM) => Some(true),
            Err(Errno::SRCH) => Some(false),
            Err(_) => None,
        }
    }

    /// Whether an open folder has been removed.
    pub(in crate::memory) fn has_no_name(dir: &Dir) -> bool {
        dir.dir_metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// The path that these bytes are, as a state file keeps one that is no UTF-8.
    pub(in crate::memory) fn unix_path(bytes: Vec<u8>) -> Option<OsString> {
        Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
    }
}

#[cfg(not(unix))]
mod system {
    use std::ffi::OsString;
    use std::io;

    use cap_std::fs::{Dir, DirBuilder, OpenOptions};

    /// A file that is created by these options is as private as the folder it is made in.
    pub(in crate::memory) fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    /// What creates a folder that is as private as the one it is made in.
    pub(in crate::memory) fn private_folder() -> DirBuilder {
        DirBuilder::new()
    }

    /// Makes a file read-only, by its attribute, or takes that back.
    ///
    /// # Errors
    /// What the system said.
    pub(in crate::memory) fn set_read_only(dir: &Dir, file: &str, is_read_only: bool) -> io::Result<()> {
        let mut permissions = dir.metadata(file)?.permissions();
        permissions.set_readonly(is_read_only);
        dir.set_permissions(file, permissions)
    }

    /// Whether a process with this id exists on this machine: unknown on this system.
    pub(in crate::memory) fn is_here(_: u32) -> Option<bool> {
        None
    }

    /// Whether an open folder has been removed: never, as the system does not allow it.
    pub(in crate::memory) fn has_no_name(_: &Dir) -> bool {
        false
    }

    /// The path that these bytes are: none but UTF-8, for a path here is not made of bytes.
    pub(in crate::memory) fn unix_path(bytes: Vec<u8>) -> Option<OsString> {
        String::from_utf8(bytes).ok().map(OsString::from)
    }
}
