//! What a command changed in the workspace, read from the upper layer once everything in the room has ended.

use std::io::{self, Read, Write};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, MetadataExt, OpenOptions, PermissionsExt};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, chmodat};

use super::wire::{Changes, Report, send, send_bytes};
use crate::workspace::MAX_FILE_BYTES;

/// More entries than this are not looked at: whatever made them is no formatter.
const MAX_ENTRIES: usize = 200_000;

/// Lists what an upper layer holds. Names that are no text are left out: no handoff can name them.
pub(super) fn changes(upper: &Dir) -> io::Result<Changes> {
    let mut changes = Changes::default();
    let mut folders = vec![(String::new(), upper.try_clone()?)];
    let mut seen = 0;
    while let Some((below, folder)) = folders.pop() {
        for entry in folder.entries()? {
            let entry = entry?;
            seen += 1;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if seen > MAX_ENTRIES {
                return Ok(changes);
            }
            let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let metadata = entry.metadata()?;
            let kind = metadata.file_type();
            if kind.is_dir() {
                if metadata.mode() & 0o700 != 0o700 {
                    // Who made it could close it to its owner.
                    chmodat(&folder, name.as_str(), Mode::RWXU, AtFlags::empty())?;
                }
                let folder = folder.open_dir_nofollow(&name)?;
                if is_opaque(&folder) {
                    changes.gone.push(path.clone());
                    changes.replaced.push(path.clone());
                }
                folders.push((path, folder));
            } else if kind.is_file() {
                changes.written.push(path);
            } else if FileType::from_raw_mode(metadata.mode()) == FileType::CharacterDevice && metadata.rdev() == 0 {
                // It stands for what was removed.
                changes.gone.push(path);
            } else {
                changes.replaced.push(path);
            }
        }
    }
    Ok(changes)
}

/// Whether a folder was made anew where one was removed. Source: the kernel's overlayfs.rst, "userxattr".
fn is_opaque(folder: &Dir) -> bool {
    let mut value = [0; 8];
    // The handle of a folder only says where it is; for its attributes it has to be opened.
    let opened = rustix::fs::openat(folder, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let read = opened.and_then(|opened| rustix::fs::fgetxattr(opened, "user.overlay.opaque", &mut value));
    read.is_ok_and(|count| value[..count] == *b"y")
}

/// Sends the files that are wanted, where they differ from the real ones.
pub(super) fn send_files(to: &mut impl Write, upper: &Dir, real: &Dir, wanted: &[String]) -> io::Result<()> {
    for path in wanted {
        let Ok(Some((now, mode))) = read(upper, path) else { continue };
        let before = read(real, path).ok().flatten();
        if before.is_some_and(|(bytes, old)| bytes == now && old == mode) {
            continue;
        }
        send(to, &Report::File { path: path.clone(), mode })?;
        send_bytes(to, &now)?;
    }
    Ok(())
}

/// A regular file up to the limit of all files; no link is followed.
fn read(base: &Dir, path: &str) -> io::Result<Option<(Vec<u8>, u32)>> {
    let mut folder = base.try_clone()?;
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    for component in folders.split('/').filter(|component| !component.is_empty()) {
        folder = folder.open_dir_nofollow(component)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = folder.open_with(name, &options)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(Some((bytes, metadata.permissions().mode() & 0o777)))
}
