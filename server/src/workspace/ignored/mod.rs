//! Which files git's rules leave out.
//!
//! The rules are read here, and by no library: a file of rules is a regular one, never a link (git follows none either)
//! and never a pipe, has a limit, and is read and compiled once for as long as it stays the same. Source: git
//! documentation, gitignore.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use ignore::gitignore::{Gitignore, GitignoreBuilder, gitconfig_excludes_path};

use crate::workspace::{Workspace, WorkspaceError};

/// The largest file of rules, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Most rules of one file.
const MAX_RULES: usize = 50_000;

/// Most rules kept compiled, of all files together.
const MAX_KEPT: usize = 100_000;

/// A longer rule is passed over: no path is as long.
const LONGEST_RULE: usize = 4_096;

/// Rules compiled together; where they are too much for that, in halves.
const TOGETHER: usize = 1_000;

const NAME: &str = ".gitignore";

/// The largest file that says where a repository is, in bytes.
const MAX_POINTER: u64 = 64 * 1024;

/// Files of rules that were read, by where they are.
#[derive(Debug, Default)]
pub(super) struct IgnoreFiles {
    read: Mutex<Kept>,
    /// The user's own file of rules.
    users: OnceLock<Option<PathBuf>>,
}

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<PathBuf, (Identity, Result<Arc<Rules>, String>)>,
    rules: usize,
}

/// What tells that a file is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and when the inode was changed, where there are any.
    unix: Option<(u64, u64, i64, i64)>,
}

/// The rules of one file, in parts; later ones win.
#[derive(Debug, Default)]
struct Rules {
    parts: Vec<Gitignore>,
    count: usize,
}

/// A folder on the way to a file, with the rules that hold in it.
#[derive(Debug)]
struct Level {
    above: Option<Arc<Level>>,
    /// The folder's name in the one above; of the first level, where the root lies below the file of its rules.
    name: String,
    rules: Option<Arc<Rules>>,
    /// A repository of its own: no rules from above hold in it, but the user's.
    is_top: bool,
}

/// The rules of a workspace as they are now, for one walk or one question.
#[derive(Debug)]
pub(super) struct Ignored {
    workspace: Workspace,
    /// Rules from above the root and from the repository, the strongest first, each with the root's place below it.
    around: Vec<(String, Arc<Rules>)>,
    users: Option<Arc<Rules>>,
    levels: Mutex<HashMap<String, Result<Arc<Level>, Fault>>>,
}

/// A file of rules that cannot be used.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    file: String,
    why: String,
}

impl From<Fault> for WorkspaceError {
    fn from(Fault { file, why }: Fault) -> Self {
        Self::IgnoreFile { file, why }
    }
}

impl Ignored {
    /// The rules of a workspace.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, Fault> {
        let files = workspace.ignore_files();
        let mut around = Vec::new();
        if let Some(top) = workspace.root().ancestors().find(|folder| is_top(folder)) {
            let mut below = String::new();
            let mut folder = workspace.root();
            // What is above the root counts only where it is of the same repository.
            while folder != top {
                let (Some(name), Some(above)) = (folder.file_name().and_then(|name| name.to_str()), folder.parent())
                else {
                    break;
                };
                below = join(name, &below);
                folder = above;
                if let Some(rules) = files.outside(&folder.join(NAME))? {
                    around.push((below.clone(), rules));
                }
            }
            if let Some(rules) = exclude_file(top).map(|file| files.outside(&file)).transpose()?.flatten() {
                around.push((below, rules));
            }
        }
        let users = files.users.get_or_init(|| gitconfig_excludes_path().and_then(|path| path.canonicalize().ok()));
        let users = users.as_deref().map(|file| files.outside(file)).transpose()?.flatten();
        Ok(Self { workspace: workspace.clone(), around, users, levels: Mutex::default() })
    }

    /// Whether the rules leave out what stands at a real path, whose folders they don't leave out.
    pub(super) fn leaves_out(&self, path: &str, is_folder: bool) -> Result<bool, Fault> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut level = Some(self.level(folder)?);
        let mut below = name.to_owned();
        while let Some(this) = level {
            if let Some(verdict) = this.rules.as_ref().and_then(|rules| rules.verdict(&below, is_folder)) {
                return Ok(verdict);
            }
            if this.is_top {
                return Ok(self.by_user(&below, is_folder));
            }
            if this.above.is_some() {
                below = join(&this.name, &below);
            }
            level = this.above.clone();
        }
        for (root, rules) in &self.around {
            if let Some(verdict) = rules.verdict(&join(root, path), is_folder) {
                return Ok(verdict);
            }
        }
        Ok(self.by_user(path, is_folder))
    }

    /// Whether the rules leave out a file, or one of the folders it is in.
    pub(super) fn leaves_out_with_folders(&self, path: &str) -> Result<bool, Fault> {
        for (at, _) in path.match_indices('/') {
            if self.leaves_out(&path[..at], true)? {
                return Ok(true);
            }
        }
        self.leaves_out(path, false)
    }

    fn by_user(&self, path: &str, is_folder: bool) -> bool {
        self.users.as_ref().and_then(|rules| rules.verdict(path, is_folder)).unwrap_or(false)
    }

    fn level(&self, folder: &str) -> Result<Arc<Level>, Fault> {
        if let Some(level) = self.levels().get(folder) {
            return level.clone();
        }
        let level = self.look(folder);
        self.levels().insert(folder.to_owned(), level.clone());
        level
    }

    fn look(&self, folder: &str) -> Result<Arc<Level>, Fault> {
        let is_root = folder.is_empty();
        let (above, name) = folder.rsplit_once('/').unwrap_or(("", folder));
        let dir = self.workspace.dir();
        Ok(Arc::new(Level {
            above: if is_root { None } else { Some(self.level(above)?) },
            name: name.to_owned(),
            rules: self.workspace.ignore_files().beneath(dir, &join(folder, NAME))?,
            is_top: !is_root && dir.symlink_metadata(join(folder, ".git")).is_ok(),
        }))
    }

    /// Each change of the map is whole.
    fn levels(&self) -> MutexGuard<'_, HashMap<String, Result<Arc<Level>, Fault>>> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IgnoreFiles {
    /// The rules of a file beneath the root; `None` when there is none.
    fn beneath(&self, dir: &Dir, path: &str) -> Result<Option<Arc<Rules>>, Fault> {
        self.rules(dir, path, PathBuf::from(path))
    }

    /// The rules of a file anywhere, by its whole path.
    fn outside(&self, path: &Path) -> Result<Option<Arc<Rules>>, Fault> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let Ok(dir) = Dir::open_ambient_dir(folder, ambient_authority()) else { return Ok(None) };
        self.rules(&dir, name, path.to_owned())
    }

    fn rules(&self, dir: &Dir, name: impl AsRef<Path>, place: PathBuf) -> Result<Option<Arc<Rules>>, Fault> {
        let name = name.as_ref();
        let Ok(metadata) = dir.symlink_metadata(name) else { return Ok(None) };
        if !metadata.is_file() {
            if !metadata.is_dir() {
                tracing::warn!(file = %place.display(), "not a regular file: its ignore rules do not count");
            }
            return Ok(None);
        }
        let identity = Identity::of(&metadata);
        let fault = |why: String| Fault { file: place.display().to_string(), why };
        if let Some((_, rules)) = self.kept().files.get(&place).filter(|(known, _)| *known == identity) {
            return rules.clone().map(Some).map_err(fault);
        }
        let rules = match read(dir, name, MAX_BYTES) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => Rules::compile(&bytes).map(Arc::new),
            Err(error) => Err(error.to_string()),
        };
        let count = rules.as_ref().map_or(0, |rules| rules.count);
        let mut kept = self.kept();
        if kept.rules + count > MAX_KEPT {
            *kept = Kept::default();
        }
        kept.rules += count;
        kept.files.insert(place.clone(), (identity, rules.clone()));
        drop(kept);
        rules.map(Some).map_err(fault)
    }

    /// Each change of the map is whole.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    fn compile(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        // A line that is not UTF-8 names no file that is listed.
        let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
        let lines = lines.map(|line| line.strip_suffix('\r').unwrap_or(line));
        let is_rule = |line: &&str| !line.trim_end().is_empty() && !line.starts_with('#') && line.len() <= LONGEST_RULE;
        let mut rules = Self::default();
        let mut some: Vec<String> = Vec::new();
        for line in lines.filter(is_rule) {
            rules.count += 1;
            if rules.count > MAX_RULES {
                return Err(format!("it has more than {MAX_RULES} rules; shorten it"));
            }
            some.push(literal_braces(line));
            if some.len() == TOGETHER {
                rules.add(&some);
                some.clear();
            }
        }
        rules.add(&some);
        Ok(rules)
    }

    fn add(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let mut builder = GitignoreBuilder::new("");
        for line in lines {
            // What is no pattern leaves out nothing, to git too.
            let _ = builder.add_line(None, line);
        }
        match builder.build() {
            Ok(part) => self.parts.push(part),
            Err(_) if lines.len() > 1 => {
                let (first, second) = lines.split_at(lines.len() / 2);
                self.add(first);
                self.add(second);
            }
            Err(error) => tracing::warn!(%error, "an ignore rule is too large and does not count"),
        }
    }

    /// Whether a path, from the folder of the rules, is left out; `None` when no rule speaks of it.
    fn verdict(&self, path: &str, is_folder: bool) -> Option<bool> {
        self.parts
            .iter()
            .rev()
            .map(|part| part.matched(path, is_folder))
            .find(|found| !found.is_none())
            .map(|found| found.is_ignore())
    }
}

/// Git knows no alternatives: to it a brace is a brace.
fn literal_braces(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut class = false;
    let mut escaped = false;
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '{' | '}' if !class => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        Self { size: metadata.len(), modified, unix: unix_identity(metadata) }
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is none")]
fn unix_identity(metadata: &Metadata) -> Option<(u64, u64, i64, i64)> {
    use cap_std::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn unix_identity(_: &Metadata) -> Option<(u64, u64, i64, i64)> {
    None
}

/// Read a regular file, no link, without waiting for anybody to write to it. `None` when it is gone.
fn read(dir: &Dir, name: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = match dir.open_with(name, &options) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let too_large = || io::Error::other(format!("it is larger than {limit} bytes; shorten it"));
    if !metadata.is_file() {
        return Ok(None);
    }
    if metadata.len() > limit {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large()) } else { Ok(Some(bytes)) }
}

/// Whether a repository's working tree begins at a folder.
pub(super) fn is_top(folder: &Path) -> bool {
    folder.join(".git").symlink_metadata().is_ok()
}

/// Where the repository at this top keeps rules of its own. A working tree that is not its first shares them.
fn exclude_file(top: &Path) -> Option<PathBuf> {
    let git = top.join(".git");
    let folder = if git.is_dir() {
        git
    } else {
        let named = pointer(top, ".git")?;
        top.join(named.strip_prefix("gitdir:")?.trim())
    };
    let common = pointer(&folder, "commondir").map_or_else(|| folder.clone(), |common| folder.join(common.trim()));
    Some(common.join("info").join("exclude"))
}

fn pointer(folder: &Path, name: &str) -> Option<String> {
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
