//! Rule files: read within bounds, compiled, and cached while they are unchanged.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use ignore::gitignore::{Gitignore, GitignoreBuilder, gitconfig_excludes_path};

use crate::workspace::error::WorkspaceError;
use crate::workspace::platform::inode;

/// The largest file of rules, in bytes.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The largest number of rules of one file.
pub(super) const MAX_RULES: usize = 50_000;

/// The largest number of compiled rules in the cache.
const MAX_KEPT: usize = 100_000;

/// Longer rules are skipped: no path is as long.
const LONGEST_RULE: usize = 4_096;

/// Rules that are compiled together; if they are too large for that, in halves.
const BATCH: usize = 1_000;

/// Rule files that were read, by path.
#[derive(Debug, Default)]
pub(in crate::workspace) struct IgnoreFiles {
    read: Mutex<Cache>,
    /// The user's global rule file.
    user_rules: OnceLock<Option<PathBuf>>,
}

#[derive(Debug, Default)]
struct Cache {
    files: HashMap<PathBuf, (FileStamp, Result<Arc<Rules>, String>)>,
    rules: usize,
}

/// Whether a file is unchanged since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, inode and its change time, if the system has them.
    unix: Option<(u64, u64, i64, i64)>,
}

/// The rules of one file, in parts; later ones win.
#[derive(Debug, Default)]
pub(super) struct Rules {
    parts: Vec<Gitignore>,
    count: usize,
}

/// A rule file that cannot be used.
#[derive(Debug, Clone)]
pub(in crate::workspace) struct Fault {
    file: String,
    why: String,
}

impl From<Fault> for WorkspaceError {
    fn from(Fault { file, why }: Fault) -> Self {
        Self::IgnoreFile { file, why }
    }
}

impl IgnoreFiles {
    /// The rules of a file beneath the root; `None` if there is none.
    pub(super) fn read_in(&self, dir: &Dir, path: &str) -> Result<Option<Arc<Rules>>, Fault> {
        self.rules(dir, path, PathBuf::from(path))
    }

    /// The rules of a file anywhere, by its absolute path.
    pub(super) fn read_at(&self, path: &Path) -> Result<Option<Arc<Rules>>, Fault> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let Ok(dir) = Dir::open_ambient_dir(folder, ambient_authority()) else { return Ok(None) };
        self.rules(&dir, name, path.to_owned())
    }

    /// The user's rules for all repositories.
    pub(super) fn of_user(&self) -> Result<Option<Arc<Rules>>, Fault> {
        let file = self.user_rules.get_or_init(|| gitconfig_excludes_path().and_then(|path| path.canonicalize().ok()));
        Ok(file.as_deref().map(|file| self.read_at(file)).transpose()?.flatten())
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
        let identity = FileStamp::of(&metadata);
        let fault = |why: String| Fault { file: place.display().to_string(), why };
        if let Some((_, rules)) = self.cache().files.get(&place).filter(|(known, _)| *known == identity) {
            return rules.clone().map(Some).map_err(fault);
        }
        let rules = match read(dir, name, MAX_BYTES) {
            Ok(None) => return Ok(None),
            Ok(Some(bytes)) => Rules::compile(&bytes).map(Arc::new),
            Err(error) => Err(error.to_string()),
        };
        let count = rules.as_ref().map_or(0, |rules| rules.count);
        let mut cache = self.cache();
        if cache.rules + count > MAX_KEPT {
            *cache = Cache::default();
        }
        cache.rules += count;
        cache.files.insert(place.clone(), (identity, rules.clone()));
        drop(cache);
        rules.map(Some).map_err(fault)
    }

    /// A poisoned lock is ignored: each change of the map is atomic.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    fn compile(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        // A line that is not UTF-8 matches no file that is listed.
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
            if some.len() == BATCH {
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
            // An invalid pattern matches nothing, as in git.
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

    /// Whether the rules exclude a path, relative to the folder of the rules; `None` if no rule matches.
    pub(super) fn matched(&self, path: &str, is_folder: bool) -> Option<bool> {
        self.parts
            .iter()
            .rev()
            .map(|part| part.matched(path, is_folder))
            .find(|found| !found.is_none())
            .map(|found| found.is_ignore())
    }
}

/// Escapes braces: git has no alternatives, so a brace is literal.
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

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().map(cap_std::time::SystemTime::into_std);
        Self { size: metadata.len(), modified, unix: unix_stamp(metadata) }
    }
}

fn unix_stamp(metadata: &Metadata) -> Option<(u64, u64, i64, i64)> {
    inode(metadata).map(|inode| (inode.device, inode.number, inode.changed.0, inode.changed.1))
}

/// Reads a regular file, no link, without blocking. `None` if it is gone.
pub(super) fn read(dir: &Dir, name: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
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
