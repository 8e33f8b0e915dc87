//! A file as a commit has it.

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::open::{check_reference, open};
use crate::contracts::RepoPath;
use crate::workspace::{MAX_FILE_BYTES, Workspace};

/// The longest name of a commit.
const LONGEST_NAME: usize = 200;
/// Most digits that follow `~` or `^`.
const MOST_STEPS: u32 = 100_000;

/// A file as a commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastFile {
    /// The commit, in hex.
    pub commit: String,
    /// The file's bytes, as they are stored: no filter runs.
    pub bytes: Vec<u8>,
}

/// Why a file cannot be read as a commit has it.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// No repository, or one that cannot be read.
    #[error("there is no git repository here that can be read{0}, so there are no earlier versions")]
    NoRepository(String),
    /// What was named is no commit.
    #[error("{0:?} names no commit here; name one such as HEAD, HEAD~2, a branch, a tag or a hash that log shows")]
    NoCommit(String),
    /// The commit has no such file.
    #[error("{path} is not in {commit}; it may have had another name then, or not have been there")]
    Missing {
        /// The file.
        path: RepoPath,
        /// The commit's short hash.
        commit: String,
    },
    /// There is something else at the path.
    #[error("{path} is {what} in {commit}")]
    NotAFile {
        /// The path.
        path: RepoPath,
        /// What it is.
        what: &'static str,
        /// The commit's short hash.
        commit: String,
    },
    /// It is too large.
    #[error("{path} has {size} bytes in {commit}, more than can be read")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its size.
        size: u64,
        /// The commit's short hash.
        commit: String,
    },
    /// Git failed.
    #[error("git failed: {0}")]
    Git(String),
}

impl From<git2::Error> for PastError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.message().to_owned())
    }
}

/// A file as a commit has it: `named` is a branch, a tag, a hash or HEAD, with `~n` and `^n` behind it. Whether it may be
/// read is for the caller to decide.
///
/// # Errors
/// In words that say what to do.
pub fn file_at(workspace: &Workspace, path: &RepoPath, named: &str) -> Result<PastFile, PastError> {
    let repository = match open(workspace) {
        Ok(Some(repository)) => repository,
        Ok(None) => return Err(PastError::NoRepository(String::new())),
        Err(error) => return Err(PastError::NoRepository(format!(" ({})", error.message()))),
    };
    let commit = commit(&repository, named)?;
    let short = commit.to_string()[..SHORT].to_owned();
    let missing = || PastError::Missing { path: path.clone(), commit: short.clone() };
    let top = repository.workdir().and_then(|top| top.canonicalize().ok()).ok_or_else(missing)?;
    let prefix = workspace.root().strip_prefix(&top).map_err(|_| missing())?;
    let tree = repository.find_commit(commit)?.tree()?;
    let entry = match tree.get_path(&prefix.join(path.as_str())) {
        Ok(entry) => entry,
        Err(error) if error.code() == ErrorCode::NotFound => return Err(missing()),
        Err(error) => return Err(error.into()),
    };
    let what = match (entry.kind(), entry.filemode()) {
        (Some(ObjectType::Blob), LINK) => Some("a symbolic link"),
        (Some(ObjectType::Blob), _) => None,
        (Some(ObjectType::Tree), _) => Some("a folder"),
        _ => Some("a submodule"),
    };
    if let Some(what) = what {
        return Err(PastError::NotAFile { path: path.clone(), what, commit: short });
    }
    let (size, _) = repository.odb()?.read_header(entry.id())?;
    if size as u64 > MAX_FILE_BYTES {
        return Err(PastError::TooLarge { path: path.clone(), size: size as u64, commit: short });
    }
    let bytes = repository.find_blob(entry.id())?.content().to_vec();
    Ok(PastFile { commit: commit.to_string(), bytes })
}

/// Digits of a short hash.
const SHORT: usize = 10;
/// The mode of a symbolic link in a tree.
const LINK: i32 = 0o120_000;

/// The commit of a name. Only names and steps back are understood: no searches, reflogs or paths.
fn commit(repository: &Repository, named: &str) -> Result<Oid, PastError> {
    let unknown = || PastError::NoCommit(named.chars().take(LONGEST_NAME).collect());
    let named = named.trim();
    let base = named.split(['~', '^']).next().unwrap_or_default();
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '+' | '#' | '@');
    let steps = &named[base.len()..];
    let is_few = steps.split(['~', '^']).all(|n| n.is_empty() || n.parse::<u32>().is_ok_and(|n| n <= MOST_STEPS));
    if base.is_empty() || base.contains("..") || !base.chars().all(is_name) || !is_few || named.len() > LONGEST_NAME {
        return Err(unknown());
    }
    check_reference(repository, if base == "@" { "HEAD" } else { base })?;
    let object = repository.revparse_single(named).map_err(|_| unknown())?;
    object.peel_to_commit().map(|commit| commit.id()).map_err(|_| unknown())
}

#[cfg(test)]
mod tests {
    use git2::{Signature, Time};

    use super::*;
    use crate::workspace::fixture::{Fixture, path};

    fn commit(repository: &Repository, message: &str) -> Oid {
        let author = Signature::new("A", "a@example.org", &Time::new(0, 0)).unwrap();
        let mut index = repository.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.update_all(["*"], None).unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        repository.commit(Some("HEAD"), &author, &author, message, &tree, &parent.iter().collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_file_is_read_as_a_commit_has_it() {
        let fixture = Fixture::new("//- /sub/a.txt\nold\n");
        let repository = Repository::init(fixture.root()).unwrap();
        let first = commit(&repository, "first");
        fixture.write("sub/a.txt", b"new\n");
        fixture.write("sub/b.txt", b"b\n");
        let second = commit(&repository, "second");
        repository.tag_lightweight("v1", &repository.find_object(first, None).unwrap(), false).unwrap();
        fixture.write("sub/a.txt", b"unsaved\n");
        let read = |workspace: &Workspace, file: &str, at: &str| file_at(workspace, &path(file), at);
        let whole = fixture.workspace();
        for (at, expected, of) in [
            ("HEAD", "new\n", second),
            ("HEAD~1", "old\n", first),
            ("HEAD^", "old\n", first),
            ("v1", "old\n", first),
            ("@", "new\n", second),
            (&first.to_string()[..10], "old\n", first),
        ] {
            let found = read(&whole, "sub/a.txt", at).unwrap();
            assert_eq!((found.bytes, found.commit), (expected.into(), of.to_string()), "{at}");
        }
        let below = Workspace::open(&fixture.root().join("sub")).unwrap();
        assert_eq!(read(&below, "a.txt", "v1").unwrap().bytes, b"old\n");
        assert!(read(&whole, "sub/b.txt", "v1").unwrap_err().to_string().starts_with("sub/b.txt is not in"));
        assert!(read(&whole, "sub", "v1").unwrap_err().to_string().starts_with("sub is a folder in"));
        for at in
            ["nowhere", "", "HEAD:sub/a.txt", ":/first", "HEAD@{1}", "a..b", "../../x", "HEAD~999999999999", "-x", "é"]
        {
            let told = read(&whole, "sub/a.txt", at).unwrap_err();
            assert!(matches!(told, PastError::NoCommit(_)), "{at}: {told}");
        }
    }

    #[test]
    fn without_a_repository_there_are_no_versions() {
        let fixture = Fixture::new("//- /a.txt\nx\n");
        let told = file_at(&fixture.workspace(), &path("a.txt"), "HEAD").unwrap_err();
        assert!(matches!(told, PastError::NoRepository(_)), "{told}");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_in_the_place_of_a_reference_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let fixture = Fixture::new("//- /a.txt\nx\n");
        let repository = Repository::init(fixture.root()).unwrap();
        commit(&repository, "first");
        mknodat(CWD, fixture.root().join(".git/refs/tags/v1"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        std::fs::write(fixture.root().join(".git/refs/heads/loop"), "ref: refs/heads/loop\n").unwrap();
        for at in ["v1", "v1~2", "loop"] {
            let told = file_at(&fixture.workspace(), &path("a.txt"), at).unwrap_err();
            assert!(matches!(told, PastError::Git(_)), "{at}: {told}");
        }
    }
}
