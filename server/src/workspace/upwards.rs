//! What a folder above the current one has that makes it a workspace, and where a person's path leads from there.

use std::io;
use std::path::{Component, Path, PathBuf};

use super::root::Workspace;

/// An entry of a folder, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The user's, the system administrator's, or of the one who owns the current folder.
    Ours,
    /// Anybody else's: in a folder that others may write, it may have been put there to be found.
    Foreign,
}

/// The entry of this name in a folder above `current`, whatever its kind; `None` if there is none.
///
/// # Errors
/// When the folder cannot be looked into.
pub fn mark(folder: &Path, name: &str, current: &Path) -> io::Result<Option<Mark>> {
    match folder.join(name).symlink_metadata() {
        Ok(metadata) => Ok(Some(whose(&metadata, current))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn whose(metadata: &std::fs::Metadata, current: &Path) -> Mark {
    use std::os::unix::fs::MetadataExt;
    let owner = metadata.uid();
    let of_current = current.metadata().ok().map(|metadata| metadata.uid());
    let ours = owner == 0 || owner == rustix::process::geteuid().as_raw() || Some(owner) == of_current;
    if ours { Mark::Ours } else { Mark::Foreign }
}

#[cfg(not(unix))]
fn whose(_: &std::fs::Metadata, _: &Path) -> Mark {
    Mark::Ours
}

impl Workspace {
    /// A path that a person named, absolute or from the folder `base`, as one below the root; `None` where it leads
    /// elsewhere. There need be nothing at it.
    pub fn below(&self, base: &Path, named: &Path) -> Option<PathBuf> {
        let whole = without_dots(&base.join(named));
        if let Ok(below) = whole.strip_prefix(self.root()) {
            return Some(below.to_owned());
        }
        // Another name of the root: through a link, say. The last component is what is named, also where it is a link.
        let (folder, name) = (whole.parent()?, whole.file_name()?);
        let (real, rest) = folder
            .ancestors()
            .find_map(|above| Some((above.canonicalize().ok()?, folder.strip_prefix(above).ok()?)))?;
        Some(real.join(rest).join(name).strip_prefix(self.root()).ok()?.to_owned())
    }
}

/// A path without `.` and `..`, by its letters alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            // There is nothing above the top.
            Component::ParentDir => drop(tidy.pop()),
            component => tidy.push(component),
        }
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_from_where_the_person_is() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let (root, src) = (top.join("work"), top.join("work/src"));
        std::fs::create_dir_all(&src).unwrap();
        let workspace = Workspace::open(&root).unwrap();
        let below = |base: &Path, named: &Path| workspace.below(base, named);
        for (named, expected) in [
            ("a.rs", Some("src/a.rs")),
            ("./a.rs", Some("src/a.rs")),
            ("deep/er/a.rs", Some("src/deep/er/a.rs")),
            ("../a.rs", Some("a.rs")),
            ("../src/../b/a.rs", Some("b/a.rs")),
            ("..", Some("")),
            ("../..", None),
            ("../../other/a.rs", None),
            ("../../work/a.rs", Some("a.rs")),
            ("/../../../a.rs", None),
        ] {
            assert_eq!(below(&src, Path::new(named)), expected.map(PathBuf::from), "{named}");
        }
        assert_eq!(below(Path::new("/"), &root.join("x/a.rs")), Some("x/a.rs".into()));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_through_a_link_to_the_workspace_is_below_it_and_a_link_in_it_is_named_itself() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("work/src")).unwrap();
        std::os::unix::fs::symlink("work", top.join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/hosts", top.join("work/src/hosts")).unwrap();
        let workspace = Workspace::open(&top.join("work")).unwrap();
        for (named, expected) in [("link/src/a.rs", "src/a.rs"), ("link/gone/a.rs", "gone/a.rs")] {
            assert_eq!(workspace.below(&top, Path::new(named)), Some(expected.into()));
        }
        assert_eq!(workspace.below(&top, Path::new("link/src/hosts")), Some("src/hosts".into()));
    }
}
