//! The last commits of a repository, or of one path in it.

use std::path::{Path, PathBuf};

use git2::{Commit, Delta, DiffFindOptions, DiffOptions, Oid, Repository, Tree};

use super::authors::PassedOver;
use super::open::open;
use crate::contracts::RepoPath;
use crate::workspace::{Interrupt, Interrupted, Workspace};

/// Commits that are looked at: of a file that few commits touched, older ones are not found.
const MOST_LOOKED_AT: usize = 20_000;
/// Changed files of a commit among which the earlier name of a file is looked for.
const MOST_RENAMED: usize = 200;

/// The last commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commits {
    /// The newest first.
    pub commits: Vec<LoggedCommit>,
    /// Those that are left out of them.
    pub passed_over: PassedOver,
    /// Whether there may be older ones.
    pub more: bool,
    /// Whether the history is cut off, as in a shallow clone.
    pub is_shallow: bool,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCommit {
    /// Its short hash.
    pub hash: String,
    /// The day of its author, as `2026-01-31`.
    pub date: String,
    /// The author's name, as it stands there.
    pub author: String,
    /// The first line of its message, as it stands there.
    pub subject: String,
    /// How many files it changed.
    pub files: usize,
    /// The earlier name of the file, where the commit renamed it.
    pub renamed_from: Option<String>,
}

/// Why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No repository, or one that cannot be read.
    #[error("there is no git repository here that can be read{0}, so there is no history")]
    NoRepository(String),
    /// HEAD has no commit.
    #[error("there is no commit yet")]
    NoCommit,
    /// It took too long, or was stopped.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Git failed.
    #[error("git failed: {0}")]
    Git(String),
}

impl From<git2::Error> for HistoryError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.message().to_owned())
    }
}

/// At most so many commits that changed a path (a folder counts with all in it), or anything in the workspace. Merges and
/// commits by bots are left out and counted; a renamed file is followed to its earlier name.
///
/// # Errors
/// In words that say what is wrong.
pub fn commits_of(
    workspace: &Workspace,
    path: Option<&RepoPath>,
    most: usize,
    interrupt: &Interrupt,
) -> Result<Commits, HistoryError> {
    let repository = match open(workspace) {
        Ok(Some(repository)) => repository,
        Ok(None) => return Err(HistoryError::NoRepository(String::new())),
        Err(error) => return Err(HistoryError::NoRepository(format!(" ({})", error.message()))),
    };
    let elsewhere = || HistoryError::NoRepository(String::new());
    let top = repository.workdir().and_then(|top| top.canonicalize().ok()).ok_or_else(elsewhere)?;
    let prefix = workspace.root().strip_prefix(&top).map_err(|_| elsewhere())?.to_owned();
    let mut place = path.map_or_else(|| prefix.clone(), |path| prefix.join(path.as_str()));
    let head = repository.head().and_then(|head| head.peel_to_commit()).map_err(|_| HistoryError::NoCommit)?;
    let mut walk = repository.revwalk()?;
    // No sorting is asked for: with any, libgit2 reads all of the history first, and by time it may give a parent before its
    // child, where both are of one second. Without, commits come by date, and each after its children.
    walk.push(head.id())?;
    let mut found = Commits { is_shallow: repository.is_shallow(), ..Commits::default() };
    for (looked_at, id) in walk.enumerate() {
        interrupt.check()?;
        if found.commits.len() == most || looked_at == MOST_LOOKED_AT {
            found.more = true;
            break;
        }
        // In a shallow clone the parents of the last commits are missing.
        let Ok(commit) = id.and_then(|id| repository.find_commit(id)) else { continue };
        let (tree, before) = (commit.tree()?, parent_tree(&commit));
        let (now, then) = (entry(&tree, &place), before.as_ref().and_then(|before| entry(before, &place)));
        let is_touched = if place.as_os_str().is_empty() { true } else { now != then };
        if !is_touched || found.passed_over.takes(&commit) {
            continue;
        }
        let (files, renamed_from) = changes(&repository, before.as_ref(), &tree, (then.is_none()).then_some(&place))?;
        let below = |name: &Path| name.strip_prefix(&prefix).unwrap_or(name).to_string_lossy().replace('\\', "/");
        let earlier = renamed_from.as_deref().map(below);
        found.commits.push(logged(&commit, files, earlier));
        if let Some(renamed_from) = renamed_from {
            place = renamed_from;
        }
    }
    Ok(found)
}

fn parent_tree<'a>(commit: &Commit<'a>) -> Option<Tree<'a>> {
    commit.parent(0).and_then(|parent| parent.tree()).ok()
}

/// What is at a path of a tree.
fn entry(tree: &Tree<'_>, path: &Path) -> Option<(Oid, i32)> {
    let entry = tree.get_path(path).ok()?;
    Some((entry.id(), entry.filemode()))
}

/// How many files a commit changed, and the earlier name of the one that it made, where it was renamed.
fn changes(
    repository: &Repository,
    before: Option<&Tree<'_>>,
    after: &Tree<'_>,
    made: Option<&PathBuf>,
) -> Result<(usize, Option<PathBuf>), HistoryError> {
    let mut options = DiffOptions::new();
    options.ignore_submodules(true).skip_binary_check(true);
    let mut diff = repository.diff_tree_to_tree(before, Some(after), Some(&mut options))?;
    let files = diff.deltas().len();
    let is_made = |made: &&PathBuf| diff.deltas().any(|delta| delta.new_file().path() == Some(made.as_path()));
    let Some(made) = made.filter(|_| files <= MOST_RENAMED).filter(is_made) else { return Ok((files, None)) };
    diff.find_similar(Some(DiffFindOptions::new().renames(true).rename_limit(MOST_RENAMED)))?;
    let renamed = |delta: &git2::DiffDelta<'_>| {
        delta.status() == Delta::Renamed && delta.new_file().path() == Some(made.as_path())
    };
    let source = diff.deltas().find(renamed).and_then(|delta| delta.old_file().path().map(Path::to_owned));
    Ok((diff.deltas().len(), source))
}

fn logged(commit: &Commit<'_>, files: usize, renamed_from: Option<String>) -> LoggedCommit {
    const SHORT: usize = 10;
    let author = commit.author();
    let offset = i64::from(author.when().offset_minutes()) * 60;
    let seconds = author.when().seconds().saturating_add(offset);
    let date = jiff::Timestamp::from_second(seconds).map(|at| at.strftime("%Y-%m-%d").to_string());
    LoggedCommit {
        hash: commit.id().to_string()[..SHORT].to_owned(),
        date: date.unwrap_or_default(),
        author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
        subject: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned(),
        files,
        renamed_from,
    }
}

#[cfg(test)]
mod tests {
    use git2::{Signature, Time};

    use super::*;
    use crate::workspace::fixture::{Fixture, path};

    struct History {
        fixture: Fixture,
        repository: Repository,
        at: i64,
    }

    impl History {
        fn new() -> Self {
            let fixture = Fixture::new("");
            let repository = Repository::init(fixture.root()).unwrap();
            Self { fixture, repository, at: 1_700_000_000 }
        }

        fn commit(&mut self, author: &str, subject: &str) -> Oid {
            self.commit_with(author, subject, &[])
        }

        fn commit_with(&mut self, author: &str, subject: &str, more_parents: &[Oid]) -> Oid {
            self.at += 60;
            let author = Signature::new(author, "a@example.org", &Time::new(self.at, 0)).unwrap();
            let mut index = self.repository.index().unwrap();
            index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
            index.update_all(["*"], None).unwrap();
            let tree = self.repository.find_tree(index.write_tree().unwrap()).unwrap();
            let head = self.repository.head().ok().and_then(|head| head.peel_to_commit().ok());
            let more = more_parents.iter().map(|id| self.repository.find_commit(*id).unwrap());
            let parents: Vec<Commit<'_>> = head.into_iter().chain(more).collect();
            let parents: Vec<&Commit<'_>> = parents.iter().collect();
            self.repository.commit(Some("HEAD"), &author, &author, subject, &tree, &parents).unwrap()
        }

        fn of(&self, file: Option<&str>, most: usize) -> Commits {
            let path = file.map(path);
            commits_of(&self.fixture.workspace(), path.as_ref(), most, &Interrupt::never()).unwrap()
        }
    }

    fn subjects(found: &Commits) -> Vec<&str> {
        found.commits.iter().map(|commit| commit.subject.as_str()).collect()
    }

    #[test]
    fn commits_of_a_path_without_merges_and_bots() {
        let mut history = History::new();
        history.fixture.write("src/a.txt", b"1\n");
        let first = history.commit("Ada", "first");
        history.fixture.write("src/a.txt", b"2\n");
        history.commit("dependabot[bot]", "bump");
        history.fixture.write("b.txt", b"b\n");
        history.commit("Ben", "other");
        history.fixture.write("src/a.txt", b"3\n");
        history.commit_with("Ada", "Merge branch x", &[first]);
        history.fixture.write("src/a.txt", b"4\n");
        history.fixture.write("b.txt", b"bb\n");
        history.commit("Ada", "last");

        let of_file = history.of(Some("src/a.txt"), 10);
        assert_eq!(subjects(&of_file), ["last", "first"]);
        assert_eq!((of_file.passed_over, of_file.more), (PassedOver { merges: 1, bots: 1 }, false));
        assert_eq!((of_file.commits[0].files, of_file.commits[0].date.as_str()), (2, "2023-11-14"));
        assert_eq!(subjects(&history.of(Some("src"), 10)), ["last", "first"]);
        assert_eq!(subjects(&history.of(None, 2)), ["last", "other"]);
        assert!(history.of(None, 2).more && history.of(Some("nowhere"), 10).commits.is_empty());
    }

    #[test]
    fn a_renamed_file_is_followed() {
        let mut history = History::new();
        history.fixture.write("old.txt", b"1\n2\n3\n4\n5\n6\n");
        history.commit("Ada", "first");
        history.fixture.remove("old.txt");
        history.fixture.write("new.txt", b"1\n2\n3\n4\n5\n7\n");
        history.commit("Ada", "renamed");
        let found = history.of(Some("new.txt"), 10);
        assert_eq!(subjects(&found), ["renamed", "first"]);
        assert_eq!((found.commits[0].renamed_from.as_deref(), found.commits[0].files), (Some("old.txt"), 1));
    }

    #[test]
    fn of_commits_of_one_second_the_later_one_comes_first() {
        let mut history = History::new();
        history.fixture.write("none", b"");
        let mut rename = |number: usize, from: &str, to: &str| {
            history.at -= 60;
            history.fixture.remove(from);
            history.fixture.write(to, b"1\n2\n3\n4\n5\n6\n");
            history.commit("Ada", &number.to_string());
        };
        let names: Vec<String> = (0..12).map(|number| format!("{number}.txt")).collect();
        rename(0, "none", &names[0]);
        for number in 1..names.len() {
            rename(number, &names[number - 1], &names[number]);
        }
        let expected: Vec<String> = (0..names.len()).rev().map(|number| number.to_string()).collect();
        assert_eq!(subjects(&history.of(None, 20)), expected);
        assert_eq!(subjects(&history.of(names.last().map(String::as_str), 20)), expected, "followed through all names");
    }

    #[test]
    fn a_date_beyond_all_calendars_is_no_date() {
        let mut history = History::new();
        let parent = history.commit("Ada", "before");
        let tree = history.repository.find_commit(parent).unwrap().tree_id();
        let odd = format!(
            "tree {tree}\nparent {parent}\nauthor A <a> {} +1400\ncommitter A <a> {} +0000\n\nodd\n",
            i64::MAX,
            history.at + 1
        );
        let odd = history.repository.odb().unwrap().write(git2::ObjectType::Commit, odd.as_bytes()).unwrap();
        history.repository.reference("refs/heads/odd", odd, true, "").unwrap();
        history.repository.set_head("refs/heads/odd").unwrap();
        let found = history.of(None, 1);
        assert_eq!((subjects(&found), found.commits[0].date.as_str()), (vec!["odd"], ""));
    }

    #[test]
    fn without_a_commit_it_says_so_and_it_hears_stop() {
        let mut history = History::new();
        let read = |fixture: &Fixture, interrupt| commits_of(&fixture.workspace(), None, 5, &interrupt);
        assert!(matches!(read(&history.fixture, Interrupt::never()), Err(HistoryError::NoCommit)));
        history.commit("Ada", "first");
        let late = Interrupt::after(std::time::Duration::ZERO);
        assert!(matches!(read(&history.fixture, late), Err(HistoryError::Interrupted(_))));
        assert!(matches!(read(&Fixture::new(""), Interrupt::never()), Err(HistoryError::NoRepository(_))));
    }
}
