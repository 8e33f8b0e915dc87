//! What a command changed in a copy of the workspace: what differs from how the copy was before.

use std::collections::BTreeMap;
use std::io;

use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, Metadata, MetadataExt};

use super::wire::Changes;

/// The files and links of a copy before the command ran.
pub(in crate::workspace::sandbox) struct Before(BTreeMap<String, Stamp>);

/// What is another one once a file was written, replaced, or given other permissions.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    changed: (i64, i64),
    is_file: bool,
}

impl Before {
    /// How a copy is now.
    pub(super) fn of(copy: &Dir) -> io::Result<Self> {
        let mut found = BTreeMap::new();
        let mut folders = vec![String::new()];
        while let Some(below) = folders.pop() {
            for entry in open(copy, &below)?.entries()? {
                let entry = entry?;
                // Names that are no text are left out: no handoff can name them.
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if below.is_empty() { name } else { format!("{below}/{name}") };
                let metadata = entry.metadata()?;
                if metadata.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path, Stamp::of(&metadata));
                }
            }
        }
        Ok(Self(found))
    }

    /// What is different in the copy now.
    pub(super) fn changes(&self, copy: &Dir) -> io::Result<Changes> {
        let Self(now) = Self::of(copy)?;
        let is_missing = |path: &&String| now.get(*path).is_none_or(|stamp| !stamp.is_file);
        let missing = self.0.iter().filter(|(_, stamp)| stamp.is_file).map(|(path, _)| path).filter(is_missing);
        // Something else is in its place, or in the place of one of its folders.
        let is_replaced = |path: &&String| {
            let mut places = std::iter::successors(Some(path.as_str()), |place| Some(place.rsplit_once('/')?.0));
            places.any(|place| now.contains_key(place)) || copy.symlink_metadata(path.as_str()).is_ok()
        };
        let (replaced, gone): (Vec<&String>, Vec<&String>) = missing.partition(is_replaced);
        let is_written = |(path, stamp): &(&String, &Stamp)| stamp.is_file && self.0.get(*path) != Some(*stamp);
        let written = now.iter().filter(is_written).map(|(path, _)| path.clone());
        Ok(Changes {
            written: written.collect(),
            gone: gone.into_iter().cloned().collect(),
            replaced: replaced.into_iter().cloned().collect(),
        })
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            is_file: metadata.is_file(),
        }
    }
}

/// A folder of the copy; no link is followed.
fn open(copy: &Dir, path: &str) -> io::Result<Dir> {
    let mut folder = copy.try_clone()?;
    for component in path.split('/').filter(|component| !component.is_empty()) {
        folder = folder.open_dir_nofollow(component)?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn what_was_written_and_removed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("src/deep")).unwrap();
        for name in ["same", "written", "replaced", "gone", "linked", "run.sh", "src/deep/a", "src/deep/b"] {
            fs::write(root.join(name), "one").unwrap();
        }
        let copy = Dir::open_ambient_dir(root, ambient_authority()).unwrap();
        let before = Before::of(&copy).unwrap();
        assert_eq!(before.changes(&copy).unwrap(), Changes::default());
        // The clock of the file system has steps.
        let now = || {
            fs::write(root.join("written"), "longer").unwrap();
            copy.symlink_metadata("written").unwrap().ctime_nsec()
        };
        let first = now();
        while now() == first {}
        fs::write(root.join("new"), "one").unwrap();
        fs::rename(root.join("new"), root.join("replaced")).unwrap();
        fs::remove_file(root.join("gone")).unwrap();
        fs::remove_file(root.join("linked")).unwrap();
        symlink("/etc/passwd", root.join("linked")).unwrap();
        fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_dir_all(root.join("src")).unwrap();
        let changes = before.changes(&copy).unwrap();
        assert_eq!(changes.written, ["replaced", "run.sh", "written"]);
        assert_eq!(changes.gone, ["gone", "src/deep/a", "src/deep/b"]);
        assert_eq!(changes.replaced, ["linked"]);
    }
}
