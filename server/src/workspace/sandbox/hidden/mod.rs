//! What of the workspace and of the home folder a check does not see: files of secrets, and what Baton keeps for itself.
//!
//! The names are those of `protect`, looked for by a walk; in the home folder, where programs keep their logins at known
//! places, a table holds these besides. What others have published (installed packages, caches of package managers) is
//! left alone, whatever its files are called: builds need it, and it holds no secret of this user.
//!
//! Bounds: a walk visits so many entries, nearest first, and says where it was cut. The home folder is looked through once a
//! run, the workspace before each check.

mod table;
mod values;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::contracts::RepoPath;
use crate::workspace::protect::{Kind, TABLE, is_secret, is_secret_text};
use table::{AT_HOME, MARKS, NOT_WALKED, PACKAGES};
use values::values_of;

/// Entries that are visited in the workspace.
const MAX_IN_WORKSPACE: usize = 500_000;
/// Entries that are visited in the home folder.
const MAX_IN_HOME: usize = 200_000;
/// How long one walk may take.
const MAX_TIME: Duration = Duration::from_secs(3);
/// JSON files whose content is looked at, as a key of a service account may have any name.
const MAX_JSON: usize = 2_000;
/// The largest file that is read, in bytes; keys and logins are smaller.
const MAX_BYTES: u64 = 64 * 1024;
/// Files whose values are read to be masked.
const MAX_VALUE_FILES: usize = 500;

/// Where to look.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// The root of the workspace.
    pub(super) workspace: PathBuf,
    /// The home folders: that of `$HOME`, and that of the user's entry in the system's list.
    pub(super) homes: Vec<PathBuf>,
    /// Folders that Baton keeps its own files in, the memory folder among them.
    pub(super) own: Vec<PathBuf>,
    /// Files and folders that variables of the user name as holding secrets.
    pub(super) named: Vec<PathBuf>,
}

/// A file or a folder that a check does not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hidden {
    /// Its real path.
    pub(super) path: PathBuf,
    /// Whether it is a folder, hidden with all that is in it.
    pub(super) is_folder: bool,
    /// Why, as a part of a sentence that a person reads.
    pub(super) why: &'static str,
    /// Whether a check that says `secrets = true` sees it.
    pub(super) is_secret: bool,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// What is hidden, sorted by path; nothing beneath a folder that is hidden itself.
    pub(super) hidden: Vec<Hidden>,
    /// Sockets and FIFOs, through which a check could reach a program outside.
    pub(super) special: Vec<PathBuf>,
    /// The folders that were too large to be looked through.
    pub(super) cut: Vec<PathBuf>,
}

impl Found {
    /// What a check does not see, secrets left out of it where the check may read them.
    pub(super) fn for_check(&self, secrets: bool) -> impl Iterator<Item = &Hidden> {
        self.hidden.iter().filter(move |hidden| !(secrets && hidden.is_secret))
    }

    /// The secret files of the workspace, by their paths from its root: what a failing check may have missed.
    pub(super) fn in_workspace(&self, root: &Path) -> Vec<String> {
        let secrets = self.hidden.iter().filter(|hidden| hidden.is_secret);
        secrets.filter_map(|hidden| Some(hidden.path.strip_prefix(root).ok()?.to_string_lossy().into_owned())).collect()
    }

    /// The values that the secret files hold, for a check that can read them: they are masked in what it prints.
    pub(super) fn values(&self) -> Vec<String> {
        let files = self.hidden.iter().filter(|hidden| hidden.is_secret && !hidden.is_folder);
        let mut values: Vec<String> = files
            .take(MAX_VALUE_FILES)
            .filter_map(|hidden| read(&hidden.path))
            .flat_map(|bytes| values_of(&String::from_utf8_lossy(&bytes)))
            .collect();
        values.sort();
        values.dedup();
        values
    }
}

/// Looks for what is to be hidden of the home folders, without the workspace where that lies in one.
pub(super) fn at_home(places: &Places) -> Found {
    let mut search = Search::default();
    // It is looked through by itself, and more often.
    search.walked.extend(places.workspace.canonicalize());
    for home in homes(places) {
        for row in AT_HOME {
            for path in row.paths {
                search.hide(&home.join(path), row.why, true);
            }
        }
        // The names without `*` of the table of secrets, where they would stand in a home folder.
        for row in TABLE.iter().filter(|row| row.kind == Kind::Secret) {
            for name in row.names.iter().filter(|name| !name.contains('*') && **name != "secrets/") {
                search.hide(&home.join(name.trim_end_matches('/')), row.why, true);
            }
        }
        search.walk(&home, MAX_IN_HOME, NOT_WALKED);
    }
    search.finish()
}

/// Looks for all that is to be hidden; `at_home` is what was found there.
pub(super) fn find(places: &Places, at_home: &Found) -> Found {
    let mut search = Search { special: at_home.special.clone(), cut: at_home.cut.clone(), ..Search::default() };
    search.hidden.extend(at_home.hidden.iter().map(|hidden| (hidden.path.clone(), hidden.clone())));
    for path in &places.own {
        search.hide(path, "what Baton keeps for itself", false);
    }
    for path in &places.named {
        search.hide(path, "a variable of the environment says that it holds secrets", true);
    }
    search.walk(&places.workspace, MAX_IN_WORKSPACE, &[]);
    search.other_names(&places.workspace);
    search.finish()
}

/// The home folders there are, each once. The root of the file system is the home of some service users, and no place to
/// look through.
fn homes(places: &Places) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> = places.homes.iter().filter_map(|home| home.canonicalize().ok()).collect();
    homes.retain(|home| home.parent().is_some());
    homes.sort();
    homes.dedup();
    homes
}

#[derive(Default)]
struct Search {
    hidden: BTreeMap<PathBuf, Hidden>,
    special: Vec<PathBuf>,
    cut: Vec<PathBuf>,
    walked: HashSet<PathBuf>,
    json: usize,
}

impl Search {
    /// Hides what a path leads to, if there is anything.
    fn hide(&mut self, path: &Path, why: &'static str, is_secret: bool) {
        // A link is not hidden but what it leads to, wherever that is.
        let Ok(real) = path.canonicalize() else { return };
        let Ok(metadata) = fs::metadata(&real) else { return };
        // A link to all of a home folder, say, is a mistake.
        if real.components().count() <= 2 {
            return;
        }
        let is_folder = metadata.is_dir();
        let new = Hidden { path: real.clone(), is_folder, why, is_secret };
        self.hidden
            .entry(real)
            // What is Baton's own stays hidden where secrets may be read.
            .and_modify(|known| known.is_secret &= is_secret)
            .or_insert(new);
    }

    /// Visits a folder, the nearest first.
    fn walk(&mut self, root: &Path, most: usize, not_walked: &[&str]) {
        let Ok(root) = root.canonicalize() else { return };
        let began = Instant::now();
        let mut folders = VecDeque::from([(root.clone(), String::new())]);
        let mut visited = 0;
        while let Some((folder, below)) = folders.pop_front() {
            if visited >= most || began.elapsed() > MAX_TIME {
                self.cut.push(root);
                return;
            }
            if self.hidden.get(&folder).is_some_and(|hidden| hidden.is_folder) || !self.walked.insert(folder.clone()) {
                continue;
            }
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            let entries: Vec<fs::DirEntry> = entries.flatten().collect();
            visited += entries.len();
            if !below.is_empty() && entries.iter().any(|entry| MARKS.iter().any(|mark| entry.file_name() == *mark)) {
                continue;
            }
            for entry in entries {
                let name = entry.file_name();
                let relative = join(&below, &name);
                if let Some(folder) = self.visit(&entry, &relative, not_walked) {
                    folders.push_back((folder, relative));
                }
            }
        }
    }

    /// Judges an entry. Returns it if it is a folder to be walked.
    fn visit(&mut self, entry: &fs::DirEntry, relative: &str, not_walked: &[&str]) -> Option<PathBuf> {
        let kind = entry.file_type().ok()?;
        let path = entry.path();
        if kind.is_dir() {
            if PACKAGES.iter().any(|packages| entry.file_name() == *packages) || not_walked.contains(&relative) {
                return None;
            }
            // Where even code in it counts as secret, the folder is one; in others each file is judged.
            if is_secret_name(&format!("{relative}/a.rs")) && !is_marked(&path) {
                self.hide(&path, BY_NAME, true);
                return None;
            }
            return Some(path);
        }
        if kind.is_file() || kind.is_symlink() {
            if is_secret_name(relative) || (kind.is_file() && self.is_secret_json(&path)) {
                self.hide(&path, BY_NAME, true);
            }
        } else if !is_device(kind) {
            self.special.push(path);
        }
        None
    }

    fn is_secret_json(&mut self, path: &Path) -> bool {
        if path.extension() != Some(OsStr::new("json")) || self.json >= MAX_JSON {
            return false;
        }
        self.json += 1;
        read(path).is_some_and(|bytes| is_secret_text(&bytes))
    }

    /// A file that is the same as a secret one, under another name.
    #[cfg(unix)]
    fn other_names(&mut self, workspace: &Path) {
        use std::os::unix::fs::MetadataExt;
        let identity = |path: &Path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            (metadata.is_file() && metadata.nlink() > 1).then(|| (metadata.dev(), metadata.ino()))
        };
        let secrets = self.hidden.values().filter(|hidden| hidden.is_secret && !hidden.is_folder);
        let known: HashSet<(u64, u64)> = secrets.filter_map(|hidden| identity(&hidden.path)).collect();
        if known.is_empty() {
            return;
        }
        let Ok(workspace) = workspace.canonicalize() else { return };
        let mut folders: Vec<PathBuf> =
            self.walked.iter().filter(|folder| folder.starts_with(&workspace)).cloned().collect();
        folders.sort();
        for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_file())
                && identity(&path).is_some_and(|id| known.contains(&id))
            {
                self.hide(&path, "it is a file of secrets under another name", true);
            }
        }
    }

    #[cfg(not(unix))]
    fn other_names(&mut self, _: &Path) {}

    fn finish(self) -> Found {
        let mut hidden: Vec<Hidden> = Vec::new();
        for next in self.hidden.into_values() {
            // Sorted by path, a folder stands before what is in it.
            let is_beneath = |last: &Hidden| {
                last.is_folder && next.path.starts_with(&last.path) && (!last.is_secret || next.is_secret)
            };
            if !hidden.iter().rev().any(is_beneath) {
                hidden.push(next);
            }
        }
        Found { hidden, special: self.special, cut: self.cut }
    }
}

const BY_NAME: &str = "its name, or what is in it, says that it holds secrets";

fn join(below: &str, name: &OsStr) -> String {
    let name = name.to_string_lossy();
    if below.is_empty() { name.into_owned() } else { format!("{below}/{name}") }
}

/// Whether a path is that of a secret. One that no plan could name is judged by what can be read of it.
fn is_secret_name(relative: &str) -> bool {
    RepoPath::parse(relative).or_else(|_| RepoPath::parse(&readable(relative))).is_ok_and(|path| is_secret(&path))
}

fn readable(relative: &str) -> String {
    let names = relative.split('/').map(|name| {
        let name: String = name.chars().filter(|c| c.is_alphanumeric() || "._-~#".contains(*c)).collect();
        let name = name.trim_end_matches('.');
        if name.is_empty() { "_".to_owned() } else { name.to_owned() }
    });
    names.collect::<Vec<String>>().join("/")
}

fn is_marked(folder: &Path) -> bool {
    MARKS.iter().any(|mark| folder.join(mark).exists())
}

#[cfg(unix)]
fn is_device(kind: fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_block_device() || kind.is_char_device()
}

#[cfg(not(unix))]
fn is_device(_: fs::FileType) -> bool {
    true
}

/// A small regular file; opened without waiting, as it may have been replaced by a FIFO.
fn read(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::symlink_metadata(path).ok()?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return None;
    }
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let mut bytes = Vec::new();
    options.open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// The home folder of a user by the system's list of users; see passwd(5).
#[cfg(unix)]
pub(super) fn home_of_user() -> Option<PathBuf> {
    let id = rustix::process::getuid().as_raw();
    let text = fs::read_to_string("/etc/passwd").ok()?;
    home_in(&text, id)
}

#[cfg(unix)]
fn home_in(passwd: &str, id: u32) -> Option<PathBuf> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, user, _, _, home, ..] = fields[..] else { return None };
        (user.parse() == Ok(id) && home.starts_with('/')).then(|| PathBuf::from(home))
    })
}

#[cfg(test)]
mod tests;
