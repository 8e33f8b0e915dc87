//! Which files git's ignore rules exclude.
//!
//! The rules are read here and not by a library: a rule file has to be a regular file, no link (git follows none
//! either) and no pipe, has a limit, and is read and compiled once while it is unchanged. Source: git documentation,
//! gitignore.

mod rules;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::Dir;

pub(super) use rules::{Fault, IgnoreFiles};
use rules::{Rules, read};

use crate::workspace::Workspace;

const NAME: &str = ".gitignore";

/// The largest file that points to a repository, in bytes.
const MAX_POINTER: u64 = 64 * 1024;

/// A folder on the way to a file, with its rules.
#[derive(Debug)]
struct Level {
    above: Option<Arc<Level>>,
    /// Where in a path from the root the names in the folder begin.
    start: usize,
    rules: Option<Arc<Rules>>,
    /// A repository of its own: rules from above do not apply in it, except the user's.
    is_top: bool,
}

/// The current rules of a workspace, for one walk or one question.
#[derive(Debug)]
pub(super) struct Ignored {
    workspace: Workspace,
    /// Rules from above the root and of the repository, strongest first, each with the root's path relative to it.
    outer: Vec<(String, Arc<Rules>)>,
    user_rules: Option<Arc<Rules>>,
    levels: Mutex<HashMap<String, Result<Arc<Level>, Fault>>>,
}

impl Ignored {
    /// Reads the rules of a workspace.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, Fault> {
        let files = workspace.ignore_files();
        let mut outer = Vec::new();
        if let Some(top) = workspace.root().ancestors().find(|folder| is_top(folder)) {
            let mut below = String::new();
            let mut folder = workspace.root();
            // Folders above the root count only within the same repository.
            while folder != top {
                let (Some(name), Some(above)) = (folder.file_name().and_then(|name| name.to_str()), folder.parent())
                else {
                    break;
                };
                below = join(name, &below);
                folder = above;
                if let Some(rules) = files.read_at(&folder.join(NAME))? {
                    outer.push((below.clone(), rules));
                }
            }
            if let Some(rules) = exclude_file(top).map(|file| files.read_at(&file)).transpose()?.flatten() {
                outer.push((below, rules));
            }
        }
        Ok(Self { workspace: workspace.clone(), outer, user_rules: files.of_user()?, levels: Mutex::default() })
    }

    /// Whether the rules exclude a real path; its folders are assumed to be included.
    pub(super) fn is_ignored_path(&self, path: &str, is_folder: bool) -> Result<bool, Fault> {
        let level = self.level(path.rsplit_once('/').map_or("", |(folder, _)| folder))?;
        let mut levels = Some(&level);
        while let Some(level) = levels {
            let below = &path[level.start..];
            if let Some(matched) = level.rules.as_ref().and_then(|rules| rules.matched(below, is_folder)) {
                return Ok(matched);
            }
            if level.is_top {
                return Ok(self.is_ignored_by_user(below, is_folder));
            }
            levels = level.above.as_ref();
        }
        for (root, rules) in &self.outer {
            if let Some(matched) = rules.matched(&join(root, path), is_folder) {
                return Ok(matched);
            }
        }
        Ok(self.is_ignored_by_user(path, is_folder))
    }

    /// Whether the rules exclude a file or one of its folders.
    pub(super) fn is_ignored_with_parents(&self, path: &str) -> Result<bool, Fault> {
        for (at, _) in path.match_indices('/') {
            if self.is_ignored_path(&path[..at], true)? {
                return Ok(true);
            }
        }
        self.is_ignored_path(path, false)
    }

    fn is_ignored_by_user(&self, path: &str, is_folder: bool) -> bool {
        self.user_rules.as_ref().and_then(|rules| rules.matched(path, is_folder)).unwrap_or(false)
    }

    fn level(&self, folder: &str) -> Result<Arc<Level>, Fault> {
        if let Some(level) = self.levels().get(folder) {
            return level.clone();
        }
        let level = self.read_level(folder);
        self.levels().insert(folder.to_owned(), level.clone());
        level
    }

    fn read_level(&self, folder: &str) -> Result<Arc<Level>, Fault> {
        let is_root = folder.is_empty();
        let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
        let dir = self.workspace.dir();
        Ok(Arc::new(Level {
            above: if is_root { None } else { Some(self.level(above)?) },
            start: if is_root { 0 } else { folder.len() + 1 },
            rules: self.workspace.ignore_files().read_in(dir, &join(folder, NAME))?,
            is_top: !is_root && dir.symlink_metadata(join(folder, ".git")).is_ok(),
        }))
    }

    /// A poisoned lock is ignored: each change of the map is atomic.
    fn levels(&self) -> MutexGuard<'_, HashMap<String, Result<Arc<Level>, Fault>>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a folder is the top of a repository's working tree.
pub(super) fn is_top(folder: &Path) -> bool {
    folder.join(".git").symlink_metadata().is_ok()
}

/// The exclude file of the repository at this top. Linked worktrees share it.
fn exclude_file(top: &Path) -> Option<PathBuf> {
    let git = top.join(".git");
    let folder = if git.is_dir() {
        git
    } else {
        let named = read_pointer(top, ".git")?;
        top.join(named.strip_prefix("gitdir:")?.trim())
    };
    let common = read_pointer(&folder, "commondir").map_or_else(|| folder.clone(), |common| folder.join(common.trim()));
    Some(common.join("info").join("exclude"))
}

fn read_pointer(folder: &Path, name: &str) -> Option<String> {
    let dir = Dir::open_ambient_dir(folder, ambient_authority()).ok()?;
    if !dir.symlink_metadata(name).ok()?.is_file() {
        return None;
    }
    String::from_utf8(read(&dir, Path::new(name), MAX_POINTER).ok()??).ok()
}

fn join(folder: &str, name: &str) -> String {
    match (folder.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (_, true) => folder.to_owned(),
        _ => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests;
