//! The files that git tracks, as they are on disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use git2::{Index, IndexEntry, IndexEntryExtendedFlag, IndexEntryFlag, ObjectType, Oid, Repository, Tree};

use super::repository::{CheckpointError, Recorded, head_commit};
use crate::contracts::RepoPath;
use crate::workspace::beneath::{self, Blocked};
use crate::workspace::git::open::broken_index;
use crate::workspace::platform::{bytes_of_path, inode, path_of_bytes};
use crate::workspace::{Workspace, is_secret};

const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
/// The mode of a submodule; its object is a commit.
pub(super) const GITLINK: u32 = 0o160_000;

/// Files up to this size are read at once.
const WHOLE: u64 = 8 * 1024 * 1024;

/// The working tree of a repository.
pub(super) struct Tracked<'a> {
    repository: &'a Repository,
    index: Index,
    /// The top of the working tree.
    top: Dir,
    /// The workspace's path below the top: empty, or ending in `/`.
    prefix: Vec<u8>,
    memory: Vec<u8>,
    /// To recognise secrets under another name.
    workspace: Workspace,
    /// The tree of HEAD; `None` before the first commit.
    head: Option<Tree<'a>>,
    /// Whether executable bits are significant, and whether links are links.
    has_modes: bool,
    has_links: bool,
    /// When the index was written, in seconds and nanoseconds.
    index_time: Option<(i64, u32)>,
    /// The folder opened last: the index is sorted by folder.
    folder: RefCell<Option<(Vec<u8>, Option<Dir>)>>,
}

impl<'a> Tracked<'a> {
    pub(super) fn open(
        repository: &'a Repository,
        workspace: &Workspace,
        memory_dir: &RepoPath,
    ) -> Result<Self, CheckpointError> {
        let unavailable = |why: &str| CheckpointError::Unavailable(why.to_owned());
        let top = repository.workdir().ok_or_else(|| unavailable("it has no working tree"))?;
        let top = top.canonicalize().map_err(|error| unavailable(&format!("its working tree: {error}")))?;
        let below = workspace.root().strip_prefix(&top).ok().and_then(bytes_of_path);
        let mut prefix = below.ok_or_else(|| unavailable("its working tree is elsewhere"))?.into_owned();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let memory = [prefix.as_slice(), memory_dir.as_str().as_bytes()].concat();
        let top = Dir::open_ambient_dir(&top, ambient_authority());
        let head = head_commit(repository)?.map(|commit| commit.tree()).transpose()?;
        let config = repository.config()?;
        let index = repository.index().map_err(|error| unavailable(&broken_index(&error)))?;
        let index_time = index.path().and_then(|path| path.metadata().ok()).and_then(written_at);
        Ok(Self {
            repository,
            index,
            top: top.map_err(|error| unavailable(&format!("its working tree: {error}")))?,
            prefix,
            memory,
            workspace: workspace.clone(),
            head,
            has_modes: cfg!(unix) && config.get_bool("core.filemode").unwrap_or(true),
            has_links: config.get_bool("core.symlinks").unwrap_or(true),
            index_time,
            folder: RefCell::new(None),
        })
    }

    /// Every tracked file as it is on disk, by its name in the repository.
    pub(super) fn files(&self, stopped: &dyn Fn() -> bool) -> Result<BTreeMap<Vec<u8>, Recorded>, CheckpointError> {
        let mut files = BTreeMap::new();
        for entry in self.index.iter() {
            if stopped() {
                return Err(CheckpointError::Stopped);
            }
            // A file in conflict has several entries and is on disk once.
            if files.contains_key(&entry.path) {
                continue;
            }
            if let Some(recorded) = self.current(&entry)? {
                files.insert(entry.path, recorded);
            }
        }
        Ok(files)
    }

    /// The name in the repository of a path of the workspace.
    pub(super) fn name_of(&self, path: &RepoPath) -> Vec<u8> {
        [self.prefix.as_slice(), path.as_str().as_bytes()].concat()
    }

    /// Whether a name is the memory folder or is in it.
    pub(super) fn is_memory(&self, name: &[u8]) -> bool {
        name.strip_prefix(self.memory.as_slice()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// What is at a name now, with its bytes written to the repository; `None` if it is not a file.
    pub(super) fn record_from_disk(&self, name: &[u8]) -> Result<Option<Recorded>, CheckpointError> {
        let fault = |error: io::Error| fault(name, &error);
        match self.stat(name)? {
            Some((folder, file, metadata)) => self.record(&folder, &file, &metadata, None).map_err(fault),
            None => Ok(None),
        }
    }

    fn current(&self, entry: &IndexEntry) -> Result<Option<Recorded>, CheckpointError> {
        let as_in_index = Some((entry.id, entry.mode));
        let in_conflict = entry.flags & STAGE != 0;
        // The user set git's "assume unchanged" on it.
        let assumed = entry.flags & IndexEntryFlag::VALID.bits() != 0;
        if entry.mode == GITLINK {
            return Ok(Some((self.submodule_head(entry), GITLINK)));
        }
        if self.is_memory(&entry.path) || (assumed && !in_conflict) {
            return Ok(as_in_index);
        }
        if self.is_secret(&entry.path) {
            return Ok(self.as_committed(&entry.path));
        }
        let fault = |error: io::Error| fault(&entry.path, &error);
        match self.stat(&entry.path)? {
            None if entry.flags_extended & IndexEntryExtendedFlag::SKIP_WORKTREE.bits() != 0 => Ok(as_in_index),
            None => Ok(None),
            Some((_, _, metadata)) if !in_conflict && self.is_clean(entry, &metadata) => Ok(as_in_index),
            Some((folder, file, metadata)) => self.record(&folder, &file, &metadata, Some(entry)).map_err(fault),
        }
    }

    /// Whether a file is a secret by its name or by another of its names.
    pub(super) fn is_secret(&self, name: &[u8]) -> bool {
        let text = String::from_utf8_lossy(name);
        let below = name.strip_prefix(self.prefix.as_slice()).map(String::from_utf8_lossy);
        RepoPath::parse(&text).is_ok_and(|path| is_secret(&path))
            || below
                .and_then(|text| RepoPath::parse(&text).ok())
                .is_some_and(|path| self.workspace.is_secret_by_link(&path))
    }

    /// Secrets stay as committed; changes to them are not recorded.
    fn as_committed(&self, name: &[u8]) -> Option<Recorded> {
        let entry = self.head.as_ref()?.get_path(&path_of(name).ok()?).ok()?;
        let mode = u32::try_from(entry.filemode()).ok()?;
        Some((entry.id(), mode))
    }

    /// The current commit of a submodule; that of the index if it is not checked out.
    fn submodule_head(&self, entry: &IndexEntry) -> Oid {
        let Ok(Some((folder, name, _))) = self.stat(&entry.path) else { return entry.id };
        // An empty folder would lead to the surrounding repository.
        if !folder.exists(name.join(".git")) {
            return entry.id;
        }
        let path = path_of(&entry.path).ok().zip(self.repository.workdir()).map(|(path, top)| top.join(path));
        let head = path.and_then(|path| Repository::open(path).ok()).and_then(|inner| inner.head().ok()?.target());
        head.unwrap_or(entry.id)
    }

    /// The folder, the name in it, and the metadata of what is there; links are not followed.
    fn stat(&self, name: &[u8]) -> Result<Option<(Dir, PathBuf, Metadata)>, CheckpointError> {
        let fault = |error: io::Error| fault(name, &error);
        let split = name.iter().rposition(|byte| *byte == b'/');
        let (folder, file) = split.map_or((&[][..], name), |at| (&name[..at], &name[at + 1..]));
        let mut open = self.folder.borrow_mut();
        if open.as_ref().is_none_or(|(known, _)| known != folder) {
            *open = Some((folder.to_vec(), self.open_folder(folder).map_err(fault)?));
        }
        let Some((_, Some(dir))) = open.as_ref() else { return Ok(None) };
        let file = path_of(file)?;
        match dir.symlink_metadata(&file) {
            Ok(metadata) => Ok(Some((dir.try_clone().map_err(fault)?, file, metadata))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    fn open_folder(&self, folder: &[u8]) -> io::Result<Option<Dir>> {
        if folder.is_empty() {
            return self.top.try_clone().map(Some);
        }
        let path = path_of(folder).map_err(io::Error::other)?;
        match beneath::open_folder(&self.top, path.iter()) {
            Ok(dir) => Ok(Some(dir)),
            Err(Blocked::Link | Blocked::NotAFolder) => Ok(None),
            Err(Blocked::Io(error)) if is_absent(&error) => Ok(None),
            Err(Blocked::Io(error)) => Err(error),
        }
    }

    /// Writes a file's bytes, without filters, if they differ from the index.
    fn record(
        &self,
        folder: &Dir,
        name: &Path,
        metadata: &Metadata,
        known: Option<&IndexEntry>,
    ) -> io::Result<Option<Recorded>> {
        let write = |bytes: &[u8]| -> io::Result<Oid> {
            let id = Oid::hash_object(ObjectType::Blob, bytes).map_err(io::Error::other)?;
            if known.is_some_and(|known| known.id == id && known.flags & STAGE == 0) {
                return Ok(id);
            }
            self.repository.blob(bytes).map_err(io::Error::other)
        };
        if metadata.is_symlink() {
            let target = folder.read_link_contents(name)?;
            let target = bytes_of_path(&target).ok_or_else(|| io::Error::other("a link to an unnameable place"))?;
            return Ok(Some((write(&target)?, LINK)));
        }
        if !metadata.is_file() {
            return Ok(None);
        }
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let mut file = folder.open_with(name, &options)?;
        let id = if metadata.len() <= WHOLE {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            write(&bytes)?
        } else {
            let mut writer = self.repository.blob_writer(None).map_err(io::Error::other)?;
            io::copy(&mut file, &mut writer)?;
            writer.flush()?;
            writer.commit().map_err(io::Error::other)?
        };
        Ok(Some((id, self.mode(metadata, known))))
    }

    fn mode(&self, metadata: &Metadata, known: Option<&IndexEntry>) -> u32 {
        match known.map(|known| known.mode) {
            // Without links, a link is a file that holds its target.
            Some(LINK) if !self.has_links => LINK,
            Some(mode @ (FILE | EXECUTABLE)) if !self.has_modes => mode,
            _ if self.has_modes && is_executable(metadata) => EXECUTABLE,
            _ => FILE,
        }
    }

    /// Whether git would treat a file as unchanged without reading it ("racy git"): a file changed when the index was
    /// written, or later, has to be read.
    fn is_clean(&self, entry: &IndexEntry, metadata: &Metadata) -> bool {
        let mode = if metadata.is_symlink() { LINK } else { self.mode(metadata, Some(entry)) };
        let has_content = entry.flags_extended & IndexEntryExtendedFlag::INTENT_TO_ADD.bits() == 0;
        let is_older_than_index = self.index_time.is_some_and(|written| {
            (i64::from(entry.mtime.seconds()), entry.mtime.nanoseconds()) < written
                && (entry.mtime.nanoseconds() != 0 || i64::from(entry.mtime.seconds()) < written.0)
        });
        has_content && is_older_than_index && mode == entry.mode && same_stat(entry, metadata)
    }
}

/// The bits of an entry's flags for the side of a conflict.
const STAGE: u16 = 0x3000;

/// Git compares recorded file metadata, each value cut to 32 bits. Any difference only means that the file is read.
fn same_stat(entry: &IndexEntry, metadata: &Metadata) -> bool {
    let Some(inode) = inode(metadata) else { return false };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "so does git")]
    let cut = |number: i64| number as u32;
    #[expect(clippy::cast_sign_loss, reason = "so does git")]
    let same = |noted: git2::IndexTime, (seconds, nanoseconds): (i64, i64)| {
        noted.seconds() as u32 == cut(seconds) && (noted.nanoseconds() == 0 || noted.nanoseconds() == cut(nanoseconds))
    };
    same(entry.mtime, inode.modified)
        && same(entry.ctime, inode.changed)
        && u64::from(entry.file_size) == metadata.len() & u64::from(u32::MAX)
        && (entry.ino == 0 || u64::from(entry.ino) == inode.number & u64::from(u32::MAX))
}

fn written_at(file: std::fs::Metadata) -> Option<(i64, u32)> {
    let (seconds, nanoseconds) = inode(&Metadata::from_just_metadata(file))?.modified;
    Some((seconds, u32::try_from(nanoseconds).ok()?))
}

fn is_executable(metadata: &Metadata) -> bool {
    inode(metadata).is_some_and(|inode| inode.mode & 0o100 != 0)
}

/// A name in the repository as a path: `/` between folders.
pub(super) fn path_of(name: &[u8]) -> Result<PathBuf, CheckpointError> {
    path_of_bytes(name).map_err(|error| fault(name, &error))
}

fn fault(name: &[u8], error: &io::Error) -> CheckpointError {
    CheckpointError::File { path: String::from_utf8_lossy(name).into_owned(), why: error.to_string() }
}

/// A file in place of a parent folder also means that nothing is there.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
