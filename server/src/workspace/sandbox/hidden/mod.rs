//! What of the workspace and of the home folder a check does not see: files of secrets, and what Baton keeps for itself.
//!
//! The names are those of `protect`, looked for by a walk; in the home folder, where programs keep their logins at known
//! places, a table holds these besides. What others have published (installed packages, caches of package managers) is
//! left alone in the home folder, whatever its files are called: builds need it, and it holds no secret of this user. In the
//! workspace names are judged everywhere, as whoever writes there can make any folder look published.
//!
//! Bounds: a walk visits so many entries, nearest first. Of the home folder it says where it was cut; folders of the
//! workspace that it did not get to are hidden. The home folder is looked through once a run, the workspace before each
//! check, of which folders that have not changed since are not read again (`listings`).

mod files;
mod found;
mod listings;
mod logins;
mod names;
mod table;
mod values;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cap_std::fs::Metadata;

use crate::workspace::Workspace;
use crate::workspace::ignored::Ignored;
use crate::workspace::platform::inode;
use crate::workspace::protect::{Kind, TABLE, is_secret_text};
use files::{is_certificates, read};
pub(super) use found::{Found, Hidden, Places};
pub(super) use listings::Listings;
use listings::{Entry, Kind as EntryKind, Listing, is_json};
use logins::{GitFolders, config_files, masked};
use names::{is_secret_name, join};
use table::{AT_HOME, NOT_WALKED, PACKAGES, RELOCATED, REPOSITORIES};
pub(super) use values::worth_masking;

/// The bounds in the workspace: for what git does not ignore, and once more for the rest. What is beyond them is hidden, so
/// that they are wide.
const IN_WORKSPACE: Bounds = Bounds { entries: 500_000, time: Duration::from_secs(10) };
/// The bounds in the home folder.
const IN_HOME: Bounds = Bounds { entries: 200_000, time: Duration::from_secs(3) };
/// More folders than this are not hidden one by one because they were not looked through, but folders that hold them.
const MAX_COVERED: usize = 200;
/// JSON files whose content is looked at, as a key of a service account may have any name.
const MAX_JSON: usize = 2_000;
/// Looks for what is to be hidden of the home folders and of the repository that the workspace is a part of, without the
/// workspace.
pub(super) fn at_home(places: &Places) -> Found {
    let mut search = Search::of(places);
    // It is looked through by itself, and more often.
    search.walked.extend(search.workspace.clone());
    let homes = homes(places);
    if let Some(outer) = outer_repository(places) {
        search.git.add(&outer.join(".git"));
        // A home folder that is a repository, or is in one, is looked through as a home folder.
        if !homes.iter().any(|home| home.starts_with(&outer)) {
            search.walk_workspace(&outer, IN_WORKSPACE);
        }
    }
    for home in homes {
        search.git.add_config(&home.join(".gitconfig"));
        search.git.add_config(&home.join(".config/git/config"));
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
        search.walk_home(&home, IN_HOME);
    }
    search.finish()
}

/// Looks for all that is to be hidden; `at_home` is what was found there, and `listings` what was read of the workspace
/// before.
pub(super) fn find(places: &Places, at_home: &Found, listings: &mut Listings) -> Found {
    let mut search = Search::of(places);
    (search.special, search.cut) = (at_home.special.clone(), at_home.cut.clone());
    search.listings = std::mem::take(listings);
    search.hidden.extend(at_home.hidden.iter().map(|hidden| (hidden.path.clone(), hidden.clone())));
    for path in &places.own {
        search.hide(path, "what Baton keeps for itself", false);
    }
    for path in &places.named {
        search.hide(path, "a variable of the environment says that it holds secrets", true);
    }
    search.git.add(&places.workspace.join(".git"));
    search.walk_workspace(&places.workspace, IN_WORKSPACE);
    search.other_names(&places.workspace);
    search.listings.end_walk();
    *listings = std::mem::take(&mut search.listings);
    let mut found = search.finish();
    // What was masked then may have been changed.
    found.masked.extend(at_home.masked.iter().filter_map(|before| masked(&before.path)));
    found.masked.sort_by(|one, other| one.path.cmp(&other.path));
    found.masked.dedup_by(|one, other| one.path == other.path);
    found
}

/// The repository that the workspace lies in, if that is another folder: all of it can be read.
pub(super) fn outer_repository(places: &Places) -> Option<PathBuf> {
    let workspace = places.workspace.canonicalize().ok()?;
    let outer = workspace.ancestors().skip(1).find(|folder| folder.join(".git").exists())?;
    outer.parent().is_some().then(|| outer.to_owned())
}

/// The places of secrets that a variable, named in capital letters, puts into another folder than the home folder.
pub(super) fn relocated(variable: &str, folder: &Path) -> Vec<PathBuf> {
    let Some((_, usual)) = RELOCATED.iter().find(|(name, _)| *name == variable) else { return Vec::new() };
    let at_home = AT_HOME.iter().flat_map(|row| row.paths);
    let by_name = TABLE.iter().filter(|row| row.kind == Kind::Secret).flat_map(|row| row.names);
    let beneath = at_home.chain(by_name.filter(|name| !name.contains('*'))).filter_map(|path| {
        let rest = Path::new(path).strip_prefix(usual).ok()?;
        Some(if rest.as_os_str().is_empty() { folder.to_owned() } else { folder.join(rest) })
    });
    let found: BTreeSet<PathBuf> = beneath.collect();
    found.into_iter().collect()
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

/// How much of a tree is looked through.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    entries: usize,
    time: Duration,
}

/// A folder to be looked through.
#[derive(Debug, Clone)]
struct Step {
    folder: PathBuf,
    /// Its path from the root of the walk.
    relative: String,
    /// The path that what is in it is judged by.
    judged: String,
    /// Whether it says that others have published what is in it.
    is_published: bool,
}

impl Step {
    fn root(folder: PathBuf) -> Self {
        Self { folder, relative: String::new(), judged: String::new(), is_published: false }
    }

    fn is_root(&self) -> bool {
        self.relative.is_empty()
    }

    fn below(&self, folder: PathBuf, name: &OsStr) -> Self {
        let relative = join(&self.relative, name);
        // A virtual environment may be called `.env`: that is no name of a secret, and what is in it is judged without it.
        let judged = if is_virtual_environment(&folder) { String::new() } else { join(&self.judged, name) };
        let is_published = self.is_published || PACKAGES.iter().any(|packages| name == *packages);
        Self { folder, relative, judged, is_published }
    }
}

#[derive(Default)]
struct Search {
    hidden: BTreeMap<PathBuf, Hidden>,
    special: Vec<PathBuf>,
    cut: Vec<PathBuf>,
    walked: HashSet<PathBuf>,
    listings: Listings,
    json: usize,
    /// The real path of the workspace, which stays.
    workspace: Option<PathBuf>,
    git: GitFolders,
}

impl Search {
    fn of(places: &Places) -> Self {
        Self { workspace: places.workspace.canonicalize().ok(), ..Self::default() }
    }

    fn holds_workspace(&self, folder: &Path) -> bool {
        self.workspace.as_ref().is_some_and(|workspace| workspace.starts_with(folder))
    }

    /// Hides what a path leads to, if there is anything.
    fn hide(&mut self, path: &Path, why: &'static str, is_secret: bool) {
        // A link is not hidden but what it leads to, wherever that is.
        let Ok(real) = path.canonicalize() else { return };
        let Ok(metadata) = fs::metadata(&real) else { return };
        // A link to all of a home folder, say, is a mistake.
        if real.components().count() <= 2 || self.holds_workspace(&real) {
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

    fn is_hidden_folder(&self, folder: &Path) -> bool {
        self.hidden.get(folder).is_some_and(|hidden| hidden.is_folder)
    }

    /// Visits a home folder, the nearest first, without what others have published.
    fn walk_home(&mut self, home: &Path, bounds: Bounds) {
        let began = Instant::now();
        let mut steps = VecDeque::from([Step::root(home.to_owned())]);
        let mut visited = 0;
        while let Some(step) = steps.pop_front() {
            if visited >= bounds.entries || began.elapsed() > bounds.time {
                self.cut.push(home.to_owned());
                return;
            }
            if self.is_hidden_folder(&step.folder) || !self.walked.insert(step.folder.clone()) {
                continue;
            }
            let Ok(entries) = fs::read_dir(&step.folder) else { continue };
            let entries: Vec<fs::DirEntry> = entries.flatten().collect();
            visited += entries.len();
            let listing = Listing::of(&entries, &step.judged);
            if !step.is_root() && listing.has_mark {
                continue;
            }
            let found = listing.entries.iter().filter_map(|entry| self.visit(entry, &step));
            steps.extend(found.filter(|next| !next.is_published && !NOT_WALKED.contains(&next.relative.as_str())));
        }
    }

    /// Visits the workspace, what git ignores and what others have published last. Hides what it does not get to.
    fn walk_workspace(&mut self, root: &Path, bounds: Bounds) {
        let Ok(root) = root.canonicalize() else { return };
        // Where the rules cannot be read, no folder comes later because of them.
        let ignored = Workspace::open(&root).ok().and_then(|workspace| Ignored::of(&workspace).ok());
        let is_later = |step: &Step| {
            let is_ignored = |ignored: &Ignored| ignored.is_ignored_path(&step.relative, true).unwrap_or(false);
            step.is_published || ignored.as_ref().is_some_and(is_ignored)
        };
        let mut later = VecDeque::new();
        let steps = VecDeque::from([Step::root(root.clone())]);
        let mut unseen = self.look_through(steps, bounds, |step| {
            let is_later = !step.is_root() && is_later(step);
            if is_later {
                later.push_back(step.clone());
            }
            is_later
        });
        unseen.extend(self.look_through(later, bounds, |_| false));
        self.cover(&root, unseen);
    }

    /// Visits folders, the nearest first, without those that are put off. Returns those that it did not get through.
    fn look_through(
        &mut self,
        mut steps: VecDeque<Step>,
        bounds: Bounds,
        mut put_off: impl FnMut(&Step) -> bool,
    ) -> Vec<PathBuf> {
        let began = Instant::now();
        let mut visited = 0;
        let mut unseen = Vec::new();
        while let Some(mut step) = steps.pop_front() {
            if self.is_hidden_folder(&step.folder) || self.walked.contains(&step.folder) || put_off(&step) {
                continue;
            }
            // The root cannot be hidden, so that all that is in it is looked at.
            let is_root = step.is_root();
            let is_over = |visited| !is_root && (visited >= bounds.entries || began.elapsed() > bounds.time);
            if is_over(visited) {
                unseen.push(step.folder);
                continue;
            }
            let state = self.listings.state(&step.folder);
            let listing = match self.listings.known(&step.folder, state, &step.judged) {
                Some(listing) => {
                    visited += listing.count;
                    listing
                }
                None => match fs::read_dir(&step.folder) {
                    Ok(entries) => {
                        let begun = |_: &fs::DirEntry| {
                            let goes_on = !is_over(visited);
                            visited += usize::from(goes_on);
                            goes_on
                        };
                        let entries: Vec<fs::DirEntry> = entries.flatten().take_while(begun).collect();
                        let listing = Arc::new(Listing::of(&entries, &step.judged));
                        if !is_over(visited) {
                            self.listings.keep(&step.folder, state, &step.judged, &listing);
                        }
                        listing
                    }
                    Err(error) => {
                        // In a view a command can make its own copy of a closed folder readable.
                        if error.kind() != io::ErrorKind::NotFound && !is_root {
                            unseen.push(step.folder);
                        }
                        continue;
                    }
                },
            };
            if !step.is_published && !is_root && listing.has_mark {
                step.is_published = true;
                if put_off(&step) {
                    continue;
                }
            }
            let mut is_whole = !is_over(visited);
            for entry in &listing.entries {
                if !is_whole {
                    break;
                }
                steps.extend(self.visit(entry, &step));
                is_whole = is_root || began.elapsed() <= bounds.time;
            }
            if is_whole {
                self.walked.insert(step.folder);
            } else {
                unseen.push(step.folder);
            }
        }
        unseen
    }

    /// Hides folders that were not looked through; where they are many, folders that hold them.
    fn cover(&mut self, root: &Path, unseen: Vec<PathBuf>) {
        let depth = |folder: &Path| folder.components().count();
        let mut unseen: BTreeSet<PathBuf> = unseen.into_iter().collect();
        while unseen.len() > MAX_COVERED {
            let deepest = unseen.iter().map(|folder| depth(folder)).max().unwrap_or_default();
            if deepest <= depth(root) + 1 {
                break;
            }
            let shallower = |folder: &PathBuf| match folder.parent() {
                Some(parent) if depth(folder) == deepest && !self.holds_workspace(parent) => parent.to_owned(),
                _ => folder.clone(),
            };
            let fewer: BTreeSet<PathBuf> = unseen.iter().map(shallower).collect();
            // What is left lies beside the workspace.
            if fewer == unseen {
                break;
            }
            unseen = fewer;
        }
        for folder in unseen {
            self.hide(&folder, NOT_SEEN, true);
        }
    }

    /// Judges an entry. Returns it if it is a folder to be walked.
    fn visit(&mut self, entry: &Entry, step: &Step) -> Option<Step> {
        let path = step.folder.join(&entry.name);
        if entry.name == ".git" {
            self.git.add(&path);
        }
        match entry.kind {
            EntryKind::Folder => {
                if REPOSITORIES.iter().any(|repository| entry.name == *repository) {
                    return None;
                }
                let next = step.below(path, &entry.name);
                // Where even code in it counts as secret, the folder is one; in others each file is judged.
                if is_secret_name(&join(&next.judged, OsStr::new("a.rs"))) {
                    self.hide(&next.folder, BY_NAME, true);
                    return None;
                }
                return Some(next);
            }
            EntryKind::File | EntryKind::Link => {
                let is_secret = if step.is_published {
                    entry.is_secret_name && !is_certificates(&path)
                } else {
                    entry.is_secret_name || (entry.kind == EntryKind::File && self.is_secret_json(&path))
                };
                if is_secret {
                    self.hide(&path, BY_NAME, true);
                }
            }
            EntryKind::Special => self.special.push(path),
        }
        None
    }

    fn is_secret_json(&mut self, path: &Path) -> bool {
        if !path.file_name().is_some_and(is_json) || self.json >= MAX_JSON {
            return false;
        }
        self.json += 1;
        read(path).is_some_and(|bytes| is_secret_text(&bytes))
    }

    /// A file that is the same as a secret one, under another name.
    fn other_names(&mut self, workspace: &Path) {
        let identity = |path: &Path| {
            let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
            let inode = inode(&Metadata::from_just_metadata(metadata)).filter(|inode| inode.names > 1)?;
            Some(inode.id())
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

    fn finish(mut self) -> Found {
        let mut shown = Vec::new();
        for config in config_files(&std::mem::take(&mut self.git)) {
            match masked(&config) {
                Some(masked) if masked.is_whole => shown.push(masked),
                Some(_) => self.hide(&config, TOO_LARGE, true),
                None => {}
            }
        }
        let mut hidden: Vec<Hidden> = Vec::new();
        // The hidden folders around the next path, as places in the list. Sorted by path, a folder stands right before all
        // that is in it.
        let mut around: Vec<usize> = Vec::new();
        for next in self.hidden.into_values() {
            while around.last().is_some_and(|last| !next.path.starts_with(&hidden[*last].path)) {
                around.pop();
            }
            if around.iter().any(|outer| !hidden[*outer].is_secret || next.is_secret) {
                continue;
            }
            if next.is_folder {
                around.push(hidden.len());
            }
            hidden.push(next);
        }
        Found { hidden, special: self.special, cut: self.cut, masked: shown }
    }
}

const BY_NAME: &str = "its name, or what is in it, says that it holds secrets";
const TOO_LARGE: &str = "it is too large to be looked through for logins";
const NOT_SEEN: &str = "it could not be looked through for secrets";

/// Whether a folder is a virtual environment of Python. Its interpreter is a link there, which no edit of an agent makes, or a
/// program of Windows.
fn is_virtual_environment(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").is_file()
        && (folder.join("bin/python").is_symlink() || cfg!(windows) && folder.join("Scripts/python.exe").is_file())
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
