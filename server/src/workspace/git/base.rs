//! Compares the working tree with a commit, for a review of a diff without a plan.
//!
//! Read-only: neither the index nor any other part of the repository is written, and no filter or hook runs.

use std::collections::HashSet;
use std::path::Path;

use git2::{Delta, DiffDelta, DiffFile, DiffOptions, ErrorCode, IndexEntryExtendedFlag, Oid, Repository, Sort};

use super::authors::PassedOver;
use super::open::{broken_index, check_rules, open as open_repository};
use crate::contracts::RepoPath;
use crate::workspace::protect::{is_never, is_secret, is_secret_text};
use crate::workspace::{Compared, MAX_FILE_BYTES, Workspace, WorkspaceError};

/// The largest number of commits that are listed.
const MOST_COMMITS: usize = 50;

/// The commit that a working tree is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The name that the user gave.
    pub reference: String,
    /// The merge base of that commit and HEAD, in hex.
    pub commit: String,
}

/// What differs between a commit and the working tree.
#[derive(Debug, Clone, Default)]
pub struct BaseDiff {
    /// The files that differ, by path.
    pub files: Vec<BaseFile>,
    /// Files that differ but are left out, with the reason: `assets/a.bin: a link`. Secrets are not named.
    pub left_out: Vec<String>,
    /// First lines of the messages of the commits since the base, newest first, without merges and commits by bots.
    pub commits: Vec<String>,
    /// The commits that are left out of these.
    pub passed_over: PassedOver,
}

/// A file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseFile {
    /// The file.
    pub path: RepoPath,
    /// Its content in the commit; `None` when it did not exist.
    pub before: Option<Vec<u8>>,
    /// Its content now; `None` when it does not exist.
    pub now: Option<Vec<u8>>,
}

impl BaseFile {
    /// The same, for a diff.
    pub fn compared(&self) -> Compared<'_> {
        Compared { path: &self.path, before: self.before.as_deref(), after: self.now.as_deref() }
    }
}

/// Why a working tree cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// No repository.
    #[error("there is no git repository here, so there is nothing to compare with; run this in a clone, or `git init`")]
    NoRepository,
    /// A repository that cannot be opened.
    #[error("the git repository cannot be opened: {0}; `baton doctor` tells what can be done")]
    Unreadable(String),
    /// A repository without a working tree.
    #[error("this git repository is bare: it has no working tree to review; work in a clone or a worktree of it")]
    Bare,
    /// No such commit.
    #[error("{reference:?} names no commit here; {hint}")]
    Unknown {
        /// What was named.
        reference: String,
        /// What to do.
        hint: String,
    },
    /// HEAD has no commit.
    #[error("there is no commit yet to compare with; commit something first")]
    NoCommit,
    /// The history between the two commits is cut off.
    #[error(
        "this is a shallow clone, and its history ends before the commit that {0:?} and HEAD have in common; get the \
         whole history by `git fetch --unshallow` (on GitHub Actions: fetch-depth: 0 for actions/checkout)"
    )]
    Shallow(String),
    /// The commits have no common history.
    #[error("{0:?} and HEAD have no commit in common; name a commit that this branch comes from")]
    Unrelated(String),
    /// Git failed.
    #[error("git failed: {0}")]
    Git(String),
    /// A file cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// It was cancelled.
    #[error("stopped")]
    Stopped,
}

impl From<git2::Error> for BaseError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.message().to_owned())
    }
}

/// Finds the commit to compare with: the merge base of HEAD and the commit that the user named.
///
/// # Errors
/// The error says what the user can do.
pub fn find_base(workspace: &Workspace, reference: &str) -> Result<Base, BaseError> {
    let repository = open(workspace)?;
    let head = match repository.head().and_then(|head| head.peel_to_commit()) {
        Ok(head) => head.id(),
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {
            return Err(BaseError::NoCommit);
        }
        Err(error) => return Err(error.into()),
    };
    let named = repository.revparse_single(reference).and_then(|object| object.peel_to_commit());
    let Ok(named) = named else {
        return Err(BaseError::Unknown { reference: reference.to_owned(), hint: hint(&repository, reference) });
    };
    match repository.merge_base(head, named.id()) {
        Ok(base) => Ok(Base { reference: reference.to_owned(), commit: base.to_string() }),
        Err(error) if error.code() != ErrorCode::NotFound => Err(error.into()),
        Err(_) if repository.is_shallow() => Err(BaseError::Shallow(reference.to_owned())),
        Err(_) => Err(BaseError::Unrelated(reference.to_owned())),
    }
}

/// Computes what differs between a commit and the working tree: tracked files, and untracked ones that are not ignored.
/// The memory folder, links, submodules and secrets are left out. For a file with unsaved changes in the editor, the
/// unsaved text is compared. `stopped` is checked between files.
///
/// # Errors
/// When git or a file cannot be read.
pub fn diff_with(
    workspace: &Workspace,
    memory_dir: &RepoPath,
    base: &Base,
    stopped: &dyn Fn() -> bool,
) -> Result<BaseDiff, BaseError> {
    let repository = open(workspace)?;
    let commit = Oid::from_str(&base.commit)?;
    let tree = repository.find_commit(commit)?.tree()?;
    let prefix = prefix(&repository, workspace)?;
    if let Some(top) = repository.workdir() {
        check_rules(workspace, top)?;
    }
    let mut options = DiffOptions::new();
    options.include_untracked(true).recurse_untracked_dirs(true).ignore_submodules(true).include_typechange(true);
    if !prefix.is_empty() {
        options.disable_pathspec_match(true).pathspec(&prefix);
    }
    let diff = repository.diff_tree_to_workdir_with_index(Some(&tree), Some(&mut options))?;
    let absent = not_checked_out(&repository)?;
    let (commits, passed_over) = commits(&repository, commit)?;
    let mut found = BaseDiff { commits, passed_over, ..BaseDiff::default() };
    let mut secrets = 0_usize;
    for delta in diff.deltas() {
        if stopped() {
            return Err(BaseError::Stopped);
        }
        let Some((name, below)) = name(&delta, &prefix) else { continue };
        if delta.status() == Delta::Deleted && absent.contains(name) {
            continue;
        }
        let text = String::from_utf8_lossy(below);
        let Some(path) = RepoPath::parse(&text).ok().filter(|path| path.as_str() == text) else {
            found.left_out.push(format!("{text}: its name is not portable"));
            continue;
        };
        if is_never(&path, memory_dir) {
            continue;
        }
        if is_secret(&path) || workspace.is_secret_by_link(&path) {
            secrets += 1;
            continue;
        }
        match file(&repository, workspace, name, &path, &delta)? {
            Ok(Some(file)) if [&file.before, &file.now].into_iter().flatten().any(|bytes| is_secret_text(bytes)) => {
                secrets += 1;
            }
            Ok(Some(file)) => found.files.push(file),
            Ok(None) => {}
            Err(why) => found.left_out.push(format!("{path}: {why}")),
        }
    }
    found.files.sort_by(|a, b| a.path.as_str().cmp(b.path.as_str()));
    if secrets > 0 {
        found.left_out.push(format!("{secrets} that may hold secrets"));
    }
    Ok(found)
}

fn open(workspace: &Workspace) -> Result<Repository, BaseError> {
    let opened = open_repository(workspace).map_err(|error| BaseError::Unreadable(error.message().to_owned()))?;
    let repository = opened.ok_or(BaseError::NoRepository)?;
    if repository.workdir().is_none() {
        return Err(BaseError::Bare);
    }
    repository.index().map_err(|error| BaseError::Unreadable(broken_index(&error)))?;
    Ok(repository)
}

/// A hint for a name that is no commit.
fn hint(repository: &Repository, reference: &str) -> String {
    if let Some((remote, branch)) = reference.split_once('/')
        && repository.find_remote(remote).is_ok()
    {
        return format!("get it by `git fetch {remote} {branch}`");
    }
    if repository.is_shallow() {
        return "this is a shallow clone, which has few commits and branches; get the rest by `git fetch --unshallow` and \
                name it as origin/…"
            .to_owned();
    }
    let remote = format!("origin/{reference}");
    if repository.revparse_single(&remote).is_ok() {
        return format!("did you mean {remote}?");
    }
    "name a branch, a tag or a commit, such as origin/main; `git branch -a` lists the branches".to_owned()
}

/// The workspace's path below the top of the working tree: empty, or ending in `/`.
fn prefix(repository: &Repository, workspace: &Workspace) -> Result<String, BaseError> {
    let elsewhere = || BaseError::Git("the repository's working tree is elsewhere".to_owned());
    let top = repository.workdir().and_then(|top| top.canonicalize().ok()).ok_or_else(elsewhere)?;
    let below = workspace.root().strip_prefix(&top).map_err(|_| elsewhere())?;
    let below = below.to_str().ok_or_else(elsewhere)?.replace('\\', "/");
    Ok(if below.is_empty() { below } else { format!("{below}/") })
}

/// Tracked files that a sparse checkout leaves out: git reports them as deleted.
fn not_checked_out(repository: &Repository) -> Result<HashSet<Vec<u8>>, BaseError> {
    let skipped = IndexEntryExtendedFlag::SKIP_WORKTREE.bits();
    let entries = repository.index()?;
    Ok(entries.iter().filter(|entry| entry.flags_extended & skipped != 0).map(|entry| entry.path).collect())
}

/// A file's name in the repository and below the workspace; `None` outside of it, and for folders.
fn name<'a>(delta: &DiffDelta<'a>, prefix: &str) -> Option<(&'a [u8], &'a [u8])> {
    let name = delta.new_file().path_bytes().or_else(|| delta.old_file().path_bytes())?;
    let below = name.strip_prefix(prefix.as_bytes())?;
    (!below.is_empty() && !below.ends_with(b"/")).then_some((name, below))
}

/// Reads both contents of a file, by its `name` in the repository; `None` if they are equal. The inner error says why
/// the file is left out.
fn file(
    repository: &Repository,
    workspace: &Workspace,
    name: &[u8],
    path: &RepoPath,
    delta: &DiffDelta<'_>,
) -> Result<Result<Option<BaseFile>, String>, BaseError> {
    for side in [delta.old_file(), delta.new_file()] {
        match side.mode() {
            git2::FileMode::Link => return Ok(Err("a link".to_owned())),
            git2::FileMode::Commit => return Ok(Err("a submodule".to_owned())),
            _ => {}
        }
    }
    let now = match workspace.read_open(path) {
        Ok(now) => now.map(|file| file.bytes),
        Err(WorkspaceError::TooLarge { .. }) => return Ok(Err("too large".to_owned())),
        Err(WorkspaceError::Link(_) | WorkspaceError::Outside(_) | WorkspaceError::Guarded { .. }) => {
            return Ok(Err("behind a link".to_owned()));
        }
        Err(WorkspaceError::NotAFile(_)) => return Ok(Err("no regular file".to_owned())),
        Err(WorkspaceError::Io { source, .. }) => return Ok(Err(format!("cannot be read: {source}"))),
        Err(error) => return Err(error.into()),
    };
    let before = match before(repository, &delta.old_file())? {
        Ok(before) => before,
        Err(why) => return Ok(Err(why)),
    };
    let now = match (&before, now) {
        (Some(before), Some(now)) => Some(as_committed(repository, name, before, now)),
        (_, now) => now,
    };
    Ok(Ok((before != now).then(|| BaseFile { path: path.clone(), before, now })))
}

fn before(repository: &Repository, file: &DiffFile<'_>) -> Result<Result<Option<Vec<u8>>, String>, BaseError> {
    if !file.exists() || file.id().is_zero() {
        return Ok(Ok(None));
    }
    let blob = repository.find_blob(file.id())?;
    if blob.size() as u64 > MAX_FILE_BYTES {
        return Ok(Err("too large".to_owned()));
    }
    Ok(Ok(Some(blob.content().to_vec())))
}

/// A file's bytes as git would commit them, so that converted line endings are no change.
fn as_committed(repository: &Repository, name: &[u8], before: &[u8], now: Vec<u8>) -> Vec<u8> {
    let has_crlf = |bytes: &[u8]| bytes.windows(2).any(|pair| pair == b"\r\n");
    if now.contains(&0) || !has_crlf(&now) || has_crlf(before) || !turns_line_endings(repository, name) {
        return now;
    }
    let mut turned = Vec::with_capacity(now.len());
    for (at, byte) in now.iter().enumerate() {
        if *byte != b'\r' || now.get(at + 1) != Some(&b'\n') {
            turned.push(*byte);
        }
    }
    turned
}

fn turns_line_endings(repository: &Repository, name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name);
    let attribute = |attribute: &str| {
        let value = repository.get_attr(Path::new(&*name), attribute, git2::AttrCheckFlags::FILE_THEN_INDEX);
        git2::AttrValue::from_string(value.ok().flatten())
    };
    match attribute("text") {
        git2::AttrValue::False => false,
        git2::AttrValue::Unspecified => {
            let config = repository.config().and_then(|config| config.get_string("core.autocrlf"));
            config.is_ok_and(|value| ["true", "input"].contains(&value.to_lowercase().as_str()))
        }
        _ => true,
    }
}

fn commits(repository: &Repository, base: Oid) -> Result<(Vec<String>, PassedOver), BaseError> {
    let mut walk = repository.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL)?;
    walk.push_head()?;
    walk.hide(base)?;
    let (mut commits, mut passed_over) = (Vec::new(), PassedOver::default());
    for id in walk {
        if commits.len() == MOST_COMMITS {
            break;
        }
        let commit = repository.find_commit(id?)?;
        if !passed_over.takes(&commit) {
            commits.push(String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned());
        }
    }
    Ok((commits, passed_over))
}
