use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use cap_std::fs::{Dir, OpenOptions};
use serde::{Deserialize, Serialize};

use super::error::{LockedBy, MemoryError};

const FILE: &str = "lock";

/// Who holds a workspace: the content of the lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// Process id.
    pub pid: u32,
    /// Run id.
    pub run: String,
}

/// The workspace, held for one run. Dropping it, or the end of the process however it comes, lets go.
#[derive(Debug)]
pub struct RunLock {
    file: File,
}

impl RunLock {
    /// Take the lock of a memory folder.
    ///
    /// # Errors
    /// [`MemoryError::Locked`] with the holder when another run has it.
    pub fn take(dir: &Dir, holder: &LockHolder) -> Result<Self, MemoryError> {
        let mut file = open(dir).map_err(|source| io("open", source))?;
        match try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read(&mut file);
                return Err(MemoryError::Locked(LockedBy {
                    pid: holder.as_ref().map(|holder| holder.pid),
                    run: holder.map(|holder| holder.run),
                }));
            }
            Err(TryLockError::Error(source)) => return Err(io("lock", source)),
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

    /// Who holds the lock of a memory folder now; `None` when nobody does.
    pub fn holder(dir: &Dir) -> Option<LockHolder> {
        let mut file = dir.open(FILE).ok()?.into_std();
        // Who lets go empties it: most who look need not touch the lock.
        read(&mut file)?;
        match file.try_lock_shared() {
            Ok(()) => None,
            Err(_) => read(&mut file),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // An empty file tells a reader that nobody is at work; the lock itself goes with the handle.
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(%error, "cannot empty the lock file");
        }
    }
}

/// Somebody who only looks whether it is held holds it too, for a moment.
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
    Ok(dir.open_with(FILE, OpenOptions::new().read(true).write(true).create(true).truncate(false))?.into_std())
}

fn read(file: &mut File) -> Option<LockHolder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn io(action: &'static str, source: std::io::Error) -> MemoryError {
    MemoryError::Io { action, file: FILE.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run: &str) -> LockHolder {
        LockHolder { pid: std::process::id(), run: run.to_owned() }
    }

    #[test]
    fn a_second_run_is_told_who_holds_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        assert_eq!(RunLock::holder(&dir), None);
        let first = RunLock::take(&dir, &holder("one")).unwrap();
        let error = RunLock::take(&dir, &holder("two")).unwrap_err().to_string();
        assert!(error.contains(&format!("pid {}, run one", std::process::id())), "{error}");
        assert_eq!(RunLock::holder(&dir), Some(holder("one")));
        drop(first);
        assert_eq!(RunLock::holder(&dir), None);
        RunLock::take(&dir, &holder("two")).unwrap();
    }
}
