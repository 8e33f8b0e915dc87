//! What is mounted, and how it becomes read-only.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};

/// A row of `/proc/self/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workspace::sandbox) struct Mount {
    id: u64,
    /// Where it is.
    pub(in crate::workspace::sandbox) point: PathBuf,
    /// What may not be lost when it is remounted.
    flags: MountFlags,
    kind: String,
}

/// All mounts of this namespace, in the order in which they were made.
pub(in crate::workspace::sandbox) fn mounts() -> io::Result<Vec<Mount>> {
    Ok(parse(&fs::read("/proc/self/mountinfo")?))
}

/// Whether something is mounted beneath a folder.
pub(in crate::workspace::sandbox) fn is_any_beneath(mounts: &[Mount], folder: &Path) -> bool {
    mounts.iter().any(|mount| mount.point != folder && mount.point.starts_with(folder))
}

/// Makes every mount read-only, but `/proc` and `/dev`, which are replaced; a workspace or a home folder in shared memory is
/// put back. What this process cannot reach, nobody in the
/// room can.
pub(super) fn make_read_only(mounts: &[Mount]) -> io::Result<()> {
    for mount in mounts {
        let is_replaced = mount.point.starts_with("/proc")
            || (mount.point.starts_with("/dev") && !mount.point.starts_with("/dev/shm"));
        if is_replaced || mount.kind == "autofs" || mount.flags.contains(MountFlags::RDONLY) {
            continue;
        }
        match id_at(&mount.point) {
            // Another mount lies over it.
            Ok(id) if id != mount.id => continue,
            Ok(_) => {}
            Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::PERM | Errno::NOTCONN | Errno::STALE) => continue,
            Err(error) => return Err(at(&mount.point, error)),
        }
        let flags = MountFlags::BIND | MountFlags::RDONLY | mount.flags;
        mount_remount(&mount.point, flags, "").map_err(|error| at(&mount.point, error))?;
    }
    Ok(())
}

/// Makes a bind mount of this namespace writable again.
pub(super) fn make_writable(point: &Path) -> io::Result<()> {
    let flags = mounts()?.iter().rev().find(|mount| mount.point == point).map_or(MountFlags::empty(), |it| it.flags);
    mount_remount(point, MountFlags::BIND | flags.difference(MountFlags::RDONLY), "").map_err(|error| at(point, error))
}

/// Names the path of an error; its number is kept in words, for the kind of an error is of more use.
pub(super) fn at(path: &Path, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn id_at(path: &Path) -> Result<u64, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    Ok(statx(CWD, path, flags, StatxFlags::MNT_ID)?.stx_mnt_id)
}

fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n').filter_map(parse_row).collect()
}

/// `27 1 254:0 / /mnt\040x rw,nosuid shared:1 - ext4 /dev/vda rw`. Source: proc_pid_mountinfo(5).
fn parse_row(row: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = row.split(|byte| *byte == b' ').collect();
    let id = std::str::from_utf8(fields.first()?).ok()?.parse().ok()?;
    let point = PathBuf::from(OsString::from_vec(unescaped(fields.get(4)?)));
    let mut flags = MountFlags::empty();
    for option in fields.get(5)?.split(|byte| *byte == b',') {
        flags |= match option {
            b"ro" => MountFlags::RDONLY,
            b"nosuid" => MountFlags::NOSUID,
            b"nodev" => MountFlags::NODEV,
            b"noexec" => MountFlags::NOEXEC,
            b"nosymfollow" => MountFlags::from_bits_retain(1 << 8),
            // How access times are kept stays as it is where nothing is said about it.
            _ => MountFlags::empty(),
        };
    }
    let dash = fields.iter().position(|field| *field == b"-")?;
    let kind = String::from_utf8_lossy(fields.get(dash + 1)?).into_owned();
    Some(Mount { id, point, flags, kind })
}

/// `\040` is a space: the kernel escapes what would end a field.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut at = 0;
    while at < field.len() {
        let octal = field.get(at + 1..at + 4).filter(|_| field[at] == b'\\');
        let value = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(value.unwrap_or(field[at]));
        at += if value.is_some() { 4 } else { 1 };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_what_is_escaped_in_them() {
        let text = b"27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,discard\n\
                     31 27 0:25 / /mnt/a\\040b\\134c ro,nosuid,nodev - tmpfs none ro,size=4k\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].id, mounts[0].point.as_path(), mounts[0].kind.as_str()), (27, Path::new("/"), "ext4"));
        assert_eq!(mounts[0].flags, MountFlags::empty());
        assert_eq!(mounts[1].point, Path::new("/mnt/a b\\c"));
        assert_eq!(mounts[1].flags, MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV);
        assert!(is_any_beneath(&mounts, Path::new("/mnt")) && !is_any_beneath(&mounts, Path::new("/mnt/a b\\c")));
    }
}
