//! Whether files were written since a moment, as far as the system notes it.

use std::time::SystemTime;

use cap_std::fs::Metadata;

use super::platform::inode;
use super::walk::{Walk, files};
use super::{Workspace, beneath};
use crate::contracts::RepoPath;

/// How many files are looked at.
const MOST_FILES: usize = 50_000;

impl Workspace {
    /// Whether the file at a path was written, made or removed since: where there is none, whether anything in its folder
    /// was. The system's clock for files may lag behind by one of its ticks, some milliseconds.
    pub fn is_written_since(&self, path: &RepoPath, since: SystemTime) -> bool {
        let Ok(folder) = beneath::open_parent(self.dir(), path) else { return true };
        let metadata = folder.symlink_metadata(path.file_name()).or_else(|_| folder.dir_metadata());
        metadata.map_or(true, |metadata| written(&metadata).is_none_or(|at| at > since))
    }

    /// Whether any of the files that agents may know was written since. One that was removed is not noticed.
    pub fn is_any_written_since(&self, memory_dir: &RepoPath, since: SystemTime) -> bool {
        let walk = Walk { memory_dir, folder: None, globs: None, limit: MOST_FILES };
        let listing = files(self, &walk).map(|listing| listing.files).unwrap_or_default();
        listing.iter().any(|path| {
            let Ok(folder) = beneath::open_parent(self.dir(), path) else { return false };
            let metadata = folder.symlink_metadata(path.file_name());
            metadata.is_ok_and(|metadata| written(&metadata).is_some_and(|at| at > since))
        })
    }
}

/// When content, name or permissions changed last, which no program can set back; where the system does not tell, when the content
/// did.
fn written(metadata: &Metadata) -> Option<SystemTime> {
    match inode(metadata) {
        Some(inode) => inode.changed_at(),
        None => metadata.modified().ok().map(cap_std::time::SystemTime::into_std),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::workspace::fixture::Fixture;

    /// More than the tick of a file system's clock.
    const LATER: Duration = Duration::from_secs(1);

    #[test]
    fn a_file_written_since_is_told_from_one_that_was_not() {
        let fixture = Fixture::new("//- /a.txt\na\n//- /b/c.txt\nc\n");
        let workspace = fixture.workspace();
        let path = |path: &str| RepoPath::parse(path).unwrap();
        let (memory, now) = (path(".agent_memory"), SystemTime::now());
        let (before, after) = (now - LATER, now + LATER);
        for there in ["a.txt", "b/c.txt", "b/missing.txt"] {
            assert!(workspace.is_written_since(&path(there), before), "{there}");
            assert!(!workspace.is_written_since(&path(there), after), "{there}");
        }
        assert!(workspace.is_any_written_since(&memory, before) && !workspace.is_any_written_since(&memory, after));
    }
}
