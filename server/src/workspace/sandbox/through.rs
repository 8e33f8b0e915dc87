//! Folders that git ignores: at the end of a round a command works on the real ones.

use cap_std::fs::Dir;

use super::bound::{Bound, Budget, NotBound, look};
use crate::contracts::RepoPath;
use crate::workspace::ignored::Ignored;
use crate::workspace::protect::{GitFolders, Protection, protection};
use crate::workspace::{Workspace, WorkspaceError};

/// More folders than this are not looked at.
const MAX_VISITED: usize = 100_000;

/// More than this are not bound: each is a mount.
const MAX_FOLDERS: usize = 1_000;

/// The folder that a build makes beside this file.
const BUILDS: [(&str, &str); 7] = [
    ("Cargo.toml", "target"),
    ("pom.xml", "target"),
    ("build.sbt", "target"),
    ("build.gradle", "build"),
    ("build.gradle.kts", "build"),
    ("mix.exs", "_build"),
    ("CMakeLists.txt", "build"),
];

/// Makes the folders that a build would make first, where git ignores them: else what the first one makes would be gone with
/// its room, and the second one would make it all again.
pub(super) fn make_build_folders(workspace: &Workspace) -> Result<(), WorkspaceError> {
    let ignored = Ignored::of(workspace)?;
    let root = workspace.dir();
    for (beside, folder) in BUILDS {
        let is_due = root.symlink_metadata(beside).is_ok_and(|metadata| metadata.is_file());
        if is_due && root.symlink_metadata(folder).is_err() && ignored.is_ignored_path(folder, true)? {
            // A tree that cannot be written has no caches to keep.
            let _ = root.create_dir(folder);
        }
    }
    Ok(())
}

/// What of the workspace is the real one for a check at the end of a round.
#[derive(Debug, Default)]
pub(super) struct Through {
    /// The folders, sorted.
    pub(super) bound: Vec<Bound>,
    /// Those that are copied on write all the same, though they may hold a cache, and why.
    pub(super) not_bound: Vec<(String, NotBound)>,
}

/// The outermost folders that git ignores, without any that is protected, that is a repository, or that belongs to Baton.
pub(super) fn ignored_folders(workspace: &Workspace, memory_dir: &RepoPath) -> Result<Through, WorkspaceError> {
    let ignored = Ignored::of(workspace)?;
    let mut found = Through::default();
    let mut todo: Vec<Option<RepoPath>> = vec![None];
    let mut visited = 0;
    let mut budget = Budget::default();
    while let Some(folder) = todo.pop() {
        for path in subfolders(workspace.dir(), folder.as_ref()) {
            visited += 1;
            if visited > MAX_VISITED || found.bound.len() >= MAX_FOLDERS {
                return Ok(found);
            }
            if protection(&path, memory_dir) == Protection::Never {
                continue;
            }
            if !ignored.is_ignored_path(path.as_str(), true)? {
                todo.push(Some(path));
            } else if is_harmless(workspace, &path, memory_dir) {
                match look(workspace.dir(), path.as_str(), &mut budget) {
                    Ok(bound) => found.bound.push(bound),
                    Err(why) => found.not_bound.push((path.as_str().to_owned(), why)),
                }
            }
        }
    }
    found.bound.sort_by(|one, other| one.folder.cmp(&other.folder));
    Ok(found)
}

/// Whether a folder is not taken for a configuration by the user's own programs, and is no repository, whose hooks they would
/// run.
fn is_harmless(workspace: &Workspace, folder: &RepoPath, memory_dir: &RepoPath) -> bool {
    let is_free = |path: &RepoPath| protection(path, memory_dir) == Protection::None;
    let inside = RepoPath::parse(&format!("{folder}/x")).ok();
    is_free(folder)
        && inside.is_some_and(|inside| is_free(&inside) && !GitFolders::of(workspace, [&inside]).contain(&inside))
}

/// The folders in a folder; links are none, and neither are names that no path can have.
fn subfolders(root: &Dir, folder: Option<&RepoPath>) -> Vec<RepoPath> {
    let Ok(entries) = root.read_dir(folder.map_or(".", RepoPath::as_str)) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let path = |name: String| match folder {
        Some(folder) => format!("{folder}/{name}"),
        None => name,
    };
    // A name that is written differently as a path is another file.
    names.map(path).filter_map(|path| RepoPath::parse(&path).ok().filter(|parsed| parsed.as_str() == path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::{Fixture, memory};

    #[test]
    fn the_folder_of_a_build_is_there_before_its_first_one() {
        let fixture = Fixture::new("//- /.gitignore\ntarget/\n//- /Cargo.toml\n[package]\n//- /CMakeLists.txt\nx\n");
        make_build_folders(&fixture.workspace()).unwrap();
        assert_eq!(fixture.names(""), [".gitignore", "CMakeLists.txt", "Cargo.toml", "target"]);
        let plain = Fixture::new("//- /Cargo.toml\n[package]\n");
        make_build_folders(&plain.workspace()).unwrap();
        assert_eq!(plain.names(""), ["Cargo.toml"], "git would show it");
    }

    #[test]
    fn the_outermost_ignored_folders_are_bound_and_no_other() {
        let fixture = Fixture::new(
            "//- /.gitignore\ntarget/\nnode_modules\n.vscode/\nvendor/\ndeps/\n/.agent_memory\n*.log\n\
             //- /.git/HEAD\nref: refs/heads/main\n//- /target/debug/a\nx\n//- /src/node_modules/b/c\nx\n\
             //- /.vscode/tasks.json\nx\n//- /vendor/.git/HEAD\nx\n//- /deps/one/.git/HEAD\nx\n\
             //- /.agent_memory/plan.json\nx\n//- /src/a.rs\nx\n//- /a.log/b\nx\n\
             //- /b.log/in/deep/er/.git/config\nx\n//- /c.log/in/deep/.git\ngitdir: elsewhere\n\
             //- /d.log/in/deep/HEAD\nx\n//- /d.log/in/deep/objects/x\nx\n//- /d.log/in/deep/refs/x\nx\n",
        );
        fixture.link("target", "link");
        let found = ignored_folders(&fixture.workspace(), &memory()).unwrap();
        let names: Vec<_> = found.bound.iter().map(|bound| bound.folder.as_str()).collect();
        assert_eq!(names, ["a.log", "b.log", "c.log", "d.log", "deps", "src/node_modules", "target"]);
        let parts: Vec<_> = found.bound.iter().flat_map(|bound| &bound.parts).collect();
        let expected = ["b.log/in/deep/er", "c.log/in/deep", "d.log/in/deep", "deps/one"];
        assert_eq!(parts, expected.iter().map(std::path::Path::new).collect::<Vec<_>>());
        assert_eq!(found.not_bound, [("vendor".to_owned(), NotBound::Repository)]);
    }
}
