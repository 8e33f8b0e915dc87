//! plan.json, locked while it is implemented.

use cap_std::fs::Dir;
use sha2::{Digest, Sha256};

use super::error::MemoryError;
use super::platform;
use crate::contracts::{Handoff, MAX_HANDOFF_BYTES, PlanOutput};
use crate::workspace::read_bounded;

/// plan.json, locked while it is implemented: read-only on disk, and its hash is checked before every step.
///
/// Dropping it restores write access however the phase ends; [`PlanLock::release`] does so after a kill.
pub struct PlanLock {
    dir: Dir,
    file: String,
    sha256: String,
}

impl PlanLock {
    /// Locks the plan with this hash. `file` is plan.json's path for messages.
    ///
    /// # Errors
    /// When plan.json has a different hash, or its mode cannot be changed.
    pub fn engage(dir: &Dir, file: String, sha256: &str) -> Result<Self, MemoryError> {
        let dir = dir.try_clone().map_err(|source| MemoryError::Io { action: "open", file: file.clone(), source })?;
        let lock = Self { dir, file, sha256: sha256.to_owned() };
        set_read_only(&lock.dir, true).map_err(|source| MemoryError::Io {
            action: "lock",
            file: lock.file.clone(),
            source,
        })?;
        lock.check()?;
        Ok(lock)
    }

    /// SHA-256 of the plan, in hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Checks that plan.json is still the approved plan.
    ///
    /// # Errors
    /// [`MemoryError::PlanChanged`] when it is not.
    pub fn check(&self) -> Result<(), MemoryError> {
        match read_bounded(&self.dir, PlanOutput::FILE, MAX_HANDOFF_BYTES) {
            Ok(Some(bytes)) if digest(&bytes) == self.sha256 => Ok(()),
            _ => Err(MemoryError::PlanChanged { file: self.file.clone() }),
        }
    }

    /// Restores write access after a run that could not do so itself.
    pub fn release(dir: &Dir) {
        if let Err(error) = set_read_only(dir, false)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot make plan.json writable again");
        }
    }
}

impl Drop for PlanLock {
    fn drop(&mut self) {
        Self::release(&self.dir);
    }
}

/// SHA-256 in hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn set_read_only(dir: &Dir, is_read_only: bool) -> std::io::Result<()> {
    // Leave the mode of anything but a regular file alone, such as of a link.
    match dir.symlink_metadata(PlanOutput::FILE)? {
        metadata if metadata.is_file() => platform::set_read_only(dir, PlanOutput::FILE, is_read_only),
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use cap_std::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_plan_is_read_only_until_the_lock_goes() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let mode = || dir.metadata("plan.json").unwrap().permissions().mode() & 0o777;
        dir.write("plan.json", "{}").unwrap();
        let lock = PlanLock::engage(&dir, "plan.json".into(), &digest(b"{}")).unwrap();
        assert_eq!(mode(), 0o444);
        lock.check().unwrap();
        dir.remove_file("plan.json").unwrap();
        dir.write("plan.json", "{ }").unwrap();
        assert!(matches!(lock.check(), Err(MemoryError::PlanChanged { .. })));
        drop(lock);
        assert_eq!(mode(), 0o644);
    }

    #[test]
    fn another_plan_is_not_locked() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        dir.write("plan.json", "{}").unwrap();
        assert!(PlanLock::engage(&dir, "plan.json".into(), "other").is_err());
        assert_eq!(dir.metadata("plan.json").unwrap().permissions().mode() & 0o777, 0o644);
    }
}
