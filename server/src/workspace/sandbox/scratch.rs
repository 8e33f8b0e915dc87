//! Folders on disk for what is written in a room, and what a kill left of them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use cap_fs_ext::DirExt;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FlockOperation, Mode, chmodat, flock};

/// File systems that can be the upper layer of an overlay, by their magic numbers. Source: statfs(2).
const CAN_BE_UPPER: [u64; 8] = [
    0xef53,      // ext2, ext3, ext4
    0x9123_683e, // btrfs
    0x5846_5342, // xfs
    0x0102_1994, // tmpfs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
    0xca45_1a4e, // bcachefs
    0x3153_464a, // jfs
];

/// A folder that belongs to this process while it holds the lock beside it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Scratch {
    /// A new folder in the folder of them all.
    pub(super) fn new(views: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(views)?;
        loop {
            let folder = views.join(format!("{:016x}", fastrand::u64(..)));
            let lock = folder.with_extension("lock");
            let held = File::create_new(&lock)?;
            flock(&held, FlockOperation::NonBlockingLockExclusive)?;
            // A sweep may have come in between.
            if fs::metadata(&lock).is_ok_and(|found| held.metadata().is_ok_and(|own| own.ino() == found.ino())) {
                fs::DirBuilder::new().mode(0o700).create(&folder)?;
                return Ok(Self { folder, lock, _held: held });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What could not be removed is swept by a later run.
        remove(&self.folder, &self.lock);
    }
}

/// Whether the file system of a folder, or of the nearest one above that exists, can hold an upper layer.
pub(super) fn can_be_upper(views: &Path) -> bool {
    let nearest = views.ancestors().find_map(|folder| rustix::fs::statfs(folder).ok());
    nearest.is_some_and(|stat| is_of_disk(&stat))
}

/// Whether a file system is an ordinary one of this machine: it can be an upper layer, and keeps the times of its folders.
pub(super) fn is_of_disk(stat: &rustix::fs::StatFs) -> bool {
    CAN_BE_UPPER.contains(&(stat.f_type.cast_unsigned() & 0xffff_ffff))
}

/// Removes what processes that are gone left behind.
pub(super) fn sweep(views: &Path) {
    let Ok(entries) = fs::read_dir(views) else { return };
    let names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    for path in names {
        let (folder, lock) = (path.with_extension(""), path.with_extension("lock"));
        match File::open(&lock) {
            Ok(held) if flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() => remove(&folder, &lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => remove(&folder, &lock),
            _ => {}
        }
    }
}

fn remove(folder: &Path, lock: &Path) {
    let emptied = match Dir::open_ambient_dir(folder, ambient_authority()) {
        Ok(dir) => empty(&dir).and_then(|()| fs::remove_dir(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    // Without its lock it would be nobody's.
    if emptied.is_ok() {
        let _ = fs::remove_file(lock);
    }
}

/// Removes everything in a folder, however deep a command nested it and whatever permissions it set: what lies deeper is
/// moved to the top first.
pub(super) fn empty(top: &Dir) -> io::Result<()> {
    let prefix = format!("{:016x}", fastrand::u64(..));
    let mut count = 0u64;
    loop {
        let names: Vec<_> = top.entries()?.flatten().map(|entry| entry.file_name()).collect();
        if names.is_empty() {
            return Ok(());
        }
        for name in names {
            if !top.symlink_metadata(&name)?.is_dir() {
                top.remove_file(&name)?;
                continue;
            }
            make_usable(top, Path::new(&name))?;
            let folder = top.open_dir_nofollow(&name)?;
            for entry in folder.entries()? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    make_usable(&folder, Path::new(&entry.file_name()))?;
                    folder.rename(entry.file_name(), top, format!("{prefix}-{count}"))?;
                    count += 1;
                } else {
                    folder.remove_file(entry.file_name())?;
                }
            }
            top.remove_dir(&name)?;
        }
    }
}

/// The owner may give himself what he needs to remove a folder.
fn make_usable(base: &Dir, name: &Path) -> io::Result<()> {
    let mode = cap_std::fs::PermissionsExt::mode(&base.symlink_metadata(name)?.permissions());
    if mode & 0o700 != 0o700 {
        chmodat(base, name, Mode::RWXU, AtFlags::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn is_private(path: &Path) -> bool {
        fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0
    }

    #[test]
    fn a_folder_is_private_and_goes_with_all_that_is_in_it() {
        let views = tempfile::tempdir().unwrap();
        let views = views.path().join("baton/views");
        let scratch = Scratch::new(&views).unwrap();
        assert!(is_private(scratch.path()) && is_private(&views));
        let mut deep = scratch.path().to_owned();
        for _ in 0..300 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("file"), "x").unwrap();
        fs::create_dir(scratch.path().join("closed")).unwrap();
        fs::write(scratch.path().join("closed/file"), "x").unwrap();
        fs::set_permissions(scratch.path().join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
        std::os::unix::fs::symlink("/", scratch.path().join("link")).unwrap();
        drop(scratch);
        assert_eq!(fs::read_dir(&views).unwrap().count(), 0);
    }

    #[test]
    fn only_what_nobody_holds_is_swept() {
        let views = tempfile::tempdir().unwrap();
        let held = Scratch::new(views.path()).unwrap();
        for left in ["0123", "4567"] {
            fs::create_dir(views.path().join(left)).unwrap();
            fs::write(views.path().join(left).join("file"), "x").unwrap();
        }
        fs::write(views.path().join("0123.lock"), "").unwrap();
        sweep(views.path());
        let left: Vec<_> = fs::read_dir(views.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(held.path().is_dir());
    }
}
