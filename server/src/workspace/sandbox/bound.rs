//! Folders that git ignores and that a check writes for real, as they are before it and as it left them.
//!
//! Not all in such a folder may be written through: a repository in it has hooks and settings that the user's git runs, and
//! may be work of the user's own; a file that has another name outside (a hard link, as package managers and caches of compilers make) is
//! written there, too.
//! These parts are copied on write, and the rest stays warm. A folder that could not be looked through is copied on write as a
//! whole.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, DirEntry, Metadata, MetadataExt};
use rustix::fs::{Mode, OFlags, chmod, fstat, openat};
use std::os::fd::AsRawFd;

/// No more folders, and no more entries in them, are looked at, in all folders of a workspace.
const MAX_FOLDERS: usize = 60_000;
const MAX_ENTRIES: usize = 1_000_000;
/// More parts than this of a folder are not copied on write one by one, but folders that hold them: each is a mount.
const MAX_PARTS: usize = 64;
/// The bits by which a program runs as its owner or its group.
const BECOMES: u32 = 0o6000;

/// How much may still be looked at.
pub(super) struct Budget {
    folders: usize,
    entries: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { folders: MAX_FOLDERS, entries: MAX_ENTRIES }
    }
}

impl Budget {
    #[cfg(test)]
    pub(super) fn of_folders(folders: usize) -> Self {
        Self { folders, entries: MAX_ENTRIES }
    }
}

/// A folder that is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// Its path from the root of the workspace.
    pub(super) folder: String,
    /// The parts of it that are copied on write, by their paths from the root of the workspace.
    pub(super) parts: Vec<PathBuf>,
    before: Before,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Before {
    /// Repositories, by file number: one that was moved is no new one.
    repositories: HashSet<u64>,
    /// Files that run as their owner or group, by file number and time of change.
    privileged: HashSet<(u64, i64, i64)>,
}

/// Why a folder is not bound but copied on write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotBound {
    /// It is too large, or parts of it cannot be read.
    NotSeen,
    /// Files in it have other names elsewhere.
    Linked,
    /// It has parts that are to be copied on write, and no overlay can be laid here.
    Parts,
    /// It is a repository itself.
    Repository,
}

/// What a check left in its folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Programs that would have run as somebody else; they do not any more.
    pub(super) disarmed: Vec<PathBuf>,
    /// Programs that still do.
    pub(super) armed: Vec<PathBuf>,
    /// Repositories that were not there before.
    pub(super) repositories: Vec<PathBuf>,
    /// Folders that could not be looked through.
    pub(super) unseen: Vec<String>,
}

/// What is found in a folder.
#[derive(Default)]
struct Seen {
    /// Folders of repositories, with or without a working tree, and the file number of what makes each one.
    repositories: Vec<(PathBuf, u64)>,
    privileged: Vec<(PathBuf, Metadata)>,
    /// Files with several names: how many names, and the folders in which they are.
    linked: HashMap<(u64, u64), (u64, Vec<usize>)>,
    folders: Vec<PathBuf>,
}

/// Looks through a folder of the workspace before it is bound.
pub(super) fn look(root: &Dir, folder: &str, budget: &mut Budget) -> Result<Bound, NotBound> {
    let seen = Seen::of(root, folder, false, budget).map_err(|_| NotBound::NotSeen)?;
    let whole = Path::new(folder);
    let repositories = seen.repositories.iter().map(|(path, _)| path.clone()).collect();
    let mut parts = few(repositories, whole).ok_or(NotBound::Repository)?;
    parts.extend(seen.folders_with_links());
    let parts = few(parts, whole).ok_or(NotBound::Linked)?;
    let before = Before {
        repositories: seen.repositories.iter().map(|(_, number)| *number).collect(),
        privileged: seen.privileged.iter().map(|(_, metadata)| version(metadata)).collect(),
    };
    Ok(Bound { folder: folder.to_owned(), parts: parts.into_iter().collect(), before })
}

/// Looks through the folders that a check wrote, and takes from the programs in it the right to run as somebody else.
pub(super) fn look_again(root: &Dir, bound: &[Bound]) -> Left {
    let mut left = Left::default();
    let mut budget = Budget::default();
    for Bound { folder, before, .. } in bound {
        let Ok(seen) = Seen::of(root, folder, true, &mut budget) else {
            left.unseen.push(folder.clone());
            continue;
        };
        let new = seen.repositories.into_iter().filter(|(_, number)| !before.repositories.contains(number));
        left.repositories.extend(new.map(|(path, _)| path));
        for (path, _) in seen.privileged.into_iter().filter(|(_, now)| !before.privileged.contains(&version(now))) {
            match disarm(root, &path) {
                Ok(()) => left.disarmed.push(path),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => left.armed.push(path),
            }
        }
    }
    left
}

fn version(metadata: &Metadata) -> (u64, i64, i64) {
    (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

/// Takes the bits from a regular file; no link is followed.
fn disarm(root: &Dir, path: &Path) -> io::Result<()> {
    let folder = root.open_dir(path.parent().unwrap_or(Path::new(".")))?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&folder, path.file_name().unwrap_or_default(), flags, Mode::empty())?;
    let mode = fstat(&file)?.st_mode;
    // A handle that allows nothing has a path by which the permissions can be set.
    Ok(chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), Mode::from_raw_mode(mode & 0o7777 & !BECOMES))?)
}

impl Seen {
    /// Looks through a folder, and through the repositories in it where that is wanted.
    fn of(root: &Dir, folder: &str, into_repositories: bool, budget: &mut Budget) -> io::Result<Self> {
        let full = || io::Error::other("there is too much to be looked through");
        let mut seen = Self::default();
        let mut todo = vec![PathBuf::from(folder)];
        while let Some(path) = todo.pop() {
            budget.folders = budget.folders.checked_sub(1).ok_or_else(full)?;
            let entries: Vec<DirEntry> = match root.read_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?.collect::<io::Result<_>>()?,
            };
            budget.entries = budget.entries.checked_sub(entries.len()).ok_or_else(full)?;
            // What belongs to a repository is none itself.
            let is_inside = path.components().any(|part| part.as_os_str().eq_ignore_ascii_case(".git"));
            if !is_inside && let Some(number) = repository(&entries)? {
                seen.repositories.push((path.clone(), number));
                if !into_repositories {
                    continue;
                }
            }
            let number = seen.folders.len();
            for entry in &entries {
                todo.extend(seen.entry(entry, &path, number)?);
            }
            seen.folders.push(path);
        }
        Ok(seen)
    }

    /// Returns a folder to be looked through.
    fn entry(&mut self, entry: &DirEntry, folder: &Path, number: usize) -> io::Result<Option<PathBuf>> {
        let path = || folder.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            return Ok(Some(path()));
        }
        if !kind.is_file() {
            return Ok(None);
        }
        let metadata = match entry.metadata() {
            // It was removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata?,
        };
        if metadata.nlink() > 1 {
            let of_file = self.linked.entry((metadata.dev(), metadata.ino())).or_default();
            of_file.0 = metadata.nlink();
            of_file.1.push(number);
        }
        if metadata.mode() & BECOMES != 0 {
            self.privileged.push((path(), metadata));
        }
        Ok(None)
    }

    /// The folders that hold a file not all of whose names were found.
    fn folders_with_links(&self) -> BTreeSet<PathBuf> {
        let outside = self.linked.values().filter(|(names, found)| *names > found.len() as u64);
        let numbers: HashSet<usize> = outside.flat_map(|(_, found)| found.iter().copied()).collect();
        numbers.into_iter().map(|number| self.folders[number].clone()).collect()
    }
}

/// What makes a folder one of a repository, by its file number: its `.git`, or, without a working tree, what stands beside a
/// `HEAD`.
fn repository(entries: &[DirEntry]) -> io::Result<Option<u64>> {
    let named = |name: &str| entries.iter().find(|entry| entry.file_name().eq_ignore_ascii_case(name));
    let without_tree = || {
        named("HEAD")?;
        named("commondir").or_else(|| named("objects").filter(|_| named("refs").is_some()))
    };
    named(".git").or_else(without_tree).map(|entry| Ok(entry.metadata()?.ino())).transpose()
}

/// These folders, or fewer that hold them; `None` if one is the whole.
fn few(mut folders: BTreeSet<PathBuf>, whole: &Path) -> Option<BTreeSet<PathBuf>> {
    let depth = |folder: &Path| folder.components().count();
    loop {
        folders = outermost(folders).into_iter().collect();
        if folders.contains(whole) {
            return None;
        }
        if folders.len() <= MAX_PARTS {
            return Some(folders);
        }
        let deepest = folders.iter().map(|folder| depth(folder)).max().unwrap_or_default();
        let shallower = |folder: PathBuf| match folder.parent() {
            Some(parent) if depth(&folder) == deepest => parent.to_owned(),
            _ => folder,
        };
        folders = folders.into_iter().map(shallower).collect();
    }
}

/// Without what lies beneath others of them.
fn outermost(paths: BTreeSet<PathBuf>) -> Vec<PathBuf> {
    // A folder comes right before what is in it.
    let mut paths: Vec<PathBuf> = paths.into_iter().collect();
    paths.dedup_by(|inner, outer| inner.starts_with(&*outer));
    paths
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::workspace::fixture::Fixture;

    fn parts(fixture: &Fixture) -> Result<Vec<String>, NotBound> {
        let bound = look(fixture.workspace().dir(), "out", &mut Budget::default())?;
        Ok(bound.parts.iter().map(|path| path.display().to_string()).collect())
    }

    #[test]
    fn repositories_in_a_folder_are_parts_of_it() {
        let fixture = Fixture::new(
            "//- /out/_deps/one/.git/HEAD\nx\n//- /out/_deps/two/.git\ngitdir: elsewhere\n//- /out/a.o\nx\n\
             //- /out/bare/HEAD\nx\n//- /out/bare/objects/x\nx\n//- /out/bare/refs/x\nx\n",
        );
        assert_eq!(parts(&fixture).unwrap(), ["out/_deps/one", "out/_deps/two", "out/bare"]);
        let itself = Fixture::new("//- /out/.git/HEAD\nx\n");
        assert_eq!(parts(&itself), Err(NotBound::Repository));
    }

    #[test]
    fn files_with_a_name_outside_are_in_parts_and_those_with_all_names_inside_are_not() {
        let fixture = Fixture::new("//- /src/a\nx\n//- /out/deps/a-1\nx\n//- /out/store/x/one\nx\n//- /out/b/c/d\nx\n");
        let root = fixture.workspace().root().to_owned();
        fs::hard_link(root.join("out/deps/a-1"), root.join("out/a")).unwrap();
        assert_eq!(parts(&fixture).unwrap(), Vec::<String>::new());
        fs::hard_link(root.join("src/a"), root.join("out/store/x/two")).unwrap();
        assert_eq!(parts(&fixture).unwrap(), ["out/store/x"]);
        for number in 0..=MAX_PARTS {
            let folder = root.join("out/store").join(number.to_string());
            fs::create_dir(&folder).unwrap();
            fs::hard_link(root.join("src/a"), folder.join("a")).unwrap();
        }
        assert_eq!(parts(&fixture).unwrap(), ["out/store"], "too many to be mounted one by one");
        fs::hard_link(root.join("src/a"), root.join("out/three")).unwrap();
        assert_eq!(parts(&fixture), Err(NotBound::Linked));
    }

    #[test]
    fn what_a_check_left_is_found_and_disarmed() {
        let fixture =
            Fixture::new("//- /out/old\nx\n//- /out/new\nx\n//- /out/changed\nx\n//- /out/one/.git/HEAD\nx\n");
        let workspace = fixture.workspace();
        let path = |name: &str| workspace.root().join("out").join(name);
        let set = |name: &str, mode| fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        set("old", 0o4755);
        set("changed", 0o2755);
        let bound = look(workspace.dir(), "out", &mut Budget::default()).unwrap();
        set("new", 0o6711);
        set("changed", 0o4755);
        fs::rename(path("one"), path("away")).unwrap();
        fs::create_dir_all(path("one/.git")).unwrap();
        let mut left = look_again(workspace.dir(), &[bound]);
        for list in [&mut left.disarmed, &mut left.repositories] {
            list.sort();
        }
        assert_eq!(left.disarmed, ["out/changed", "out/new"].map(PathBuf::from));
        assert_eq!(left.repositories, ["out/one"].map(PathBuf::from));
        assert!(left.armed.is_empty() && left.unseen.is_empty());
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(["old", "changed", "new"].map(mode), [0o4755, 0o755, 0o711]);
    }

    #[test]
    fn what_is_too_large_to_be_looked_through_is_not_bound() {
        let fixture = Fixture::new("//- /out/a/b/c\nx\n");
        for (folders, is_bound) in [(3, true), (2, false), (0, false)] {
            let mut budget = Budget::of_folders(folders);
            assert_eq!(look(fixture.workspace().dir(), "out", &mut budget).is_ok(), is_bound);
        }
    }
}
