//! Whether a file is still as it was when it was read, told without reading it again.

use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::Workspace;
use super::platform::inode;
use crate::contracts::RepoPath;

/// Names one state of one file: its path, identity, size and times. A file system sets the time of the last change at every
/// write, and no program can set that back.
pub type Stamp = [u8; 16];

/// A change so soon after the last one may bear the same time.
const SETTLED: Duration = Duration::from_secs(2);

impl Workspace {
    /// The stamp of a file as it is on the disk. `None` where that does not tell its content: it is open in an editor, was
    /// changed just now, is no regular file, or the system has no such times.
    pub fn stamp(&self, path: &RepoPath) -> Option<Stamp> {
        if self.is_open(path) {
            return None;
        }
        let metadata = self.dir().symlink_metadata(path.as_str()).ok().filter(cap_std::fs::Metadata::is_file)?;
        let inode = inode(&metadata)?;
        let settled = SystemTime::now().checked_sub(SETTLED)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let settled = i64::try_from(settled.as_secs()).ok()?;
        if inode.modified.0.max(inode.changed.0) >= settled {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update(path.as_str());
        for number in [inode.device, inode.number, metadata.len()] {
            hash.update(number.to_le_bytes());
        }
        for number in [inode.modified.0, inode.modified.1, inode.changed.0, inode.changed.1] {
            hash.update(number.to_le_bytes());
        }
        hash.finalize().first_chunk().copied()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{File, FileTimes};
    use std::sync::Arc;

    use super::*;
    use crate::workspace::OpenBuffers;
    use crate::workspace::fixture::{Fixture, Opened, path};

    /// The time of the last change cannot be set, so a file that is old enough is one that is there already.
    #[test]
    fn a_file_that_was_written_just_now_has_no_stamp_whatever_its_times_say() {
        let fixture = Fixture::new("//- /a.txt\na\n");
        let workspace = fixture.workspace();
        assert_eq!(workspace.stamp(&path("a.txt")), None);
        let file = File::options().write(true).open(fixture.root().join("a.txt")).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(3_600);
        file.set_times(FileTimes::new().set_modified(long_ago)).unwrap();
        assert_eq!(workspace.stamp(&path("a.txt")), None, "the time of the last change tells");
        assert_eq!(workspace.stamp(&path("none.txt")), None);
    }

    #[test]
    fn a_file_that_is_settled_has_one_stamp_until_it_changes_or_is_opened() {
        let fixture = Fixture::new("//- /a.txt\na\n//- /b.txt\na\n");
        let workspace = fixture.workspace();
        let (a, b) = (path("a.txt"), path("b.txt"));
        let stamp = settled(|| workspace.stamp(&a));
        assert_eq!(workspace.stamp(&a), Some(stamp));
        assert_ne!(settled(|| workspace.stamp(&b)), stamp, "the same text elsewhere");
        let editor = Arc::new(Opened::default());
        editor.set("a.txt", "a\n", true);
        assert_eq!(workspace.clone().with_buffers(OpenBuffers::new(editor)).stamp(&a), None);
        fixture.write("a.txt", b"b\n");
        assert_ne!(settled(|| workspace.stamp(&a)), stamp);
        std::fs::remove_file(fixture.root().join("a.txt")).unwrap();
        fixture.link("b.txt", "a.txt");
        assert_eq!(workspace.stamp(&a), None);
    }

    /// What is there as soon as the file has been left alone for long enough.
    fn settled<T>(mut what: impl FnMut() -> Option<T>) -> T {
        loop {
            if let Some(found) = what() {
                return found;
            }
            std::thread::yield_now();
        }
    }
}
