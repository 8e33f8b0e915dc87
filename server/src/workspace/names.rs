//! Which names are one file: asked of the disk, folder by folder.
//!
//! On some file systems `Foo` and `foo` are one file, on others two, and on some it is a property of each folder; the
//! forms of a text (NFC, NFD) are told apart by some and not by others, and people and models cannot see them. So the
//! rule is: a name is what the disk says it is. The exact name counts first; then the name under which the disk finds
//! a file all the same; then the only one that differs in nothing but its form.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use unicode_normalization::UnicodeNormalization;

use super::Workspace;
use crate::contracts::{FileKeys, RepoPath, name_key};

/// How many names of a folder are tried to find out whether it folds case.
const TRIED: usize = 32;

/// The disk as far as names matter. Paths are from the root, with `/`; the root is empty.
trait Disk {
    /// What tells files apart (a device and an inode, say); `None` when nothing is there. Links are not followed.
    fn id(&self, path: &str) -> Option<FileId>;
    /// The names in a folder; only so many, where that is enough.
    fn list(&self, folder: &str, most: usize) -> Vec<String>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileId {
    /// Device and inode.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The system tells no more than that something is there.
    #[cfg(not(unix))]
    Unknown,
}

/// What was asked of a disk so far. It holds for as long as nothing is written, so it is made for one look.
struct Names<D> {
    disk: D,
    folds: RefCell<HashMap<String, bool>>,
    lists: RefCell<HashMap<String, Rc<Vec<String>>>>,
}

impl Workspace {
    /// The path by the names that the disk has for it. What does not exist stays as it is spelled, below the real name
    /// of the folder it would be in.
    pub fn on_disk(&self, path: &RepoPath) -> RepoPath {
        Names::of(self).on_disk(path)
    }

    /// Of these paths, those that the disk has by another name, with that name.
    pub fn other_names<'a>(&self, paths: impl IntoIterator<Item = &'a RepoPath>) -> HashMap<RepoPath, RepoPath> {
        let names = Names::of(self);
        let named = paths.into_iter().map(|path| (path.clone(), names.on_disk(path)));
        named.filter(|(asked, real)| asked != real).collect()
    }

    /// Which of these paths name one file. Paths that are not among them are told apart as names in the root are.
    pub fn file_keys<'a>(&self, paths: impl IntoIterator<Item = &'a RepoPath>) -> FileKeys {
        let names = Names::of(self);
        let mut keys = FileKeys::of_disk(names.folds(""));
        for path in paths {
            keys.note(path, names.key(path));
        }
        keys
    }

    /// The same for paths as they stand in a handoff; what is no path is left out.
    pub fn file_keys_of<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> FileKeys {
        let paths: Vec<RepoPath> = texts.into_iter().filter_map(|text| RepoPath::parse(text).ok()).collect();
        self.file_keys(&paths)
    }
}

impl<'a> Names<&'a Workspace> {
    fn of(workspace: &'a Workspace) -> Self {
        Self { disk: workspace, folds: RefCell::default(), lists: RefCell::default() }
    }
}

impl<D: Disk> Names<D> {
    fn on_disk(&self, path: &RepoPath) -> RepoPath {
        let mut real = String::new();
        for component in path.components() {
            let name = self.find(&real, component).unwrap_or_else(|| component.to_owned());
            real = join(&real, &name);
        }
        // A name that the disk has and no path may have: then nothing is found under the asked one either.
        RepoPath::parse(&real).ok().filter(|parsed| parsed.as_str() == real).unwrap_or_else(|| path.clone())
    }

    fn key(&self, path: &RepoPath) -> String {
        let (mut real, mut key) = (String::new(), String::new());
        for component in path.components() {
            let found = self.find(&real, component);
            let name = found.as_deref().unwrap_or(component);
            let has_twin = || {
                let form = name_key(name, false);
                self.list(&real).iter().filter(|other| name_key(other, false) == form).count() > 1
            };
            key = if !name.is_ascii() && found.is_some() && has_twin() {
                join(&key, name)
            } else {
                join(&key, &name_key(name, self.folds(&real)))
            };
            real = join(&real, name);
        }
        key
    }

    /// The name that the disk has for a name in a folder; `None` when nothing is there.
    fn find(&self, folder: &str, name: &str) -> Option<String> {
        let path = join(folder, name);
        let Some(id) = self.disk.id(&path) else {
            if name.is_ascii() {
                return None;
            }
            let form = name_key(name, false);
            let list = self.list(folder);
            let mut alike = list.iter().filter(|other| name_key(other, false) == form);
            // Of several that differ from it in form alone, none is meant more than another.
            return alike.next().filter(|_| alike.next().is_none()).cloned();
        };
        // Where none of the names that could be the same leads there, it is this very one: no folder need be read.
        if variants(name).all(|other| self.disk.id(&join(folder, &other)) != Some(id)) {
            return Some(name.to_owned());
        }
        let list = self.list(folder);
        if list.iter().any(|other| other == name) {
            return Some(name.to_owned());
        }
        let folded = name_key(name, true);
        let is_it = |other: &&String| {
            #[cfg(unix)]
            return self.disk.id(&join(folder, other)) == Some(id);
            #[cfg(not(unix))]
            return self.disk.id(&join(folder, other)) == Some(id) && name_key(other, true) == folded;
        };
        let alike = list.iter().filter(|other| name_key(other, true) == folded).find(is_it);
        // Folders fold by tables of their own.
        alike.or_else(|| list.iter().find(is_it)).cloned().or_else(|| Some(name.to_owned()))
    }

    /// Whether a folder takes names that differ in case for one. A folder that does not exist, or has no name that
    /// tells, is as the one above.
    fn folds(&self, folder: &str) -> bool {
        if let Some(known) = self.folds.borrow().get(folder) {
            return *known;
        }
        let folds = self.probe(folder).unwrap_or_else(|| match folder.rsplit_once('/') {
            Some((parent, _)) => self.folds(parent),
            None if !folder.is_empty() => self.folds(""),
            None => cfg!(any(windows, target_os = "macos")),
        });
        self.folds.borrow_mut().insert(folder.to_owned(), folds);
        folds
    }

    fn probe(&self, folder: &str) -> Option<bool> {
        for name in &self.disk.list(folder, TRIED) {
            let Some(other) = other_case(name) else { continue };
            // What has gone meanwhile tells nothing.
            let Some(id) = self.disk.id(&join(folder, name)) else { continue };
            // Where both are there by name they are told apart, also as two names of one file.
            let is_same = self.disk.id(&join(folder, &other)) == Some(id);
            return Some(is_same && !self.list(folder).contains(&other));
        }
        None
    }

    fn list(&self, folder: &str) -> Rc<Vec<String>> {
        if let Some(known) = self.lists.borrow().get(folder) {
            return known.clone();
        }
        let mut list = self.disk.list(folder, usize::MAX);
        list.sort();
        let list = Rc::new(list);
        self.lists.borrow_mut().insert(folder.to_owned(), list.clone());
        list
    }
}

/// The name in the other case; `None` when it has no letters.
fn other_case(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let other = if upper == name { name.to_lowercase() } else { upper };
    Some(other).filter(|other| other != name)
}

/// A name in the other case and in the other form, as far as there are such.
fn variants(name: &str) -> impl Iterator<Item = String> {
    let forms = [name.nfc().collect::<String>(), name.nfd().collect()];
    other_case(name).into_iter().chain(forms.into_iter().filter(move |form| form != name))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

impl Disk for &Workspace {
    fn id(&self, path: &str) -> Option<FileId> {
        let metadata = self.dir().symlink_metadata(path).ok()?;
        #[cfg(unix)]
        {
            use cap_std::fs::MetadataExt;
            Some(FileId::Inode(metadata.dev(), metadata.ino()))
        }
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Some(FileId::Unknown)
        }
    }

    fn list(&self, folder: &str, most: usize) -> Vec<String> {
        let folder = if folder.is_empty() { "." } else { folder };
        let Ok(entries) = self.dir().read_dir(folder) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).take(most).collect()
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
