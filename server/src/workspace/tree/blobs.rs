//! Where contents are kept by their hash: a folder of a worker.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use crate::contracts::MAX_TREE_FILE_BYTES;
use crate::workspace::bounded::{ReadFault, open_regular, read_bounded};
use crate::workspace::platform::{make_private, make_private_folder};
use crate::workspace::sha256;

/// The ending of a file that is being written.
const UNFINISHED: &str = ".tmp";

/// After this time nobody writes an unfinished file any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Contents by their SHA-256 in hex.
pub trait BlobStore {
    /// Stores a content whose hash was compared.
    ///
    /// # Errors
    /// When it cannot be written.
    fn put(&mut self, sha256: &str, bytes: &[u8]) -> Result<(), BlobError>;

    /// A content, compared with its hash; `None` if it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn get(&mut self, sha256: &str) -> Result<Option<Vec<u8>>, BlobError>;

    /// Whether a content is there, and will be needed: it counts as used.
    fn has(&mut self, sha256: &str) -> bool;
}

/// Why contents cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full.
    #[error("the disk that holds {} is full, or a quota is used up; make room there", .0.display())]
    Full(PathBuf),
    /// The system failed.
    #[error("{} cannot be used: {source}", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl BlobError {
    /// An error of the system in a folder.
    pub(super) fn of(folder: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(folder.to_owned()),
            _ => Self::Io { folder: folder.to_owned(), source },
        }
    }
}

/// Whether a text is a SHA-256 in hex as it is written here.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// A folder with a file for each content, which several processes may use at once. Worth nothing but time: a file that is
/// damaged is removed when it is read. Nothing is synced.
#[derive(Debug)]
pub struct BlobCache {
    folder: PathBuf,
    dir: Dir,
    most_bytes: u64,
    /// Bytes that were in it when it was last looked through, and those written since.
    held: u64,
}

impl BlobCache {
    /// Opens a folder, which is made if it is missing, for its owner alone: it holds source code. Once its files have more than `most_bytes` together, those that were
    /// not used for the longest time are removed; a limit below that of a tree has every tree sent anew.
    ///
    /// # Errors
    /// When it cannot be made, opened or listed.
    pub fn open(folder: &Path, most_bytes: u64) -> Result<Self, BlobError> {
        let io = |error| BlobError::of(folder, error);
        make_private_folder(folder).map_err(io)?;
        let dir = Dir::open_ambient_dir(folder, ambient_authority()).map_err(io)?;
        let mut cache = Self { folder: folder.to_owned(), dir, most_bytes, held: 0 };
        cache.sweep()?;
        Ok(cache)
    }

    /// Removes what was not used for the longest time, once there is too much, and a bit more, so that it need not be done for
    /// each file.
    fn sweep(&mut self) -> Result<(), BlobError> {
        let io = |error| BlobError::of(&self.folder, error);
        let now = SystemTime::now();
        let mut files: Vec<(SystemTime, u64, String)> = Vec::new();
        let mut held = 0_u64;
        for entry in self.dir.entries().map_err(io)? {
            let entry = entry.map_err(io)?;
            // Another process may have removed it.
            let (Some(name), Ok(metadata)) = (entry.file_name().to_str().map(str::to_owned), entry.metadata()) else {
                continue;
            };
            let used = metadata.modified().map_or(SystemTime::UNIX_EPOCH, cap_std::time::SystemTime::into_std);
            let is_abandoned = name.ends_with(UNFINISHED)
                && metadata.is_file()
                && now.duration_since(used).is_ok_and(|age| age > ABANDONED);
            if is_abandoned {
                removed(self.dir.remove_file(&name)).map_err(io)?;
            } else if metadata.is_file() && is_hash(&name) {
                held = held.saturating_add(metadata.len());
                files.push((used, metadata.len(), name));
            }
        }
        if held > self.most_bytes {
            let goal = self.most_bytes - self.most_bytes / 8;
            files.sort_unstable();
            for (_, size, name) in files {
                if held <= goal {
                    break;
                }
                removed(self.dir.remove_file(&name)).map_err(io)?;
                held = held.saturating_sub(size);
            }
        }
        self.held = held;
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temp = format!("{:016x}{UNFINISHED}", fastrand::u64(..));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No);
        make_private(&mut options);
        let mut file = self.dir.open_with(&temp, &options)?;
        let written = file.write_all(bytes).and_then(|()| {
            drop(file);
            self.dir.rename(&temp, &self.dir, name)
        });
        if written.is_err() {
            // The first error is the one to report.
            let _ = self.dir.remove_file(&temp);
        }
        written
    }

    /// Marks a file as used, if it is there.
    fn touch(&self, name: &str) -> bool {
        let Ok(Some((file, _))) = open_regular(&self.dir, name) else { return false };
        // Where that cannot be set, it is taken for older than it is.
        let _ = file.set_modified(SystemTime::now());
        true
    }
}

impl BlobStore for BlobCache {
    fn put(&mut self, sha256: &str, bytes: &[u8]) -> Result<(), BlobError> {
        if !is_hash(sha256) {
            return Err(BlobError::of(&self.folder, io::Error::other("a content has a name that is no SHA-256")));
        }
        self.write(sha256, bytes).map_err(|error| BlobError::of(&self.folder, error))?;
        self.held = self.held.saturating_add(bytes.len() as u64);
        if self.held > self.most_bytes { self.sweep() } else { Ok(()) }
    }

    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BlobError> {
        if !is_hash(name) {
            return Ok(None);
        }
        match read_bounded(&self.dir, name, MAX_TREE_FILE_BYTES) {
            Ok(Some(bytes)) if sha256(&bytes) == name => {
                self.touch(name);
                Ok(Some(bytes))
            }
            Ok(None) => Ok(None),
            Err(ReadFault::Io(error)) => Err(BlobError::of(&self.folder, error)),
            // It was damaged, or something else stands there.
            _ => {
                removed(self.dir.remove_file(name)).map_err(|error| BlobError::of(&self.folder, error))?;
                Ok(None)
            }
        }
    }

    fn has(&mut self, sha256: &str) -> bool {
        is_hash(sha256) && self.touch(sha256)
    }
}

/// What another process has removed is removed.
fn removed(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}
