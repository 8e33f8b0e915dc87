//! Edits, written into the room as any process in it would: the kernel makes of a deletion what it needs.

use std::io::{self, Write};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt, PermissionsExt};

use super::wire::Edit;

/// Applies one edit beneath the root. `content` is that of an edit that deletes nothing.
pub(super) fn apply(root: &Dir, edit: &Edit, content: &[u8]) -> io::Result<()> {
    let (folder, name) = edit.path.rsplit_once('/').unwrap_or(("", &edit.path));
    if edit.deleted {
        return match folder_at(root, folder, false).and_then(|folder| folder.remove_file(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
    }
    let folder = folder_at(root, folder, true)?;
    let mut mode = edit.mode;
    if let Ok(metadata) = folder.symlink_metadata(name) {
        mode = mode.or(Some(metadata.permissions().mode() & 0o777));
        // A new file is not written into one of many megabytes that would have to be copied first.
        folder.remove_file(name)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).follow(FollowSymlinks::No).mode(0o666);
    let mut file = folder.open_with(name, &options)?;
    file.write_all(content)?;
    if let Some(mode) = mode {
        file.set_permissions(cap_std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A folder beneath the root, made if that is wanted. No link is followed.
fn folder_at(root: &Dir, path: &str, make: bool) -> io::Result<Dir> {
    use cap_fs_ext::DirExt;
    let mut dir = root.try_clone()?;
    for component in path.split('/').filter(|component| !component.is_empty()) {
        dir = match dir.open_dir_nofollow(component) {
            Err(error) if make && error.kind() == io::ErrorKind::NotFound => {
                dir.create_dir(component)?;
                dir.open_dir_nofollow(component)?
            }
            opened => opened?,
        };
    }
    Ok(dir)
}
