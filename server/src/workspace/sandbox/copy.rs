//! A copy of the workspace, for where no overlay can be laid over it.
//!
//! Names, contents, permissions and times of change are kept: a build asks for these. Sockets, pipes and devices are left
//! out, and so are the contents of what the command does not see or sees as the real one.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Gid, Mode, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat, chownat, symlinkat, utimensat};
use rustix::process::geteuid;
use tokio_util::sync::CancellationToken;

use super::room::Tree;
use super::scratch::Scratch;
use crate::workspace::Workspace;

/// The most bytes that are copied.
const MAX_BYTES: u64 = 2 << 30;

/// The most files and folders that are copied.
const MAX_FILES: usize = 200_000;

/// Folders in one another: for each, two handles are open.
const MAX_DEPTH: usize = 200;

/// Copies the workspace, without what is hidden or is the real one.
pub(super) fn copy_workspace(
    workspace: &Workspace,
    scratch: &Scratch,
    hidden: &[OsString],
    through: &[String],
    cancel: &CancellationToken,
) -> Result<Tree, String> {
    let folder = scratch.path().join("tree");
    let hidden = hidden.iter().filter_map(|path| Path::new(path).strip_prefix(workspace.root()).ok());
    let mut left_out: HashSet<PathBuf> = hidden.map(Path::to_owned).chain(through.iter().map(PathBuf::from)).collect();
    // The cache may lie in the workspace, and the copy in itself.
    let real = scratch.path().canonicalize().map_err(|error| error.to_string())?;
    left_out.extend(real.strip_prefix(workspace.root()).map(Path::to_owned));
    let copied = copy_tree(workspace.dir(), &folder, &left_out, cancel);
    copied.map_err(|error| format!("the workspace cannot be copied: {error}"))?;
    Ok(Tree::Copy(folder.into()))
}

/// Copies all that is in a folder into a new one. Of the paths in `left_out`, which begin at the folder, there is a file or
/// a folder with nothing in it.
fn copy_tree(from: &Dir, to: &Path, left_out: &HashSet<PathBuf>, cancel: &CancellationToken) -> io::Result<()> {
    copy_within(from, to, left_out, (MAX_BYTES, MAX_FILES), cancel)
}

fn copy_within(
    from: &Dir,
    to: &Path,
    left_out: &HashSet<PathBuf>,
    (bytes, files): (u64, usize),
    cancel: &CancellationToken,
) -> io::Result<()> {
    fs::create_dir(to)?;
    let parent = Dir::open_ambient_dir(to.parent().unwrap_or(Path::new("/")), ambient_authority())?;
    let made = Dir::open_ambient_dir(to, ambient_authority())?;
    let mut copier = Copier { left_out, bytes, files, is_root: geteuid().is_root(), cancel };
    copier.folder(from, &made, Path::new(""), 0)?;
    copier.dress(&parent, to.file_name().unwrap_or_default(), &from.dir_metadata()?)
}

struct Copier<'a> {
    left_out: &'a HashSet<PathBuf>,
    /// How much may still be copied.
    bytes: u64,
    files: usize,
    is_root: bool,
    cancel: &'a CancellationToken,
}

impl Copier<'_> {
    fn folder(&mut self, from: &Dir, to: &Dir, below: &Path, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other(format!("{}: more than {MAX_DEPTH} folders in one another", below.display())));
        }
        for entry in from.entries()? {
            let name = entry?.file_name();
            let path = below.join(&name);
            match self.entry(from, to, &name, &path, depth) {
                // It was removed while its folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.raw_os_error().is_some() => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
                done => done?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, from: &Dir, to: &Dir, name: &OsStr, path: &Path, depth: usize) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("it was cancelled"));
        }
        self.files = self
            .files
            .checked_sub(1)
            .ok_or_else(|| io::Error::other(format!("it holds more than {MAX_FILES} files, too many to be copied")))?;
        let metadata = from.symlink_metadata(name)?;
        let kind = metadata.file_type();
        let is_left_out = self.left_out.contains(path);
        if kind.is_dir() {
            to.create_dir(name)?;
            if !is_left_out && let Some(inner) = readable(from.open_dir_nofollow(name))? {
                self.folder(&inner, &to.open_dir_nofollow(name)?, path, depth + 1)?;
            }
        } else if kind.is_file() {
            self.file(from, to, name, &metadata, is_left_out)?;
        } else if kind.is_symlink() {
            let target = OsString::from_vec(rustix::fs::readlinkat(from, name, Vec::new())?.into_bytes());
            symlinkat(&target, to, name)?;
        } else {
            return Ok(());
        }
        self.dress(to, name, &metadata)
    }

    fn file(&mut self, from: &Dir, to: &Dir, name: &OsStr, metadata: &Metadata, is_left_out: bool) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).follow(FollowSymlinks::No).mode(0o600);
        let mut made = to.open_with(name, &options)?.into_std();
        if is_left_out {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let Some(source) = readable(from.open_with(name, &options))? else { return Ok(()) };
        let length = metadata.len();
        self.bytes = self.bytes.checked_sub(length).ok_or_else(|| {
            io::Error::other(format!("it is larger than {} GB, too large to be copied", MAX_BYTES >> 30))
        })?;
        // Where the file system can share blocks, the kernel does so in this.
        io::copy(&mut source.into_std().take(length), &mut made)?;
        Ok(())
    }

    /// Gives what was made the owner, the permissions and the time of change of what it is a copy of.
    fn dress(&self, folder: &Dir, name: &OsStr, like: &Metadata) -> io::Result<()> {
        if self.is_root && (like.uid(), like.gid()) != (0, 0) {
            let (user, group) = (Uid::from_raw(like.uid()), Gid::from_raw(like.gid()));
            chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if !like.file_type().is_symlink() {
            // Nobody becomes another user by a copy.
            chmodat(folder, name, Mode::from_raw_mode(like.mode() & 0o1777), AtFlags::empty())?;
        }
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: like.mtime(), tv_nsec: like.mtime_nsec() },
        };
        Ok(utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// What this user may not read is left empty: the command could not read it either.
fn readable<T>(opened: io::Result<T>) -> io::Result<Option<T>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::workspace::fixture::Fixture;

    fn copied(folder: &Path, left_out: &[&str], limits: (u64, usize)) -> io::Result<PathBuf> {
        let from = Dir::open_ambient_dir(folder.join("work"), ambient_authority())?;
        let to = folder.join("copy");
        let left_out = left_out.iter().map(PathBuf::from).collect();
        copy_within(&from, &to, &left_out, limits, &CancellationToken::new()).map(|()| to)
    }

    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        fs::create_dir_all(work.join("src/deep")).unwrap();
        fs::create_dir(work.join("target")).unwrap();
        for (path, text) in [("src/deep/a", "one"), ("run.sh", "#!"), (".env", "secret"), ("target/big", "x")] {
            fs::write(work.join(path), text).unwrap();
        }
        fs::set_permissions(work.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/nowhere/else", work.join("link")).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(work.join("socket")).unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
        for path in ["src/deep/a", "src/deep"] {
            fs::File::open(work.join(path)).unwrap().set_modified(old).unwrap();
        }
        folder
    }

    #[test]
    fn a_copy_has_the_contents_the_permissions_and_the_times() {
        let folder = tree();
        let copy = copied(folder.path(), &[".env", "target"], (1 << 20, 100)).unwrap();
        assert_eq!(fs::read_to_string(copy.join("src/deep/a")).unwrap(), "one");
        for path in ["src/deep/a", "src/deep", "run.sh", "target", ""] {
            let of = |base: &Path| {
                let metadata = fs::metadata(base.join(path)).unwrap();
                (metadata.mode(), metadata.mtime(), metadata.mtime_nsec(), metadata.uid())
            };
            assert_eq!(of(&copy), of(&folder.path().join("work")), "{path}");
        }
        assert_eq!(fs::read_link(copy.join("link")).unwrap(), Path::new("/nowhere/else"));
        assert!(fs::symlink_metadata(copy.join("socket")).is_err());
        assert_eq!(fs::read_to_string(copy.join(".env")).unwrap(), "", "its content is not copied");
        assert_eq!(fs::read_dir(copy.join("target")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_too_large_is_not_copied() {
        for (limits, words) in [((5, 100), "too large"), ((1 << 20, 4), "too many")] {
            let folder = tree();
            let error = copied(folder.path(), &[], limits).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_copy_that_lies_in_the_workspace_is_not_copied_itself() {
        let fixture = Fixture::new("//- /a.txt\nx\n//- /secret\nx\n//- /target/big\nx\n");
        let workspace = fixture.workspace();
        let scratch = Scratch::new(&workspace.root().join("cache")).unwrap();
        let hidden = [workspace.root().join("secret").into_os_string()];
        let made =
            copy_workspace(&workspace, &scratch, &hidden, &["target".to_owned()], &CancellationToken::new()).unwrap();
        let Tree::Copy(folder) = made else { unreachable!("a copy was asked for") };
        let names = |path: &Path| {
            let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let folder = Path::new(&folder);
        assert_eq!(names(folder), ["a.txt", "cache", "secret", "target"]);
        assert_eq!(std::fs::read(folder.join("secret")).unwrap(), b"");
        assert!(names(&folder.join("target")).is_empty());
        let inner = names(&folder.join("cache"));
        let inner = inner.iter().map(|name| folder.join("cache").join(name)).find(|path| path.is_dir()).unwrap();
        assert!(names(&inner).is_empty());
    }
}
