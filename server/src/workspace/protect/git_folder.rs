//! Folders that git recognises as repositories, wherever they are, and whose configuration it therefore uses.
//!
//! Git looks for `.git` and, in the folder and all its parents, for the parts of a repository: `HEAD`, `objects` and
//! `refs`, or a `commondir` that names where the latter two are. A configuration beside them names programs
//! (`core.fsmonitor` among them) that git runs for a mere status. Source: git documentation, gitrepository-layout;
//! `safe.bareRepository` in git-config.

use std::collections::{BTreeMap, BTreeSet};

use crate::contracts::RepoPath;
use crate::workspace::Workspace;

/// The parts of a repository, folded: files and folders.
const FILES: [&str; 3] = ["head", "commondir", "config"];
const FOLDERS: [&str; 2] = ["objects", "refs"];

/// Folders that are git directories, or will be once all planned files are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitFolders {
    /// The folders, by their folded names; the root is empty.
    folders: BTreeSet<String>,
}

impl GitFolders {
    /// Checks the folders of these paths, as they are and as they will be with all the paths written.
    pub fn of<'a>(workspace: &Workspace, paths: impl IntoIterator<Item = &'a RepoPath>) -> Self {
        // By folder, folded: its spellings, and the parts of a repository that the paths add.
        let mut planned: BTreeMap<String, (BTreeSet<String>, BTreeSet<&'static str>)> = BTreeMap::new();
        for path in paths {
            let names: Vec<&str> = path.components().collect();
            for at in 0..names.len() {
                let folder = names[..at].join("/");
                let name = key(names[at]);
                let entry = planned.entry(key(&folder)).or_default();
                let parts: &[&'static str] = if at + 1 == names.len() { &FILES } else { &FOLDERS };
                entry.1.extend(parts.iter().filter(|part| **part == name));
                entry.0.insert(folder);
            }
        }
        let is_git = |(folder, (written, parts)): (String, (BTreeSet<String>, BTreeSet<&'static str>))| {
            let mut there: BTreeSet<_> = written.iter().flat_map(|folder| parts_on_disk(workspace, folder)).collect();
            there.extend(parts);
            is_repository(&there).then_some(folder)
        };
        Self { folders: planned.into_iter().filter_map(is_git).collect() }
    }

    /// The union of both.
    #[must_use]
    pub fn union(mut self, others: Self) -> Self {
        self.folders.extend(others.folders);
        self
    }

    /// Whether a path is in one of the folders.
    pub fn contain(&self, path: &RepoPath) -> bool {
        let key = path.key();
        self.folders.iter().any(|folder| {
            folder.is_empty() || key.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// Whether a path is in a folder that is a git directory now.
pub fn in_git_folder(workspace: &Workspace, path: &RepoPath) -> bool {
    let names: Vec<&str> = path.components().collect();
    (0..names.len()).any(|at| is_repository(&parts_on_disk(workspace, &names[..at].join("/"))))
}

/// A folder with objects and refs may be the common directory of another one, without `HEAD`.
fn is_repository(parts: &BTreeSet<&'static str>) -> bool {
    let has = |part: &str| parts.contains(part);
    let common = has("objects") && has("refs");
    (has("head") && (common || has("commondir"))) || (common && has("config"))
}

/// Which parts of a repository a folder has, in any case; links count as their target's kind.
fn parts_on_disk(workspace: &Workspace, folder: &str) -> BTreeSet<&'static str> {
    let dir = workspace.dir();
    let path_of = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
    let exists = |name: &str, as_folder: bool| {
        let kind = dir.symlink_metadata(path_of(name)).map(|metadata| metadata.file_type());
        kind.is_ok_and(|kind| kind.is_symlink() || kind.is_dir() == as_folder)
    };
    let parts = FILES.into_iter().map(|part| (part, false)).chain(FOLDERS.into_iter().map(|part| (part, true)));
    parts
        .filter(|(part, as_folder)| {
            [(*part).to_owned(), part.to_uppercase(), capital(part)].iter().any(|name| exists(name, *as_folder))
        })
        .map(|(part, _)| part)
        .collect()
}

fn capital(part: &str) -> String {
    let (first, rest) = part.split_at(1);
    format!("{}{rest}", first.to_uppercase())
}

fn key(name: &str) -> String {
    RepoPath::parse(name).map(|path| path.key()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::{Fixture, path};

    fn held(fixture: &Fixture, paths: &[&str]) -> Vec<String> {
        let paths: Vec<RepoPath> = paths.iter().map(|text| path(text)).collect();
        let folders = GitFolders::of(&fixture.workspace(), &paths);
        paths.iter().filter(|path| folders.contain(path)).map(ToString::to_string).collect()
    }

    #[test]
    fn files_that_make_up_a_repository_are_in_one() {
        let fixture = Fixture::new("//- /src/main.rs\nx\n");
        let planned = ["x/HEAD", "x/config", "x/objects/a", "x/refs/b", "x/src/c.rs", "y/HEAD", "src/main.rs"];
        assert_eq!(held(&fixture, &planned), ["x/HEAD", "x/config", "x/objects/a", "x/refs/b", "x/src/c.rs"]);
        assert_eq!(held(&fixture, &["X/head", "x/OBJECTS/a", "x/Refs/b"]).len(), 3, "in any case");
        assert_eq!(held(&fixture, &["HEAD", "objects/a", "refs/b", "a.rs"]).len(), 4, "the root too");
        assert_eq!(held(&fixture, &["x/HEAD", "x/commondir"]).len(), 2, "the rest is elsewhere");
        assert_eq!(held(&fixture, &["x/objects/a", "x/refs/b", "x/config"]).len(), 3, "what a commondir names");
        for honest in [&["HEAD", "config"][..], &["x/objects/a.rs", "x/refs/b.rs"], &["x/HEAD/a", "config/b"]] {
            assert!(held(&fixture, honest).is_empty(), "{honest:?}");
        }
    }

    #[test]
    fn what_stands_on_disk_counts() {
        let fixture = Fixture::new("//- /a.git/HEAD\nref: refs/heads/main\n//- /a.git/objects/x\nx\n//- /b/HEAD\nx\n");
        assert!(!in_git_folder(&fixture.workspace(), &path("a.git/config")));
        assert_eq!(held(&fixture, &["a.git/refs/heads/main", "a.git/config"]).len(), 2, "it becomes one");
        fixture.write("a.git/refs/x", b"x");
        assert!(in_git_folder(&fixture.workspace(), &path("a.git/config")));
        assert!(in_git_folder(&fixture.workspace(), &path("a.git/deep/below/hook")));
        assert!(!in_git_folder(&fixture.workspace(), &path("b/config")));
        assert_eq!(held(&fixture, &["a.git/config", "b/x"]), ["a.git/config"]);
        fixture.write("b/objects/x", b"x");
        assert_eq!(held(&fixture, &["B/x", "b/refs/x"]).len(), 2, "however its folder is spelled beside it");
    }
}
