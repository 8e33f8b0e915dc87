//! `Workspace`: the handle on the root that all access goes through.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};

use super::beneath::{self, Blocked};
use super::buffers::OpenBuffers;
use super::error::WorkspaceError;
use super::file_state::{FileState, MAX_FILE_BYTES, sha256};
use super::ignored::IgnoreFiles;
use super::ownership::Owner;
use super::platform::{self, inode};
use super::protect::{SecretInodes, is_secret, never_by_name};
use super::tree::Keys;
use crate::contracts::RepoPath;

/// The folder that is worked on. Cheap to clone.
///
/// It holds a handle on the folder, not its name: links are followed only inside, and a folder that is moved is still
/// the one that was opened.
#[derive(Debug, Clone)]
pub struct Workspace {
    inner: Arc<Inner>,
    /// The editor's open documents, if there is an editor.
    pub(super) buffers: Option<OpenBuffers>,
    keys: Keys,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    dir: Dir,
    ignore_files: IgnoreFiles,
    secret_inodes: SecretInodes,
}

impl Workspace {
    /// Opens a folder by any path to it.
    ///
    /// # Errors
    /// When it does not exist, is not a folder or may not be read.
    pub fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => WorkspaceError::Missing(path.to_owned()),
            io::ErrorKind::PermissionDenied => WorkspaceError::Denied(path.to_owned()),
            io::ErrorKind::NotADirectory => WorkspaceError::NotAFolder(path.to_owned()),
            _ => WorkspaceError::Open { path: path.to_owned(), source },
        };
        let root = path.canonicalize().map_err(fault)?;
        if !root.metadata().map_err(fault)?.is_dir() {
            return Err(WorkspaceError::NotAFolder(path.to_owned()));
        }
        let dir = Dir::open_ambient_dir(&root, ambient_authority()).map_err(fault)?;
        // A folder without read permission can still be opened.
        dir.entries().map_err(fault)?;
        Ok(Self {
            inner: Arc::new(Inner {
                root,
                dir,
                ignore_files: IgnoreFiles::default(),
                secret_inodes: SecretInodes::default(),
            }),
            buffers: None,
            keys: Keys::default(),
        })
    }

    /// With keys that are masked in what leaves this machine.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Keys that are masked in what leaves this machine.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The real path of the root.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The handle for all access.
    pub(super) fn dir(&self) -> &Dir {
        &self.inner.dir
    }

    /// The cache of rule files.
    pub(super) fn ignore_files(&self) -> &IgnoreFiles {
        &self.inner.ignore_files
    }

    /// Whether a file is a secret under another name: a hard link to a secret is one. (For its own name see
    /// [`is_secret`].)
    pub fn is_secret_by_link(&self, path: &RepoPath) -> bool {
        let metadata = self.dir().symlink_metadata(path.as_str());
        metadata.is_ok_and(|metadata| self.is_secret_inode(&metadata))
    }

    /// Whether a file with this metadata is a secret, under whatever name it was opened.
    pub(super) fn is_secret_inode(&self, metadata: &Metadata) -> bool {
        self.inner.secret_inodes.contain(self.root(), metadata)
    }

    /// Whether it is a regular file; links inside the workspace are followed.
    pub fn is_file(&self, path: &RepoPath) -> bool {
        self.dir().metadata(self.on_disk(path).as_str()).is_ok_and(|metadata| metadata.is_file())
    }

    /// Whether it is a folder; links inside the workspace are followed.
    pub fn is_folder(&self, path: &RepoPath) -> bool {
        self.dir().metadata(self.on_disk(path).as_str()).is_ok_and(|metadata| metadata.is_dir())
    }

    /// Checks whether files may be created in a folder, or in the root.
    ///
    /// # Errors
    /// The system's reason against it.
    pub fn check_writable(&self, folder: Option<&RepoPath>) -> io::Result<()> {
        let folder = folder.map_or(".", RepoPath::as_str);
        platform::check_writable(self.dir(), folder)
    }

    /// The real path with links followed and the disk's names; `None` if nothing is there.
    ///
    /// # Errors
    /// When a link leads out of the workspace, or the real place has a name that no [`RepoPath`] can have.
    pub fn real_path(&self, path: &RepoPath) -> Result<Option<RepoPath>, WorkspaceError> {
        let io = |source| WorkspaceError::Io { path: path.clone(), source };
        let asked = self.on_disk(path);
        let real = match self.dir().canonicalize(asked.as_str()) {
            Ok(real) => real,
            Err(error) if is_absent(&error) => return Ok(None),
            // This is how an escape is refused.
            Err(error) if self.has_link(path) && error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(WorkspaceError::Outside(path.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                return Err(WorkspaceError::Outside(path.clone()));
            }
            Err(error) => return Err(io(error)),
        };
        let named = real.to_str().and_then(|text| RepoPath::parse(text).ok());
        // A link may spell its target differently from the disk.
        let spelled = |named: RepoPath| if named == asked { named } else { self.on_disk(&named) };
        named.map(|named| Some(spelled(named))).ok_or_else(|| WorkspaceError::NotAFile(path.clone()))
    }

    /// Reads a file; `None` if it does not exist. Links are followed inside the workspace, but never to secrets, `.git`
    /// or the memory folder.
    ///
    /// # Errors
    /// When it is not a regular file, too large, outside, guarded or unreadable.
    pub fn read(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        let Some(real) = self.real_path(path)? else { return Ok(None) };
        if real != *path && (is_secret(&real) || never_by_name(&real)) {
            return Err(WorkspaceError::Guarded { path: path.clone(), target: real });
        }
        self.read_in_place(&real)
    }

    /// Reads a file at its real path: no component may be a link.
    pub(super) fn read_in_place(&self, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
        let io = |source| WorkspaceError::Io { path: path.clone(), source };
        let folder = match beneath::open_parent(self.dir(), path) {
            Ok(folder) => folder,
            Err(Blocked::Link) => return Err(WorkspaceError::Link(path.clone())),
            Err(Blocked::NotAFolder) => return Ok(None),
            Err(Blocked::Io(error)) if is_absent(&error) => return Ok(None),
            Err(Blocked::Io(error)) => return Err(io(error)),
        };
        // Check the kind before opening: opening a pipe blocks, and opening a device may have effects.
        match folder.symlink_metadata(path.file_name()) {
            Ok(metadata) if metadata.is_symlink() => return Err(WorkspaceError::Link(path.clone())),
            Ok(metadata) => check_kind(path, &metadata)?,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(io(error)),
        }
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let mut file = match folder.open_with(path.file_name(), &options) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let metadata = file.metadata().map_err(io)?;
        check_kind(path, &metadata)?;
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
        Read::by_ref(&mut file).take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(WorkspaceError::TooLarge { path: path.clone(), bytes: bytes.len() as u64 });
        }
        Ok(Some(FileState { sha256: sha256(&bytes), bytes, mode: mode(&metadata), owner: Owner::of(&metadata) }))
    }

    /// Opens a folder, created if missing. No component may be a link.
    ///
    /// # Errors
    /// When a component is a link or a file, or the folder cannot be created.
    pub fn folder(&self, path: &RepoPath) -> Result<Dir, WorkspaceError> {
        beneath::create_folder(self.dir(), path.components()).map_err(|blocked| blocked.at(path))
    }

    /// Refuses a path that cannot be written: behind a link, or where something other than a regular file is.
    pub(super) fn check_in_place(&self, path: &RepoPath) -> Result<(), WorkspaceError> {
        match beneath::open_parent(self.dir(), path) {
            Ok(folder) => match folder.symlink_metadata(path.file_name()) {
                Ok(metadata) if metadata.is_symlink() => Err(WorkspaceError::Link(path.clone())),
                Ok(metadata) if !metadata.is_file() => Err(WorkspaceError::NotAFile(path.clone())),
                Err(error) if !is_absent(&error) => Err(WorkspaceError::Io { path: path.clone(), source: error }),
                _ => Ok(()),
            },
            Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(blocked) => Err(blocked.at(path)),
        }
    }

    fn has_link(&self, path: &RepoPath) -> bool {
        let mut prefix = String::new();
        path.components().any(|component| {
            if !prefix.is_empty() {
                prefix.push('/');
            }
            prefix.push_str(component);
            self.dir().symlink_metadata(&prefix).is_ok_and(|metadata| metadata.is_symlink())
        })
    }
}

pub(super) fn check_kind(path: &RepoPath, metadata: &Metadata) -> Result<(), WorkspaceError> {
    if !metadata.is_file() {
        return Err(WorkspaceError::NotAFile(path.clone()));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(WorkspaceError::TooLarge { path: path.clone(), bytes: metadata.len() });
    }
    Ok(())
}

/// A file in place of a parent folder also means that nothing is there.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The permission bits of a file; 0644 where the system has none.
pub(super) fn mode(metadata: &Metadata) -> u32 {
    // Set-user-id and similar bits do not survive a change of content, as with any writer.
    inode(metadata).map_or(0o644, |inode| inode.mode & 0o777)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, path};
    use super::*;

    #[test]
    fn each_kind_of_unusable_root_has_its_error() {
        let fixture = Fixture::new("//- /a.txt\nx\n");
        let missing = Workspace::open(&fixture.root().join("nowhere")).unwrap_err();
        assert!(matches!(missing, WorkspaceError::Missing(_)), "{missing}");
        let file = Workspace::open(&fixture.root().join("a.txt")).unwrap_err();
        assert!(file.to_string().contains("is not a folder"), "{file}");
    }

    #[test]
    fn reads_content_hash_and_absence() {
        let fixture = Fixture::new("//- /src/a.rs\nfn a() {}\n");
        let workspace = fixture.workspace();
        let state = workspace.read(&path("src/a.rs")).unwrap().unwrap();
        assert_eq!(state.bytes, b"fn a() {}\n");
        assert_eq!(state.sha256, sha256(b"fn a() {}\n"));
        for absent in ["src/b.rs", "nowhere/b.rs", "src/a.rs/b"] {
            assert_eq!(workspace.read(&path(absent)).unwrap(), None, "{absent}");
        }
        assert!(workspace.is_file(&path("src/a.rs")) && !workspace.is_file(&path("src")));
        assert!(matches!(workspace.read(&path("src")), Err(WorkspaceError::NotAFile(_))));
    }

    #[test]
    fn the_hash_is_hex_sha256() {
        // FIPS 180-2, the empty message.
        assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_huge_file_is_refused_without_being_read() {
        let fixture = Fixture::new("");
        let file = std::fs::File::create(fixture.root().join("huge")).unwrap();
        file.set_len(1 << 40).unwrap();
        assert!(matches!(fixture.workspace().read(&path("huge")), Err(WorkspaceError::TooLarge { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_and_nowhere_else() {
        let fixture = Fixture::new("//- /src/a.rs\nin\n//- /.git/config\ntoken\n//- /.env\nKEY=1\n");
        std::fs::write(fixture.outside().join("secret.txt"), "out").unwrap();
        fixture.link("src/a.rs", "inside");
        fixture.link("src", "folder");
        fixture.link("../secret.txt", "up");
        fixture.link("/etc/hostname", "absolute");
        fixture.link("..", "parent");
        fixture.link(".git", "dotgit");
        fixture.link(".env", "environment");
        fixture.link("loop", "loop");
        fixture.link("nowhere", "dangling");
        let workspace = fixture.workspace();
        let read = |name: &str| workspace.read(&path(name));
        assert_eq!(read("inside").unwrap().unwrap().bytes, b"in\n");
        assert_eq!(read("folder/a.rs").unwrap().unwrap().bytes, b"in\n");
        assert_eq!(read("dangling").unwrap(), None);
        for out in ["up", "absolute", "parent/secret.txt", "parent/work/src/a.rs"] {
            assert!(matches!(read(out), Err(WorkspaceError::Outside(_))), "{out}: {:?}", read(out));
        }
        for guarded in ["dotgit/config", "environment"] {
            assert!(matches!(read(guarded), Err(WorkspaceError::Guarded { .. })), "{guarded}: {:?}", read(guarded));
        }
        assert!(read("loop").is_err());
        for behind in ["inside", "folder/a.rs", "folder/new.rs", "dangling", "up", "dotgit/config"] {
            let refused = workspace.check_in_place(&path(behind));
            assert!(matches!(refused, Err(WorkspaceError::Link(_))), "{behind}: {refused:?}");
            assert!(matches!(workspace.read_in_place(&path(behind)), Err(WorkspaceError::Link(_))), "{behind}");
        }
        assert!(workspace.check_in_place(&path("new/deep/a.rs")).is_ok());
        assert!(workspace.check_in_place(&path("src/a.rs/b")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_made_beneath_but_never_through_a_link() {
        let fixture = Fixture::new("//- /file\nx\n");
        fixture.link("..", "parent");
        let workspace = fixture.workspace();
        workspace.folder(&path(".agent_memory/runs")).unwrap().write("x", "y").unwrap();
        assert_eq!(fixture.read(".agent_memory/runs/x").unwrap(), b"y");
        assert!(matches!(workspace.folder(&path("parent/made")), Err(WorkspaceError::Link(_))));
        assert!(matches!(workspace.folder(&path("file/made")), Err(WorkspaceError::NotAFolderInside(_))));
        assert!(!fixture.outside().join("made").exists());
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_sockets_are_not_waited_for() {
        let fixture = Fixture::new("");
        rustix::fs::mkfifoat(fixture.dir(), "pipe", rustix::fs::Mode::RUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(fixture.root().join("socket")).unwrap();
        let workspace = fixture.workspace();
        for name in ["pipe", "socket"] {
            assert!(matches!(workspace.read(&path(name)), Err(WorkspaceError::NotAFile(_))), "{name}");
            assert!(!workspace.is_file(&path(name)));
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_is_read() {
        let fixture = Fixture::new("//- /run.sh\n#!/bin/sh\n");
        fixture.set_mode("run.sh", 0o755);
        assert_eq!(fixture.workspace().read(&path("run.sh")).unwrap().unwrap().mode, 0o755);
    }
}
