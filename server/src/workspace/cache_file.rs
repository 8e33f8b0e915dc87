//! Files in the user's cache: outside of every workspace, private to the user, and worth nothing but time.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::bounded::read_bounded;
use super::durable::replace;
use super::file_state::sha256;

/// Most files of a folder that are looked at.
const MOST_FILES: usize = 10_000;

/// A file in a folder of the user's cache that holds what was made of one workspace.
#[derive(Debug, Clone)]
pub struct CacheFile {
    folder: PathBuf,
    name: String,
    /// The largest size of all files of the folder together, in bytes.
    most_bytes: u64,
}

impl CacheFile {
    /// The file of a workspace in this folder, which the first write creates. Whenever a file is written, the oldest of the
    /// folder are removed until all have at most `most_bytes` together.
    pub fn of(folder: &Path, workspace: &Path, most_bytes: u64) -> Self {
        let name = sha256(workspace.as_os_str().as_encoded_bytes());
        Self { folder: folder.to_owned(), name, most_bytes }
    }

    /// What is in it, if it can be read and has at most so many bytes.
    pub fn read(&self, most_bytes: u64) -> Option<Vec<u8>> {
        let folder = Dir::open_ambient_dir(&self.folder, ambient_authority()).ok()?;
        read_bounded(&folder, &self.name, most_bytes).ok()?
    }

    /// Replaces what is in it, atomically.
    ///
    /// # Errors
    /// When it cannot be written; what was there is then unchanged.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        Dir::create_ambient_dir_all(&self.folder, ambient_authority())?;
        let folder = Dir::open_ambient_dir(&self.folder, ambient_authority())?;
        replace(&folder, &self.name, bytes, 0o600)?;
        self.make_room(&folder, bytes.len() as u64)
    }

    fn make_room(&self, folder: &Dir, mut kept: u64) -> io::Result<()> {
        let mut files: Vec<(SystemTime, u64, String)> = Vec::new();
        for entry in folder.entries()?.take(MOST_FILES) {
            let entry = entry?;
            let metadata = entry.metadata()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if metadata.is_file() && name != self.name {
                let written = metadata.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
                files.push((written, metadata.len(), name));
            }
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        for (_, size, name) in files {
            kept = kept.saturating_add(size);
            if kept > self.most_bytes {
                folder.remove_file(&name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_file_is_private_and_bounded_and_nothing_where_it_cannot_be_read() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("cache/maps");
        let file = |workspace: &str| CacheFile::of(&folder, Path::new(workspace), 10);
        assert_eq!(file("/a").read(100), None);
        file("/a").write(b"12345678").unwrap();
        assert_eq!(file("/a").read(100).as_deref(), Some(&b"12345678"[..]));
        assert_eq!((file("/a").read(7), file("/b").read(100)), (None, None));
        let old = folder.join(&file("/a").name);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&old).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let past = SystemTime::now() - std::time::Duration::from_secs(3600);
        std::fs::File::options().write(true).open(&old).unwrap().set_modified(past).unwrap();
        file("/b").write(b"123").unwrap();
        file("/c").write(b"123").unwrap();
        assert_eq!(file("/a").read(100), None, "the oldest gave way");
        assert!(file("/b").read(100).is_some() && file("/c").read(100).is_some());
        std::fs::remove_file(folder.join(&file("/b").name)).unwrap();
        std::fs::create_dir(folder.join(&file("/b").name)).unwrap();
        assert_eq!(file("/b").read(100), None);
        assert!(file("/b").write(b"1").is_err());
    }
}
