//! Listing the files that agents may know.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ignore::WalkBuilder;

use super::ignored::{Fault, Ignored};
use super::protect::{is_never, is_secret};
use super::{Interrupt, Interrupted, Workspace, WorkspaceError};
use crate::contracts::{FileGlob, RepoPath};
use crate::text;

/// How many entries are visited before a walk gives up: such a workspace needs a narrower question.
const MAX_VISITED: usize = 500_000;

/// Which files to list.
#[derive(Debug, Clone, Copy)]
pub struct Walk<'a> {
    /// The memory folder, which is left out.
    pub memory_dir: &'a RepoPath,
    /// Only beneath this folder.
    pub folder: Option<&'a RepoPath>,
    /// Only files that match: a pattern without a slash by name, others by path from the root or from the folder.
    pub glob: Option<&'a str>,
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
    /// The glob is invalid.
    #[error("the glob {glob:?} is not valid: {reason}; write for example *.rs or src/**/*.rs")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such folder.
    #[error("there is no folder {0}")]
    NoFolder(RepoPath),
    /// It is a file, not a folder.
    #[error("{0} is a file, not a folder")]
    File(RepoPath),
    /// The folder leads elsewhere.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// It was cancelled or took too long.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// Lists the files that agents may know: no ignored ones (by git's rules, also without git), no secrets, not `.git` or
/// the memory folder, no links, no names that no [`RepoPath`] can have. Hidden files are listed.
///
/// # Errors
/// When the folder does not exist or the glob is invalid.
pub fn files(workspace: &Workspace, walk: &Walk<'_>) -> Result<Listing, WalkError> {
    files_until(workspace, walk, &Interrupt::never())
}

/// [`files`], unless interrupted.
///
/// # Errors
/// When the folder does not exist, the glob is invalid, or when interrupted.
pub fn files_until(workspace: &Workspace, walk: &Walk<'_>, interrupt: &Interrupt) -> Result<Listing, WalkError> {
    let glob = walk.glob.map(compile).transpose()?;
    let folder = match walk.folder {
        Some(folder) => Some(real_folder(workspace, folder)?),
        None => None,
    };
    let mut listing = Listing { files: Vec::new(), more: false };
    let mut builder = WalkBuilder::new(workspace.root());
    // Ignore rules are read within bounds by `ignored`.
    builder.standard_filters(false).follow_links(false).sort_by_file_name(Ord::cmp);
    let fault = filter_entries(&mut builder, workspace, folder.clone(), walk.memory_dir.clone())?;
    for (visited, entry) in builder.build().enumerate() {
        if visited >= MAX_VISITED {
            listing.more = true;
            break;
        }
        interrupt.check()?;
        // A folder without read permission is empty.
        let Ok(entry) = entry else { continue };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let Some(path) = repo_path(workspace.root(), entry.path()) else { continue };
        if is_secret(&path) || !glob.as_ref().is_none_or(|glob| matches(glob, &path, folder.as_ref())) {
            continue;
        }
        if workspace.is_secret_by_link(&path) {
            continue;
        }
        if listing.files.len() == walk.limit {
            listing.more = true;
            break;
        }
        listing.files.push(path);
    }
    let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
    match fault {
        Some(fault) => Err(WorkspaceError::from(fault).into()),
        None => Ok(listing),
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

/// Excludes what is ignored, off limits or outside the folder. Returns where the first fault of a rule file is stored.
fn filter_entries(
    builder: &mut WalkBuilder,
    workspace: &Workspace,
    folder: Option<RepoPath>,
    memory_dir: RepoPath,
) -> Result<Arc<Mutex<Option<Fault>>>, WorkspaceError> {
    let root = workspace.root().to_owned();
    let ignored = Ignored::of(workspace)?;
    let fault = Arc::new(Mutex::new(None));
    let first_fault = fault.clone();
    builder.filter_entry(move |entry| {
        // The root has no path in the workspace; names that are no valid path are dropped later.
        let Some(path) = repo_path(&root, entry.path()) else { return true };
        if is_never(&path, &memory_dir) {
            return false;
        }
        let is_in_folder = folder.as_ref().is_none_or(|folder| {
            is_beneath_or_same(folder.as_str(), path.as_str()) || is_beneath_or_same(path.as_str(), folder.as_str())
        });
        let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
        is_in_folder
            && match ignored.is_ignored_path(path.as_str(), is_folder) {
                Ok(is_ignored) => !is_ignored,
                Err(fault) => {
                    first_fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                    false
                }
            }
    });
    Ok(fault)
}

fn is_beneath_or_same(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn real_folder(workspace: &Workspace, folder: &RepoPath) -> Result<RepoPath, WalkError> {
    match workspace.real_path(folder)? {
        None => Err(WalkError::NoFolder(folder.clone())),
        Some(real) if workspace.is_folder(&real) => Ok(real),
        Some(_) => Err(WalkError::File(folder.clone())),
    }
}

fn repo_path(root: &Path, path: &Path) -> Option<RepoPath> {
    let relative = path.strip_prefix(root).ok()?;
    let text = relative.components().map(|part| part.as_os_str().to_str()).collect::<Option<Vec<_>>>()?.join("/");
    // A backslash in a name would be read as a slash.
    RepoPath::parse(&text).ok().filter(|path| path.as_str() == text)
}

struct Glob {
    matcher: FileGlob,
    by_name: bool,
}

/// Compiles a glob.
fn compile(glob: &str) -> Result<Glob, WalkError> {
    let pattern = glob.trim().trim_start_matches("./").trim_start_matches('/');
    let fault = |reason: String| WalkError::Glob { glob: text::head(glob, 200).to_owned(), reason };
    let matcher = FileGlob::parse(pattern).map_err(|error| fault(error.to_string()))?;
    Ok(Glob { matcher, by_name: !pattern.contains('/') })
}

fn matches(glob: &Glob, path: &RepoPath, folder: Option<&RepoPath>) -> bool {
    if glob.by_name {
        return glob.matcher.is_match(path.file_name());
    }
    let below = folder.and_then(|folder| path.as_str().strip_prefix(folder.as_str())?.strip_prefix('/'));
    glob.matcher.is_match(path.as_str()) || below.is_some_and(|below| glob.matcher.is_match(below))
}

/// A predicate for paths that a walk would list, whether they exist on disk or not.
///
/// # Errors
/// When the glob is invalid.
pub(crate) fn matcher<'a>(walk: &'a Walk<'_>) -> Result<impl Fn(&RepoPath) -> bool + 'a, WalkError> {
    let glob = walk.glob.map(compile).transpose()?;
    Ok(move |path: &RepoPath| {
        walk.folder.is_none_or(|folder| is_beneath_or_same(path.as_str(), folder.as_str()))
            && glob.as_ref().is_none_or(|glob| matches(glob, path, walk.folder))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, memory, path};
    use super::*;

    fn list(fixture: &Fixture, folder: Option<&str>, glob: Option<&str>, limit: usize) -> Vec<String> {
        let folder = folder.map(path);
        let memory_dir = memory();
        let walk = Walk { memory_dir: &memory_dir, folder: folder.as_ref(), glob, limit };
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
        assert!(list(&fixture, Some("target"), None, 100).is_empty(), "an ignored folder shows nothing");
    }

    #[test]
    fn what_cannot_be_listed_is_reported() {
        let fixture = Fixture::new(TREE);
        let memory_dir = memory();
        let error = |folder: Option<&RepoPath>, glob| {
            let walk = Walk { memory_dir: &memory_dir, folder, glob, limit: 10 };
            files(&fixture.workspace(), &walk).unwrap_err().to_string()
        };
        assert!(error(None, Some("src/[a")).contains("src/[a"));
        assert!(error(None, Some("")).contains("empty"));
        assert_eq!(error(Some(&path("nowhere")), None), "there is no folder nowhere");
        assert_eq!(error(Some(&path("src/main.rs")), None), "src/main.rs is a file, not a folder");
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
        let walk = Walk { memory_dir: &memory_dir, folder: Some(&up), glob: None, limit: 10 };
        assert!(matches!(files(&fixture.workspace(), &walk), Err(WalkError::Workspace(WorkspaceError::Outside(_)))));
    }
}
