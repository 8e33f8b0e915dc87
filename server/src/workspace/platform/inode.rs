//! What a Unix system knows of a file beside its size and the time it was written.

use std::time::{Duration, SystemTime};

/// A file as its file system knows it, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::workspace) struct Inode {
    /// The number of the file system.
    pub(in crate::workspace) device: u64,
    /// The number of the file in it, which a later file may get once this one is gone.
    pub(in crate::workspace) number: u64,
    /// How many names it has.
    pub(in crate::workspace) names: u64,
    /// When its content was written last: seconds since 1970, and nanoseconds.
    pub(in crate::workspace) modified: (i64, i64),
    /// When content, names or permissions changed last, which no program can set back: seconds since 1970, and nanoseconds.
    pub(in crate::workspace) changed: (i64, i64),
    /// Kind and permission bits.
    pub(in crate::workspace) mode: u32,
    /// User and group.
    pub(in crate::workspace) owner: (u32, u32),
}

impl Inode {
    /// The numbers that tell it from every other file that is there.
    pub(in crate::workspace) fn id(&self) -> (u64, u64) {
        (self.device, self.number)
    }

    /// The time of the last change; `None` before 1970.
    pub(in crate::workspace) fn changed_at(&self) -> Option<SystemTime> {
        let (seconds, nanoseconds) = self.changed;
        let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }
}
