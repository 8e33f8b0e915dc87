//! What is checked out, and the state of the repository that a workspace is in.

use std::path::{Path, PathBuf};

use git2::ErrorCode;

use super::open::{broken_index, open};
use crate::contracts::RepoPath;
use crate::workspace::Workspace;
use crate::workspace::ignored::Ignored;

/// The HEAD of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The branch that is checked out, without `refs/heads/`; `None` when the head is detached.
    pub branch: Option<String>,
    /// The commit, in hex; `None` when there is none yet.
    pub commit: Option<String>,
}

/// Branch and commit of the repository that the workspace is in. `None` without git, and if the repository cannot be
/// opened (another owner, `reftable`, SHA-256): everything else then works as without git. Read-only.
pub fn head(workspace: &Workspace) -> Option<Head> {
    let repository = match open(workspace) {
        Ok(repository) => repository?,
        Err(error) => {
            tracing::warn!(%error, "the git repository cannot be opened; going on as without git");
            return None;
        }
    };
    let reference = match repository.find_reference("HEAD") {
        Ok(reference) => reference,
        Err(error) => {
            tracing::warn!(%error, "the git repository has no readable HEAD; going on as without git");
            return None;
        }
    };
    // The target's name, not the resolved one: a branch without commits has a name too.
    let branch = reference.symbolic_target().ok().flatten().map(|name| {
        let name = name.strip_prefix("refs/heads/").unwrap_or(name);
        name.to_owned()
    });
    let commit = reference.resolve().ok().and_then(|direct| direct.target()).map(|id| id.to_string());
    Some(Head { branch, commit })
}

/// The state of the repository that a workspace is in, for `doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepositoryState {
    /// There is no repository.
    Missing,
    /// It cannot be opened.
    Unreadable {
        /// Why, if a remedy is known.
        cause: Unreadable,
        /// What git said.
        message: String,
    },
    /// It has no working tree.
    Bare,
    /// It can be used.
    Open {
        /// Branch and commit; `None` if HEAD cannot be read.
        head: Option<Head>,
        /// Whether the memory folder is ignored.
        ignores_memory: bool,
        /// Whether files of the memory folder are tracked nevertheless.
        tracks_memory: bool,
        /// Whether it is a shallow clone.
        is_shallow: bool,
    },
}

/// Why a repository cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// Its references are stored as `reftable`.
    Reftable,
    /// Its objects are named by SHA-256.
    Sha256,
    /// It belongs to another user.
    Owner,
    /// Its index is broken.
    Index,
    /// Something else.
    Other,
}

/// Examines the repository that a workspace is in. Read-only.
pub fn repository(workspace: &Workspace, memory_dir: &RepoPath) -> RepositoryState {
    let repository = match open(workspace) {
        Ok(Some(repository)) => repository,
        Ok(None) => return RepositoryState::Missing,
        Err(error) => {
            let message = error.message().to_owned();
            let cause = match error.code() {
                ErrorCode::Owner => Unreadable::Owner,
                _ if message.contains("refstorage") => Unreadable::Reftable,
                _ if message.contains("objectformat") || message.contains("object format") => Unreadable::Sha256,
                _ => Unreadable::Other,
            };
            return RepositoryState::Unreadable { cause, message };
        }
    };
    let Some(top) = repository.workdir() else { return RepositoryState::Bare };
    if let Err(error) = repository.index() {
        return RepositoryState::Unreadable { cause: Unreadable::Index, message: broken_index(&error) };
    }
    let top = top.canonicalize().unwrap_or_else(|_| top.to_owned());
    let prefix = workspace.root().strip_prefix(&top).unwrap_or(Path::new(""));
    let memory = prefix.join(memory_dir.as_str());
    let tracks_memory = repository.index().is_ok_and(|index| {
        let below = format!("{}/", memory.to_string_lossy().replace('\\', "/"));
        index.iter().any(|entry| entry.path.starts_with(below.as_bytes()))
    });
    RepositoryState::Open {
        head: head(workspace),
        ignores_memory: is_ignored(workspace, &format!("{memory_dir}/plan.json")),
        tracks_memory,
        is_shallow: repository.is_shallow(),
    }
}

/// Whether git ignores a file, which need not exist.
fn is_ignored(workspace: &Workspace, file: &str) -> bool {
    Ignored::of(workspace).and_then(|rules| rules.is_ignored_with_parents(file)).unwrap_or(false)
}

/// The version of the built-in libgit2.
pub fn library_version() -> String {
    let (major, minor, patch) = git2::Version::get().libgit2_version();
    format!("libgit2 {major}.{minor}.{patch}")
}

/// The HEAD file, which is replaced when another commit is checked out; `None` without git.
pub fn head_file(workspace: &Workspace) -> Option<PathBuf> {
    // A linked worktree has its own HEAD.
    Some(open(workspace).ok()??.path().join("HEAD"))
}

#[cfg(test)]
mod tests {
    use git2::{Repository, RepositoryInitOptions, Signature};

    use super::*;
    use crate::workspace::fixture::Fixture;

    #[test]
    fn branch_and_commit_are_reported_in_every_state() {
        let fixture = Fixture::new("//- /sub/a.txt\nx\n");
        let workspace = fixture.workspace();
        assert_eq!(head(&workspace), None);

        let mut options = RepositoryInitOptions::new();
        let repository = Repository::init_opts(fixture.root(), options.initial_head("trunk")).unwrap();
        assert_eq!(head(&workspace), Some(Head { branch: Some("trunk".into()), commit: None }));

        let author = Signature::new("A", "a@example.org", &git2::Time::new(0, 0)).unwrap();
        let tree = repository.find_tree(repository.treebuilder(None).unwrap().write().unwrap()).unwrap();
        let commit = repository.commit(Some("HEAD"), &author, &author, "first", &tree, &[]).unwrap();
        let on_branch = Some(Head { branch: Some("trunk".into()), commit: Some(commit.to_string()) });
        assert_eq!(head(&workspace), on_branch);
        assert_eq!(head(&Workspace::open(&fixture.root().join("sub")).unwrap()), on_branch);

        repository.set_head_detached(commit).unwrap();
        assert_eq!(head(&workspace), Some(Head { branch: None, commit: Some(commit.to_string()) }));
    }

    #[cfg(unix)]
    #[test]
    fn a_repository_with_a_pipe_in_a_files_place_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let fixture = Fixture::new("//- /sub/a.txt\nx\n");
        for file in ["HEAD", "config", "index", "packed-refs", "info/exclude", "refs/heads/trunk"] {
            let mut options = RepositoryInitOptions::new();
            Repository::init_opts(fixture.root(), options.initial_head("trunk")).unwrap();
            let path = fixture.root().join(".git").join(file);
            // Not all of them are there in a new repository.
            let _ = std::fs::remove_file(&path);
            mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
            assert_eq!(head(&fixture.workspace()), None, "{file}");
            let RepositoryState::Unreadable { message, .. } =
                repository(&fixture.workspace(), &RepoPath::parse(".agent_memory").unwrap())
            else {
                panic!("{file}")
            };
            assert!(message.contains(&format!("{file} is not a regular file")), "{message}");
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_broken_index_is_reported_with_its_remedy() {
        let fixture = Fixture::new("");
        Repository::init(fixture.root()).unwrap();
        fixture.write(".git/index", b"garbage, and more of it");
        let state = repository(&fixture.workspace(), &RepoPath::parse(".agent_memory").unwrap());
        let RepositoryState::Unreadable { cause: Unreadable::Index, message } = state else { panic!("{state:?}") };
        assert!(message.contains("git reset"), "{message}");
    }

    #[test]
    fn a_repository_that_cannot_be_opened_counts_as_none() {
        let fixture = Fixture::new("");
        Repository::init(fixture.root()).unwrap();
        let reftable = b"[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefstorage = reftable\n";
        fixture.write(".git/config", reftable);
        assert_eq!(head(&fixture.workspace()), None);
        fixture.write(".git/config", b"[core\nbroken");
        assert_eq!(head(&fixture.workspace()), None);
    }
}
