//! The files that agents may know: finding them, on two threads.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cap_std::fs::Metadata;
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::globs::Globs;
use super::ignored::{Fault, Ignored};
use super::protect::{is_never_key, is_secret_key};
use super::{Interrupt, Interrupted, Workspace, WorkspaceError};
use crate::contracts::RepoPath;

/// How many entries are visited before a walk gives up: such a workspace needs a narrower question.
const MAX_VISITED: usize = 500_000;

/// Entries from one look at the clock to the next.
const PATIENCE: usize = 64;

/// More would take the machine from its user, and the disk is what limits it.
const THREADS: usize = 2;

/// Which files to list.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// The memory folder, which is left out.
    pub memory_dir: &'a RepoPath,
    /// Only beneath this folder.
    pub folder: Option<&'a RepoPath>,
    /// Only files that these want.
    pub globs: Option<&'a Globs>,
    /// The largest number of files to return.
    pub limit: usize,
}

/// Files of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Their paths, sorted by name within each folder.
    pub files: Vec<RepoPath>,
    /// Whether there are more.
    pub more: bool,
}

/// Why files cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// There is no such folder.
    #[error("there is no folder {0}")]
    NoFolder(RepoPath),
    /// It is a file, not a folder.
    #[error("{0} is a file, not a folder")]
    File(RepoPath),
    /// It is neither: a pipe, a socket, a device.
    #[error("{0} is neither a file nor a folder")]
    Other(RepoPath),
    /// The folder leads elsewhere.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// It was cancelled or took too long.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Walk<'_> {
    /// Whether a path is one that the walk would list, be it on disk or not.
    pub(crate) fn wants(&self, path: &RepoPath) -> bool {
        self.folder.is_none_or(|folder| is_beneath_or_same(path.as_str(), folder.as_str()))
            && self.globs.is_none_or(|globs| globs.want(path, self.folder))
    }
}

/// Lists the files that agents may know: no ignored ones (by git's rules, also without git), no secrets, not `.git` or
/// the memory folder, no links, no names that no [`RepoPath`] can have. Hidden files are listed.
///
/// # Errors
/// When the folder does not exist.
pub fn files(workspace: &Workspace, walk: &Walk<'_>) -> Result<Listing, WalkError> {
    files_until(workspace, walk, &Interrupt::never())
}

/// [`files`], unless interrupted.
///
/// # Errors
/// When the folder does not exist, or when interrupted.
pub fn files_until(workspace: &Workspace, walk: &Walk<'_>, interrupt: &Interrupt) -> Result<Listing, WalkError> {
    let found = Mutex::new(Vec::new());
    let visitor = || {
        |path: RepoPath, entry: &DirEntry| {
            if !is_other_name_of_secret(workspace, &path, entry) {
                lock(&found).push(path);
            }
            ControlFlow::Continue(())
        }
    };
    let mut more = visit(workspace, walk, interrupt, visitor)?;
    let mut files = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The order of `by_folder`: no name holds a NUL.
    files.sort_by_cached_key(|path| path.as_str().replace('/', "\0"));
    more |= files.len() > walk.limit;
    files.truncate(walk.limit);
    Ok(Listing { files, more })
}

/// Whether a file that was found is a secret under another name, or gone.
///
/// One call to the system for each file. It cannot be saved where no secret has other names: that is known only when all
/// folders were read, the ignored ones too, which takes longer than to ask the files that are listed, and it may change at
/// any time. Only a file with several names is compared with the secrets.
fn is_other_name_of_secret(workspace: &Workspace, path: &RepoPath, entry: &DirEntry) -> bool {
    #[cfg(unix)]
    match rustix::fs::statat(workspace.dir(), path.as_str(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if stat.st_nlink == 1 => return false,
        Ok(_) => {}
        Err(_) => return true,
    }
    #[cfg(not(unix))]
    let _ = path;
    let is_other = |metadata| !workspace.is_secret_inode(&Metadata::from_just_metadata(metadata));
    !entry.metadata().is_ok_and(is_other)
}

/// Hands every file that [`files`] would list to a visitor, whatever the limit, on two threads and in no order; each has
/// a visitor of its own. Whether there are more, for a walk gives up in a tree that is too large.
///
/// A file with several names is handed over too, though another of them may be a secret's: see
/// [`Workspace::is_secret_by_link`], and [`Workspace::read_found`], which does not read such a file.
///
/// # Errors
/// When the folder does not exist, or when interrupted.
pub fn visit_files<V>(
    workspace: &Workspace,
    walk: &Walk<'_>,
    interrupt: &Interrupt,
    visitor: impl Fn() -> V,
) -> Result<bool, WalkError>
where
    V: FnMut(RepoPath) -> ControlFlow<()> + Send,
{
    visit(workspace, walk, interrupt, || {
        let mut visitor = visitor();
        move |path, _: &DirEntry| visitor(path)
    })
}

fn visit<V>(
    workspace: &Workspace,
    walk: &Walk<'_>,
    interrupt: &Interrupt,
    visitor: impl Fn() -> V,
) -> Result<bool, WalkError>
where
    V: FnMut(RepoPath, &DirEntry) -> ControlFlow<()> + Send,
{
    let folder = match walk.folder {
        Some(folder) => Some(real_folder(workspace, folder)?),
        None => None,
    };
    let entries = Entries {
        root: workspace.root(),
        ignored: Ignored::of(workspace).map_err(WorkspaceError::from)?,
        memory_key: walk.memory_dir.key(),
        globs: walk.globs,
        folder: folder.as_ref(),
    };
    if folder.as_ref().map(|folder| entries.is_off_limits(folder)).transpose().map_err(WorkspaceError::from)?
        == Some(true)
    {
        return Ok(false);
    }
    let start =
        folder.as_ref().map_or_else(|| workspace.root().to_owned(), |path| workspace.root().join(path.as_str()));
    let mut builder = WalkBuilder::new(start);
    // Ignore rules are read within bounds by `ignored`.
    builder.standard_filters(false).follow_links(false).threads(THREADS);
    let (visited, stopped) = (AtomicUsize::new(0), Mutex::new(None));
    builder.build_parallel().run(|| {
        let mut visitor = visitor();
        let (entries, visited, stopped) = (&entries, &visited, &stopped);
        Box::new(move |entry| {
            let number = visited.fetch_add(1, Ordering::Relaxed);
            if number >= MAX_VISITED {
                lock(stopped).get_or_insert(Stopped::TooMany);
                return WalkState::Quit;
            }
            if number.is_multiple_of(PATIENCE)
                && let Err(interrupted) = interrupt.check()
            {
                lock(stopped).get_or_insert(Stopped::Interrupted(interrupted));
                return WalkState::Quit;
            }
            // A folder without read permission is empty.
            let Ok(entry) = entry else { return WalkState::Continue };
            match entries.look_at(&entry) {
                Ok(Look::Folder) => WalkState::Continue,
                Ok(Look::Nothing) => WalkState::Skip,
                Ok(Look::File(path)) => match visitor(path, &entry) {
                    ControlFlow::Continue(()) => WalkState::Continue,
                    ControlFlow::Break(()) => WalkState::Quit,
                },
                Err(fault) => {
                    lock(stopped).get_or_insert(Stopped::Fault(fault));
                    WalkState::Quit
                }
            }
        })
    });
    match stopped.into_inner().unwrap_or_else(PoisonError::into_inner) {
        None => Ok(false),
        Some(Stopped::TooMany) => Ok(true),
        Some(Stopped::Interrupted(interrupted)) => Err(interrupted.into()),
        Some(Stopped::Fault(fault)) => Err(WorkspaceError::from(fault).into()),
    }
}

/// Whether git ignores the file at this real path (see [`Workspace::real_path`]), or it is not a file.
///
/// # Errors
/// When a rule file on the way cannot be used.
pub fn is_ignored(workspace: &Workspace, path: &RepoPath) -> Result<bool, WorkspaceError> {
    let ignored = Ignored::of(workspace)?.is_ignored_with_parents(path.as_str())?;
    Ok(ignored || !workspace.is_file(path))
}

/// The order of a listing: by name within each folder.
pub fn by_folder(a: &RepoPath, b: &RepoPath) -> std::cmp::Ordering {
    // No name holds a slash, so as the lowest byte it parts the names.
    let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
    let (a, b) = (a.as_str().as_bytes(), b.as_str().as_bytes());
    let apart = a.iter().zip(b).position(|(a, b)| a != b);
    apart.map_or_else(|| a.len().cmp(&b.len()), |at| rank(&a[at]).cmp(&rank(&b[at])))
}

/// Why a walk came to no end.
enum Stopped {
    TooMany,
    Interrupted(Interrupted),
    Fault(Fault),
}

/// What an entry of a folder is to a walk.
enum Look {
    Folder,
    File(RepoPath),
    Nothing,
}

/// What decides on each entry.
struct Entries<'a> {
    root: &'a Path,
    ignored: Ignored,
    memory_key: String,
    globs: Option<&'a Globs>,
    folder: Option<&'a RepoPath>,
}

impl Entries<'_> {
    fn look_at(&self, entry: &DirEntry) -> Result<Look, Fault> {
        let Some(kind) = entry.file_type() else { return Ok(Look::Nothing) };
        if entry.depth() == 0 {
            return Ok(Look::Folder);
        }
        let is_folder = kind.is_dir();
        if !is_folder && !kind.is_file() {
            return Ok(Look::Nothing);
        }
        let Some(path) = repo_path(self.root, entry.path()) else { return Ok(Look::Nothing) };
        let is_wanted = self.globs.is_none_or(|globs| match is_folder {
            true => !globs.leave_out(&path, self.folder),
            false => globs.want(&path, self.folder),
        });
        if !is_wanted {
            return Ok(Look::Nothing);
        }
        let key = path.key();
        let is_off_limits = is_never_key(&key, &self.memory_key)
            || self.ignored.is_ignored_path(path.as_str(), is_folder)?
            || (!is_folder && is_secret_key(&key));
        Ok(match (is_off_limits, is_folder) {
            (true, _) => Look::Nothing,
            (false, true) => Look::Folder,
            (false, false) => Look::File(path),
        })
    }

    /// Whether a folder, or one above it, is never looked at.
    fn is_off_limits(&self, folder: &RepoPath) -> Result<bool, Fault> {
        if is_never_key(&folder.key(), &self.memory_key) {
            return Ok(true);
        }
        let text = folder.as_str();
        for end in text.match_indices('/').map(|(at, _)| at).chain([text.len()]) {
            if self.ignored.is_ignored_path(&text[..end], true)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A poisoned lock is ignored: each change of what it guards is atomic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_beneath_or_same(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn real_folder(workspace: &Workspace, folder: &RepoPath) -> Result<RepoPath, WalkError> {
    match workspace.real_path(folder)? {
        None => Err(WalkError::NoFolder(folder.clone())),
        Some(real) if workspace.is_folder(&real) => Ok(real),
        Some(real) if workspace.is_file(&real) => Err(WalkError::File(folder.clone())),
        Some(_) => Err(WalkError::Other(folder.clone())),
    }
}

fn repo_path(root: &Path, path: &Path) -> Option<RepoPath> {
    let relative = relative(root, path)?;
    // A backslash in a name would be read as a slash.
    RepoPath::parse(&relative).ok().filter(|path| path.as_str() == relative)
}

#[cfg(unix)]
fn relative<'a>(root: &Path, path: &'a Path) -> Option<Cow<'a, str>> {
    use std::os::unix::ffi::OsStrExt;
    // The walk puts names behind the root as it was given, so that comparing bytes is enough.
    let rest = path.as_os_str().as_bytes().strip_prefix(root.as_os_str().as_bytes())?;
    std::str::from_utf8(rest.strip_prefix(b"/").unwrap_or(rest)).ok().map(Cow::Borrowed)
}

#[cfg(not(unix))]
fn relative<'a>(root: &Path, path: &'a Path) -> Option<Cow<'a, str>> {
    let relative = path.strip_prefix(root).ok()?;
    let names = relative.components().map(|part| part.as_os_str().to_str()).collect::<Option<Vec<_>>>()?;
    Some(Cow::Owned(names.join("/")))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, memory, path};
    use super::*;

    fn list(fixture: &Fixture, folder: Option<&str>, glob: Option<&str>, limit: usize) -> Vec<String> {
        let folder = folder.map(path);
        let memory_dir = memory();
        let globs = glob.map(|glob| Globs::parse([glob]).unwrap());
        let walk = Walk { memory_dir: &memory_dir, folder: folder.as_ref(), globs: globs.as_ref(), limit };
        let listing = files(&fixture.workspace(), &walk).unwrap();
        let mut names: Vec<String> = listing.files.into_iter().map(Into::into).collect();
        if listing.more {
            names.push("…".to_owned());
        }
        names
    }

    const TREE: &str = "\
//- /.gitignore
target/
*.log
//- /.github/workflows/ci.yml
x
//- /.env
KEY=1
//- /.git/config
x
//- /.agent_memory/plan.json
{}
//- /src/main.rs
x
//- /src/deep/a.rs
x
//- /src/deep/.gitignore
gen.rs
//- /src/deep/gen.rs
x
//- /target/out.rs
x
//- /run.log
x
//- /tls/server.pem
x
";

    #[test]
    fn shows_what_agents_may_know_of() {
        let fixture = Fixture::new(TREE);
        let all = [".github/workflows/ci.yml", ".gitignore", "src/deep/.gitignore", "src/deep/a.rs", "src/main.rs"];
        assert_eq!(list(&fixture, None, None, 100), all);
    }

    #[test]
    fn ignore_rules_hold_without_git_too() {
        let fixture = Fixture::new(&TREE.replace("//- /.git/config\nx\n", ""));
        assert_eq!(list(&fixture, None, Some("*.rs"), 100), ["src/deep/a.rs", "src/main.rs"]);
        assert!(is_ignored(&fixture.workspace(), &path("target/out.rs")).unwrap());
        assert!(is_ignored(&fixture.workspace(), &path("src/deep/gen.rs")).unwrap());
        assert!(!is_ignored(&fixture.workspace(), &path("src/deep/a.rs")).unwrap());
        assert!(!is_ignored(&fixture.workspace(), &path(".gitignore")).unwrap());
    }

    #[test]
    fn ignore_files_above_a_folder_without_git_do_not_count() {
        let fixture = Fixture::new("//- /a.rs\nx\n");
        std::fs::write(fixture.outside().join(".gitignore"), "*\n").unwrap();
        assert_eq!(list(&fixture, None, None, 10), ["a.rs"]);
    }

    #[test]
    fn folder_glob_and_limit_narrow_it() {
        let fixture = Fixture::new(TREE);
        assert_eq!(list(&fixture, Some("src/deep"), None, 100), ["src/deep/.gitignore", "src/deep/a.rs"]);
        assert_eq!(list(&fixture, Some("src"), Some("deep/*.rs"), 100), ["src/deep/a.rs"]);
        assert_eq!(list(&fixture, None, Some("src/*.rs"), 100), ["src/main.rs"]);
        assert_eq!(list(&fixture, None, Some("./src/**/*.rs"), 100), ["src/deep/a.rs", "src/main.rs"]);
        assert_eq!(list(&fixture, None, Some("*.{rs,yml}"), 1), [".github/workflows/ci.yml", "…"]);
        for off_limits in ["target", ".git", ".agent_memory"] {
            assert!(list(&fixture, Some(off_limits), None, 100).is_empty(), "{off_limits} shows nothing");
        }
        assert_eq!(list(&fixture, Some("src"), Some("!deep"), 100), ["src/main.rs"]);
        assert_eq!(list(&fixture, None, Some("!src/** !.github"), 100), [".gitignore"]);
    }

    #[test]
    fn what_cannot_be_listed_is_reported() {
        let fixture = Fixture::new(TREE);
        let memory_dir = memory();
        let error = |folder: &RepoPath| {
            let walk = Walk { memory_dir: &memory_dir, folder: Some(folder), globs: None, limit: 10 };
            files(&fixture.workspace(), &walk).unwrap_err().to_string()
        };
        assert_eq!(error(&path("nowhere")), "there is no folder nowhere");
        assert_eq!(error(&path("src/main.rs")), "src/main.rs is a file, not a folder");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_called_a_file() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let fixture = Fixture::new(TREE);
        mknodat(CWD, fixture.root().join("pipe.rs"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let (memory_dir, pipe) = (memory(), path("pipe.rs"));
        let walk = Walk { memory_dir: &memory_dir, folder: Some(&pipe), globs: None, limit: 10 };
        let told = files(&fixture.workspace(), &walk).unwrap_err().to_string();
        assert_eq!(told, "pipe.rs is neither a file nor a folder");
    }

    #[test]
    fn the_order_is_by_name_within_each_folder() {
        let fixture = Fixture::new("//- /b/a\n//- /a.c\n//- /a/z\n//- /a/b/c\n//- /a b\n//- /a-b/x\n//- /é\n");
        let mut expected = ["a/b/c", "a/z", "a b", "a-b/x", "a.c", "b/a", "é"].map(path);
        expected.sort_by(|a, b| a.components().cmp(b.components()));
        assert_eq!(list(&fixture, None, None, 10), expected.map(String::from));
    }

    #[test]
    fn a_walk_stops_when_told_to() {
        let fixture = Fixture::new(TREE);
        let memory_dir = memory();
        let walk = Walk { memory_dir: &memory_dir, folder: None, globs: None, limit: 10 };
        let interrupt = Interrupt::never();
        interrupt.stop();
        let stopped = files_until(&fixture.workspace(), &walk, &interrupt);
        assert!(matches!(stopped, Err(WalkError::Interrupted(Interrupted::Stopped))));
        let seen = AtomicUsize::new(0);
        let first = || {
            |_| match seen.fetch_add(1, Ordering::Relaxed) {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        assert!(!visit_files(&fixture.workspace(), &walk, &Interrupt::never(), first).unwrap());
        assert!((1..=5).contains(&seen.into_inner()));
    }

    #[cfg(unix)]
    #[test]
    fn links_and_odd_names_are_left_out() {
        let fixture = Fixture::new("//- /a.rs\nx\n");
        std::fs::write(fixture.outside().join("out.rs"), "x").unwrap();
        fixture.link("..", "up");
        fixture.link("a.rs", "b.rs");
        fixture.write("c:d.rs", b"x");
        fixture.write("e\\f.rs", b"x");
        for name in ["aux.c", "con.rs", "~x", "dots.", "~dir/nul"] {
            fixture.write(name, b"x");
        }
        fixture.write("esc\u{1b}.rs", b"x");
        let plain = ["a.rs", "aux.c", "c:d.rs", "con.rs", "dots.", "~dir/nul", "~x"];
        assert_eq!(list(&fixture, None, None, 10), plain, "here they are names like any other");
        let up = path("up");
        let memory_dir = memory();
        let walk = Walk { memory_dir: &memory_dir, folder: Some(&up), globs: None, limit: 10 };
        assert!(matches!(files(&fixture.workspace(), &walk), Err(WalkError::Workspace(WorkspaceError::Outside(_)))));
    }
}
