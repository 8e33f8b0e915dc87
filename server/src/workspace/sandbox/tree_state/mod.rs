//! Whether the files beneath a root are still those that a command saw.
//!
//! A file is the same one as long as its identity, size, permissions and times are: a file system sets the time of the last
//! change at every write, and no program can set that back. A file that changed so shortly before it was looked at that a
//! later change could bear the same time is compared by its content.

#[cfg(target_os = "linux")]
mod look;

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::contracts::RepoPath;
use crate::workspace::Workspace;

/// All files of a workspace at one moment, those that git ignores and git's own too, but for some files and the memory folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeState {
    digest: [u8; 32],
    /// Those that were compared by their content.
    by_content: BTreeSet<PathBuf>,
}

#[cfg(target_os = "linux")]
impl TreeState {
    /// The state without these files. `None` where it cannot be told whether a file changes, or for too many of them.
    pub fn of(workspace: &Workspace, memory_dir: &RepoPath, without: &BTreeSet<RepoPath>) -> Option<Self> {
        let (digest, by_content) = look::Look::new(workspace.root(), memory_dir, without, None)?.look()?;
        Some(Self { digest, by_content })
    }

    /// Whether the workspace is in this state now, without the same files.
    pub fn holds(&self, workspace: &Workspace, memory_dir: &RepoPath, without: &BTreeSet<RepoPath>) -> bool {
        let now = look::Look::new(workspace.root(), memory_dir, without, Some(&self.by_content));
        now.and_then(look::Look::look).is_some_and(|(digest, _)| digest == self.digest)
    }
}

#[cfg(not(target_os = "linux"))]
impl TreeState {
    /// There is no view here whose command could have seen it.
    pub fn of(_: &Workspace, _: &RepoPath, _: &BTreeSet<RepoPath>) -> Option<Self> {
        None
    }

    /// As where there are views.
    pub fn holds(&self, _: &Workspace, _: &RepoPath, _: &BTreeSet<RepoPath>) -> bool {
        false
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::workspace::fixture::{Fixture, memory, path, skipped};

    const FILES: &str = "//- /src/a.rs\none\n//- /src/b.rs\nx\n//- /.gitignore\nout/\n//- /out/cache\nx\n\
                         //- /.git/config\nx\n//- /.agent_memory/lock\nx\n";

    #[test]
    fn a_tree_is_the_same_until_anything_in_it_changes() {
        type Change = (&'static str, fn(&Path));
        let changes: [Change; 10] = [
            ("content", |root| fs::write(root.join("src/a.rs"), "two\n").unwrap()),
            ("content that git ignores", |root| fs::write(root.join("out/cache"), "y\n").unwrap()),
            ("git's own", |root| fs::write(root.join(".git/config"), "y\n").unwrap()),
            ("a new file", |root| fs::write(root.join("src/c.rs"), "").unwrap()),
            ("a new folder", |root| fs::create_dir(root.join("new")).unwrap()),
            ("a file that is gone", |root| fs::remove_file(root.join("src/b.rs")).unwrap()),
            ("a file of another name", |root| fs::rename(root.join("src/b.rs"), root.join("src/d.rs")).unwrap()),
            ("permissions", |root| {
                fs::set_permissions(root.join("src/a.rs"), fs::Permissions::from_mode(0o755)).unwrap();
            }),
            ("another file in its place", |root| {
                fs::write(root.join("src/new"), "one\n").unwrap();
                fs::rename(root.join("src/new"), root.join("src/a.rs")).unwrap();
            }),
            ("a link in its place", |root| {
                fs::remove_file(root.join("src/b.rs")).unwrap();
                std::os::unix::fs::symlink("a.rs", root.join("src/b.rs")).unwrap();
            }),
        ];
        for (what, change) in changes {
            let fixture = Fixture::new(FILES);
            let (workspace, none) = (fixture.workspace(), BTreeSet::new());
            let Some(state) = TreeState::of(&workspace, &memory(), &none) else {
                skipped("the file system is none of this machine's disks");
                return;
            };
            assert!(state.holds(&workspace, &memory(), &none), "before {what}");
            fs::write(workspace.root().join(".agent_memory/lock"), "of a run\n").unwrap();
            assert!(state.holds(&workspace, &memory(), &none), "the memory folder is left out");
            change(workspace.root());
            assert!(!state.holds(&workspace, &memory(), &none), "after {what}");
        }
    }

    #[test]
    fn files_that_are_left_out_may_be_written_made_and_removed() {
        let fixture = Fixture::new(FILES);
        let workspace = fixture.workspace();
        let without: BTreeSet<RepoPath> = ["src/a.rs", "src/b.rs", "new/deep/c.rs"].map(path).into();
        let Some(state) = TreeState::of(&workspace, &memory(), &without) else {
            skipped("the file system is none of this machine's disks");
            return;
        };
        let root = workspace.root();
        fs::write(root.join("src/a.rs"), "two\n").unwrap();
        fs::remove_file(root.join("src/b.rs")).unwrap();
        fs::create_dir_all(root.join("new/deep")).unwrap();
        fs::write(root.join("new/deep/c.rs"), "").unwrap();
        assert!(state.holds(&workspace, &memory(), &without));
        fs::write(root.join("new/deep/d.rs"), "").unwrap();
        assert!(!state.holds(&workspace, &memory(), &without), "another file beside them");
    }

    #[test]
    fn a_file_of_the_same_size_and_time_is_told_by_its_content() {
        let fixture = Fixture::new(FILES);
        let (workspace, none) = (fixture.workspace(), BTreeSet::new());
        let Some(state) = TreeState::of(&workspace, &memory(), &none) else {
            skipped("the file system is none of this machine's disks");
            return;
        };
        assert!(state.by_content.contains(&workspace.root().join("src/a.rs")), "it was written just now");
    }
}
