//! Opens a repository only if it belongs to the folder it was found in and can be read without blocking.
//!
//! `.git` is data that came with the folder, for example in an archive: its `core.worktree` may name any folder as the
//! working tree, a `.git` file any repository, `commondir` any objects. Followed, each of them would bring unrelated
//! files of the user into the workspace or before a model.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use git2::{ErrorClass, ErrorCode, Repository, RepositoryOpenFlags};
use ignore::WalkBuilder;

use crate::contracts::RepoPath;
use crate::workspace::Workspace;
use crate::workspace::ignored::is_top;

/// The files that libgit2 reads when it opens a repository, and would block on if they were pipes, with their size
/// limits.
const FILES_READ: &[(&str, u64)] = &[
    ("HEAD", 64 * 1024),
    ("commondir", 64 * 1024),
    ("gitdir", 64 * 1024),
    ("config", 8 << 20),
    ("config.worktree", 8 << 20),
    ("index", 4 << 30),
    ("packed-refs", 1 << 30),
    ("shallow", 64 << 20),
    ("info/attributes", 64 << 20),
    ("info/exclude", 64 << 20),
    ("info/grafts", 64 << 20),
    ("objects/info/alternates", 1 << 20),
    ("objects/info/commit-graph", 4 << 30),
];

/// How deep configurations may include others, as in git.
const MAX_INCLUDE_DEPTH: usize = 10;

/// Opens the repository that the workspace is in; `None` without git. An error if the repository belongs elsewhere.
pub(in crate::workspace) fn open(workspace: &Workspace) -> Result<Option<Repository>, git2::Error> {
    open_at(workspace.root())
}

/// What to do about a broken index.
pub(in crate::workspace) fn broken_index(error: &git2::Error) -> String {
    format!(
        "its index is broken ({}); remove the file index in .git and run `git reset`, which rebuilds it: what was staged \
         is then staged no more, and no file changes",
        error.message()
    )
}

/// Opens the repository whose working tree contains a folder; `None` if there is none. Ignores the environment.
fn open_at(root: &Path) -> Result<Option<Repository>, git2::Error> {
    // This folder only: none above it, and none that merely looks like a repository.
    let mut flags = RepositoryOpenFlags::NO_SEARCH | RepositoryOpenFlags::CROSS_FS | RepositoryOpenFlags::NO_DOTGIT;
    let (top, link) = match root.ancestors().find(|folder| is_top(folder)) {
        Some(top) => (top, top.join(".git")),
        None => {
            // Only to report that it has no working tree, whatever its configuration says.
            flags |= RepositoryOpenFlags::BARE;
            (root, root.to_owned())
        }
    };
    check_readable(&link)?;
    let repository = match Repository::open_ext(&link, flags, None::<&Path>) {
        Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
        opened => opened?,
    };
    check_worktree(&repository, top, &link)?;
    Ok(Some(repository))
}

/// Checks that the repository has this folder as its working tree, and names it if it is kept elsewhere.
fn check_worktree(repository: &Repository, top: &Path, link: &Path) -> Result<(), git2::Error> {
    let real = |path: &Path| path.canonicalize().map_err(|error| refusal(&format!("{}: {error}", path.display())));
    if let Some(workdir) = repository.workdir()
        && real(workdir)? != top
    {
        return Err(refusal(&format!(
            "its working tree is {} (core.worktree in its configuration may say so), and not {}, where it was found; take \
             the setting out to work with git here",
            workdir.display(),
            top.display()
        )));
    }
    let (folder, common) = (real(repository.path())?, real(repository.commondir())?);
    let elsewhere = |place: &Path| {
        refusal(&format!(
            "{} leads to a repository in {}, which does not name this folder as a working tree of its own; `git worktree \
             repair` mends a worktree that was moved",
            link.display(),
            place.display()
        ))
    };
    // The objects of a linked worktree are in the repository that lists it.
    if folder != common && folder.parent() != Some(common.join("worktrees").as_path()) {
        return Err(elsewhere(&common));
    }
    let is_beneath = folder.starts_with(top) && common.starts_with(top);
    let is_named =
        || repository.is_worktree() || repository.config().is_ok_and(|config| config.get_path("core.worktree").is_ok());
    if is_beneath || (repository.workdir().is_some() && is_named()) { Ok(()) } else { Err(elsewhere(&folder)) }
}

/// Checks that all files that libgit2 reads on opening are readable.
fn check_readable(link: &Path) -> Result<(), git2::Error> {
    let mut folder = link.to_owned();
    if !link.is_dir() {
        let text = read_small_text(link, 64 * 1024)?.unwrap_or_default();
        let Some(named) = text.strip_prefix("gitdir:") else { return Ok(()) };
        folder = link.parent().unwrap_or(link).join(named.trim());
    }
    let mut folders = vec![folder.clone()];
    if let Some(common) = read_small_text(&folder.join("commondir"), 64 * 1024)? {
        folders.push(folder.join(common.trim()));
    }
    for folder in &folders {
        for (name, limit) in FILES_READ {
            check_regular(&folder.join(name), *limit)?;
        }
        for name in ["config", "config.worktree"] {
            check_includes(&folder.join(name), MAX_INCLUDE_DEPTH)?;
        }
        // Only the reference in HEAD; not every reference can be checked.
        if let Some(head) = read_small_text(&folder.join("HEAD"), 64 * 1024)?
            && let Some(name) = head.strip_prefix("ref:")
        {
            folders.iter().try_for_each(|folder| check_regular(&folder.join(name.trim()), 64 * 1024))?;
        }
    }
    Ok(())
}

/// Checks the files that a configuration includes, whatever the condition.
fn check_includes(file: &Path, depth: usize) -> Result<(), git2::Error> {
    let Some(text) = read_small_text(file, 8 << 20)? else { return Ok(()) };
    let mut is_include = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_include = section.trim_start().to_ascii_lowercase().starts_with("include");
        }
        let setting = line.rsplit(']').next().unwrap_or_default();
        let Some((name, value)) = setting.split_once('=').filter(|_| is_include) else { continue };
        if !name.trim().eq_ignore_ascii_case("path") {
            continue;
        }
        let value = value.trim().trim_matches('"');
        let included = match value.strip_prefix("~/") {
            Some(below) => home().map(|home| home.join(below)),
            None => file.parent().map(|folder| folder.join(value)),
        };
        let Some(included) = included else { continue };
        check_regular(&included, 8 << 20)?;
        if depth > 0 {
            check_includes(&included, depth - 1)?;
        }
    }
    Ok(())
}

fn home() -> Option<PathBuf> {
    std::env::home_dir()
}

/// Checks that a file is missing, or regular and within its limit. Links are followed: a user's repository may consist
/// of them.
fn check_regular(path: &Path, limit: u64) -> Result<(), git2::Error> {
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(metadata) if !metadata.is_file() => {
            Err(refusal(&format!("{} is not a regular file; move it away", path.display())))
        }
        Ok(metadata) if metadata.len() > limit => {
            Err(refusal(&format!("{} is larger than {limit} bytes", path.display())))
        }
        _ => Ok(()),
    }
}

/// Checks the files in which a repository keeps references of this name, so that none of them is waited for. The name is
/// checked for what would lead out of the repository.
pub(super) fn check_reference(repository: &Repository, name: &str) -> Result<(), git2::Error> {
    const MAX_LINKS: usize = 5;
    const LARGEST: u64 = 64 * 1024;
    let is_plain = |name: &str| RepoPath::parse(name).is_ok_and(|path| path.as_str() == name);
    let folders = [repository.path(), repository.commondir()];
    let mut names: Vec<String> = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
        .iter()
        .map(|folder| format!("{folder}{name}"))
        .chain([format!("refs/remotes/{name}/HEAD")])
        .collect();
    for _ in 0..=MAX_LINKS {
        let mut linked = Vec::new();
        for name in names.iter().filter(|name| is_plain(name)) {
            for folder in folders {
                let text = read_small_text(&folder.join(name), LARGEST)?.unwrap_or_default();
                linked.extend(text.strip_prefix("ref:").map(|name| name.trim().to_owned()));
            }
        }
        if linked.is_empty() {
            return Ok(());
        }
        names = linked;
    }
    Err(refusal(&format!("{name} leads from reference to reference")))
}

/// Checks that `.gitattributes` and `.gitignore`, which libgit2 reads in every folder that it compares, are regular
/// files within a limit, or links to such files beneath the top.
pub(super) fn check_rules(workspace: &Workspace, top: &Path) -> Result<(), git2::Error> {
    const LARGEST: u64 = 64 << 20;
    let check = |path: &Path| -> Result<(), git2::Error> {
        if path.is_symlink() && !path.canonicalize().is_ok_and(|real| real.starts_with(workspace.root())) {
            return Err(refusal(&format!("{} is a link that leads out of the workspace", path.display())));
        }
        check_regular(path, LARGEST)
    };
    let above = workspace.root().ancestors().skip(1).take_while(|folder| folder.starts_with(top));
    for name in [".gitattributes", ".gitignore"] {
        above.clone().try_for_each(|folder| check_regular(&folder.join(name), LARGEST))?;
    }
    let mut builder = WalkBuilder::new(workspace.root());
    builder.standard_filters(false).follow_links(false).filter_entry(|entry| entry.file_name() != ".git");
    let mut entries = builder.build().flatten();
    entries.try_for_each(|entry| match entry.file_name().to_str() {
        Some(".gitattributes" | ".gitignore") => check(entry.path()),
        _ => Ok(()),
    })
}

/// The text of a small file; `None` if it is missing or not text.
fn read_small_text(path: &Path, limit: u64) -> Result<Option<String>, git2::Error> {
    check_regular(path, limit)?;
    let read = || -> io::Result<String> {
        let path = path.canonicalize()?;
        let (folder, name) = (path.parent(), path.file_name());
        let (folder, name) = folder.zip(name).ok_or(io::ErrorKind::NotFound)?;
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No).nonblock(true);
        let file = Dir::open_ambient_dir(folder, ambient_authority())?.open_with(name, &options)?;
        let mut text = String::new();
        file.take(limit).read_to_string(&mut text)?;
        Ok(text)
    };
    Ok(read().ok())
}

fn refusal(why: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Repository, why)
}

#[cfg(test)]
mod tests;
