//! The lock file by which one run at a time holds a workspace.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, OpenOptions};
use serde::{Deserialize, Serialize};

use super::error::{LockedBy, MemoryError};
use super::platform::is_here;
use crate::workspace::open_regular;

pub(super) const FILE: &str = "lock";

/// The most that is read of a lock file; a lock of ours is smaller.
const MAX_BYTES: u64 = 4096;

/// Who holds a workspace: the content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Process id.
    pub pid: u32,
    /// Run id.
    pub run: String,
}

/// The workspace, locked for one run. Released on drop, or when the process ends in any way.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl RunLock {
    /// Takes the lock of a memory folder. `name` is the lock's path for messages.
    ///
    /// # Errors
    /// [`MemoryError::Locked`] with the holder when another run has it; [`MemoryError::NotALock`] when the file is not
    /// a lock of ours.
    pub fn take(dir: &Dir, name: &str, holder: &LockHolder) -> Result<Self, MemoryError> {
        let io = |action, source| MemoryError::Io { action, file: name.to_owned(), source };
        let mut file = open(dir).map_err(|source| io("open", source))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read(&mut file);
                return Err(MemoryError::Locked(LockedBy {
                    pid: holder.as_ref().map(|holder| holder.pid),
                    is_here: holder.as_ref().and_then(|holder| is_here(holder.pid)),
                    run: holder.map(|holder| holder.run),
                }));
            }
            Err(TryLockError::Error(source)) => return Err(io("lock", source)),
        }
        if !is_ours(&mut file).map_err(|source| io("read", source))? {
            return Err(MemoryError::NotALock { file: name.to_owned() });
        }
        let text = serde_json::to_string(holder).unwrap_or_default();
        let mut write = || {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(text.as_bytes())
        };
        write().map_err(|source| io("write", source))?;
        Ok(Self { file })
    }

    /// The holder of the memory folder's lock; `None` when it is free.
    pub fn holder(dir: &Dir) -> Option<LockHolder> {
        let (mut file, _) = open_regular(dir, FILE).ok()??;
        // The holder empties the file on release: most readers need not try the lock.
        read(&mut file)?;
        match file.try_lock_shared() {
            Ok(()) => None,
            Err(_) => read(&mut file),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // An empty file tells readers that the lock is free; the lock itself is released with the handle.
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(%error, "cannot empty the lock file");
        }
    }
}

/// A process that only checks whether the lock is held holds it for a moment, so retry.
fn try_lock(file: &File) -> Result<(), TryLockError> {
    const TRIES: u32 = 10;
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(2)),
            tried => return tried,
        }
    }
    file.try_lock()
}

fn open(dir: &Dir) -> std::io::Result<File> {
    if open_regular(dir, FILE)?.is_none() {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        match dir.open_with(FILE, &options) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).follow(FollowSymlinks::No).nonblock(true);
    let file = dir.open_with(FILE, &options)?;
    match file.metadata()?.is_file() {
        true => Ok(file.into_std()),
        false => Err(std::io::Error::other("it is not a regular file")),
    }
}

/// Whether the file is a lock of ours, so that it may be emptied: an archive can contain any file under this name.
/// After a power cut the content may be incomplete or zeros.
fn is_ours(file: &mut File) -> std::io::Result<bool> {
    const BEGINS: &[u8] = b"{\"pid\":";
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    let common = bytes.len().min(BEGINS.len());
    Ok((bytes[..common] == BEGINS[..common] && bytes.len() < MAX_BYTES as usize) || bytes.iter().all(|byte| *byte == 0))
}

fn read(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run: &str) -> LockHolder {
        LockHolder { pid: std::process::id(), run: run.to_owned() }
    }

    #[test]
    fn a_second_run_learns_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        assert_eq!(RunLock::holder(&dir), None);
        let first = RunLock::take(&dir, "memory/lock", &holder("one")).unwrap();
        let error = RunLock::take(&dir, "memory/lock", &holder("two")).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}, run one", std::process::id())), "{error}");
        assert_eq!(RunLock::holder(&dir), Some(holder("one")));
        drop(first);
        assert_eq!(RunLock::holder(&dir), None);
        RunLock::take(&dir, "memory/lock", &holder("two")).unwrap();
    }

    #[test]
    fn a_file_that_is_no_lock_of_ours_is_never_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        for text in ["pub mod lock;\n", "{\"version\": 1}", "{}", "\u{0}\u{0}x"] {
            dir.write(FILE, text).unwrap();
            let error = RunLock::take(&dir, "memory/lock", &holder("one")).unwrap_err().to_string();
            assert!(error.starts_with("memory/lock holds something else"), "{error}");
            assert_eq!(dir.read_to_string(FILE).unwrap(), text);
        }
        for text in ["", "{\"pi", "{\"pid\":12,\"run\":\"20260102", "{\"pid\":12,\"run\":\"x\"}", "\u{0}\u{0}"] {
            dir.write(FILE, text).unwrap();
            assert_eq!(RunLock::holder(&dir), None, "{text:?}: nobody holds it");
            RunLock::take(&dir, "memory/lock", &holder("one")).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_holder_on_another_machine_is_reported_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        // No process has the largest id there can be.
        let elsewhere = LockHolder { pid: i32::MAX as u32, run: "one".to_owned() };
        let _first = RunLock::take(&dir, "memory/lock", &elsewhere).unwrap();
        let error = RunLock::take(&dir, "memory/lock", &holder("two")).unwrap_err().to_string();
        assert!(error.contains("no such process here"), "{error}");
    }
}
