//! Removes locks of Baton's references that a killed run left behind.

use std::io;
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::repository::{CheckpointError, REFS, open};
use crate::workspace::Workspace;

/// The age from which a lock of another workspace's run is removed: worktrees of one repository share their references.
const FOREIGN_LOCK_AGE: Duration = Duration::from_secs(60 * 60);

/// Removes the locks of Baton's references, `refs/baton/<run>/….lock`, that a killed run left, and returns their
/// number. While a lock exists, neither git nor Baton can remove the reference.
///
/// `is_ours` tells the runs of this workspace; the caller holds its lock, so none of them is active. Nothing outside
/// `refs/baton` is touched.
///
/// # Errors
/// When the repository cannot be opened, or a lock cannot be removed.
pub fn sweep_locks(workspace: &Workspace, is_ours: &dyn Fn(&str) -> bool) -> Result<usize, CheckpointError> {
    let Some(repository) = open(workspace)? else { return Ok(0) };
    let fault = |error: io::Error| CheckpointError::Git(format!("{REFS}: {error}"));
    // Stay inside the repository: a folder may be a link.
    let folder = match Dir::open_ambient_dir(repository.commondir(), ambient_authority()) {
        Ok(common) => match common.open_dir(REFS) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(fault(error)),
        },
        Err(error) => return Err(fault(error)),
    };
    let mut removed = 0;
    for run in folder.entries().map_err(fault)?.flatten() {
        if !run.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let (Ok(dir), Ok(name)) = (run.open_dir(), run.file_name().into_string()) else { continue };
        for entry in dir.entries().map_err(fault)?.flatten() {
            let file = entry.file_name();
            let is_lock = entry.file_type().is_ok_and(|kind| kind.is_file())
                && file.to_str().is_some_and(|file| file.ends_with(".lock"));
            if !is_lock || !(is_ours(&name) || is_old(&entry)) {
                continue;
            }
            match dir.remove_file(&file) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(fault(error)),
            }
        }
    }
    Ok(removed)
}

fn is_old(entry: &cap_std::fs::DirEntry) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified()).map(cap_std::time::SystemTime::into_std);
    modified.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > FOREIGN_LOCK_AGE))
}
