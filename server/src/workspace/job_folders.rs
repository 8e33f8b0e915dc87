//! The folders of a worker's jobs: below one of its process, with a lock, so that those of a worker that was killed are removed by
//! the next.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tempfile::TempDir;

/// How the folder of a process begins.
const PREFIX: &str = "worker-";
const LOCK: &str = "lock";

/// Makes folders for jobs.
pub struct JobFolders {
    /// Removed with this.
    own: TempDir,
    /// Held as long as the process lives.
    _lock: File,
}

/// The folder of one job. It goes with this.
pub struct JobFolder(TempDir);

impl JobFolders {
    /// Removes what workers left that are no more, and makes a folder for this one.
    ///
    /// # Errors
    /// When nothing can be made there.
    #[expect(clippy::disallowed_methods, reason = "the worker's own folders, in the user's cache")]
    pub fn open(parent: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(parent)?;
        for entry in std::fs::read_dir(parent)?.flatten() {
            let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            // Who holds the lock is at work; one that has none yet is young, and left.
            if is_ours && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
                // What cannot be removed now is removed by the next.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let own = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create(own.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self { own, _lock: lock })
    }

    /// A new folder, for nobody else to read.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new_one(&self) -> io::Result<JobFolder> {
        let folder = tempfile::Builder::new().prefix("job-").tempdir_in(self.own.path())?;
        // Where the user's cache lies in a repository, whose rules may well ignore it, those rules end here.
        Dir::open_ambient_dir(folder.path(), ambient_authority())?.create_dir(".git")?;
        Ok(JobFolder(folder))
    }
}

impl JobFolder {
    /// Where its tree is put.
    pub fn tree(&self) -> PathBuf {
        self.0.path().join("tree")
    }

    /// Makes an empty tree.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make_tree(&self) -> io::Result<PathBuf> {
        let tree = self.tree();
        Dir::create_ambient_dir_all(&tree, ambient_authority())?;
        Ok(tree)
    }

    /// The folder itself, for journals.
    ///
    /// # Errors
    /// When it is gone.
    pub fn dir(&self) -> io::Result<Dir> {
        Dir::open_ambient_dir(self.0.path(), ambient_authority())
    }

    /// A new file for what a check prints.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn check_log(&self, number: u32) -> io::Result<File> {
        Ok(self.dir()?.create(format!("check-{number}.log"))?.into_std())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_worker_left_goes_and_what_another_one_works_in_stays() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join("worker-dead");
        std::fs::create_dir_all(dead.join("job-1/tree")).unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        let first = JobFolders::open(parent.path()).unwrap();
        assert!(!dead.exists());
        let job = first.new_one().unwrap();
        let second = JobFolders::open(parent.path()).unwrap();
        assert!(job.make_tree().unwrap().exists() && second.new_one().is_ok());
    }
}
