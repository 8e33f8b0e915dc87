//! Which names are the same file, as the disk says, folder by folder.
//!
//! Case folding depends on the file system and sometimes on the folder; some file systems distinguish the normal forms
//! of a text (NFC, NFD) and others do not, and people and models cannot see them. So the disk decides: the exact name
//! first, then the name under which the disk finds a file, then the only one that differs in its normal form alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use unicode_normalization::UnicodeNormalization;

use super::Workspace;
use super::platform::inode;
use crate::contracts::{FileKeys, RepoPath, name_key};

/// How many names of a folder are tried to detect case folding.
const TRIED: usize = 32;

/// The part of the disk that names depend on. Paths are relative to the root, with `/`; the root is empty.
trait NameSource {
    /// The identity of a file (device and inode); `None` if nothing is there. Links are not followed.
    fn id(&self, path: &str) -> Option<FileId>;
    /// The names in a folder, at most `most`.
    fn list(&self, folder: &str, most: usize) -> Vec<String>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileId {
    /// Device and inode.
    Inode(u64, u64),
    /// The system only reports that something is there.
    Unknown,
}

/// Cached answers of a disk. Valid while nothing is written, so it is created for one operation.
struct Names<D> {
    disk: D,
    folds_case: RefCell<HashMap<String, bool>>,
    lists: RefCell<HashMap<String, Rc<Vec<String>>>>,
}

impl Workspace {
    /// The path with the names that the disk has. Missing components stay as given, below the real name of their
    /// folder.
    pub fn on_disk(&self, path: &RepoPath) -> RepoPath {
        Names::of(self).on_disk(path)
    }

    /// The paths that the disk has under another name, with that name.
    pub fn other_names<'a>(&self, paths: impl IntoIterator<Item = &'a RepoPath>) -> HashMap<RepoPath, RepoPath> {
        let names = Names::of(self);
        let named = paths.into_iter().map(|path| (path.clone(), names.on_disk(path)));
        named.filter(|(asked, real)| asked != real).collect()
    }

    /// Which of these paths are the same file. Other paths are compared as names in the root are.
    pub fn file_keys<'a>(&self, paths: impl IntoIterator<Item = &'a RepoPath>) -> FileKeys {
        let names = Names::of(self);
        let mut keys = FileKeys::of_disk(names.folds_case(""));
        for path in paths {
            keys.note(path, names.key(path));
        }
        keys
    }

    /// The same for paths of a handoff; invalid paths are left out.
    pub fn file_keys_of<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> FileKeys {
        let paths: Vec<RepoPath> = texts.into_iter().filter_map(|text| RepoPath::parse(text).ok()).collect();
        self.file_keys(&paths)
    }
}

impl<'a> Names<&'a Workspace> {
    fn of(workspace: &'a Workspace) -> Self {
        Self { disk: workspace, folds_case: RefCell::default(), lists: RefCell::default() }
    }
}

impl<D: NameSource> Names<D> {
    fn on_disk(&self, path: &RepoPath) -> RepoPath {
        let mut real = String::new();
        for component in path.components() {
            let name = self.find(&real, component).unwrap_or_else(|| component.to_owned());
            real = join(&real, &name);
        }
        // If the disk's name is no valid path, nothing is found under the given one either.
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
                join(&key, &name_key(name, self.folds_case(&real)))
            };
            real = join(&real, name);
        }
        key
    }

    /// The name that the disk has for a name in a folder; `None` if nothing is there.
    fn find(&self, folder: &str, name: &str) -> Option<String> {
        let path = join(folder, name);
        let Some(id) = self.disk.id(&path) else {
            if name.is_ascii() {
                return None;
            }
            let form = name_key(name, false);
            let list = self.list(folder);
            let mut alike = list.iter().filter(|other| name_key(other, false) == form);
            // If several names differ in normal form alone, it is ambiguous.
            return alike.next().filter(|_| alike.next().is_none()).cloned();
        };
        // If no variant of the name leads to the file, the name is exact: the folder need not be read.
        if variants(name).all(|other| self.disk.id(&join(folder, &other)) != Some(id)) {
            return Some(name.to_owned());
        }
        let list = self.list(folder);
        if list.iter().any(|other| other == name) {
            return Some(name.to_owned());
        }
        let folded = name_key(name, true);
        let is_it = |other: &&String| {
            self.disk.id(&join(folder, other)) == Some(id) && (id != FileId::Unknown || name_key(other, true) == folded)
        };
        let alike = list.iter().filter(|other| name_key(other, true) == folded).find(is_it);
        // Folders have their own folding tables.
        alike.or_else(|| list.iter().find(is_it)).cloned().or_else(|| Some(name.to_owned()))
    }

    /// Whether a folder folds case. A folder that is missing or has no name to test with is like its parent.
    fn folds_case(&self, folder: &str) -> bool {
        if let Some(known) = self.folds_case.borrow().get(folder) {
            return *known;
        }
        let folds_case = self.probe(folder).unwrap_or_else(|| match folder.rsplit_once('/') {
            Some((parent, _)) => self.folds_case(parent),
            None if !folder.is_empty() => self.folds_case(""),
            None => cfg!(any(windows, target_os = "macos")),
        });
        self.folds_case.borrow_mut().insert(folder.to_owned(), folds_case);
        folds_case
    }

    fn probe(&self, folder: &str) -> Option<bool> {
        for name in &self.disk.list(folder, TRIED) {
            let Some(other) = other_case(name) else { continue };
            // A file that is gone by now proves nothing.
            let Some(id) = self.disk.id(&join(folder, name)) else { continue };
            // If both names exist, the folder does not fold case, even if they are one file.
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

/// The name in the other case; `None` if it has no letters.
fn other_case(name: &str) -> Option<String> {
    let upper = name.to_uppercase();
    let other = if upper == name { name.to_lowercase() } else { upper };
    Some(other).filter(|other| other != name)
}

/// The variants of a name in the other case and in other normal forms.
fn variants(name: &str) -> impl Iterator<Item = String> {
    let forms = [name.nfc().collect::<String>(), name.nfd().collect()];
    other_case(name).into_iter().chain(forms.into_iter().filter(move |form| form != name))
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

impl NameSource for &Workspace {
    fn id(&self, path: &str) -> Option<FileId> {
        let metadata = self.dir().symlink_metadata(path).ok()?;
        Some(inode(&metadata).map_or(FileId::Unknown, |inode| FileId::Inode(inode.device, inode.number)))
    }

    fn list(&self, folder: &str, most: usize) -> Vec<String> {
        let folder = if folder.is_empty() { "." } else { folder };
        let Ok(entries) = self.dir().read_dir(folder) else { return Vec::new() };
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, path, skipped};
    use super::*;

    const NFC: &str = "caf\u{e9}.txt";
    const NFD: &str = "cafe\u{301}.txt";

    /// A disk that folds case and form, as those of macOS do, or, with `forms`, tells forms apart as NTFS does.
    struct Folding {
        files: Vec<&'static str>,
        forms: bool,
    }

    impl Folding {
        fn key(&self, path: &str) -> String {
            if self.forms { path.to_lowercase() } else { name_key(path, true) }
        }
    }

    impl NameSource for Folding {
        fn id(&self, path: &str) -> Option<FileId> {
            let wanted = self.key(path);
            let under = |file: &&str| {
                let file = self.key(file);
                file == wanted || file.starts_with(&format!("{wanted}/"))
            };
            let at = self.files.iter().position(under)?;
            Some(FileId::Inode(1, at as u64))
        }

        fn list(&self, folder: &str, most: usize) -> Vec<String> {
            let wanted = self.key(folder);
            let mut names: Vec<String> = Vec::new();
            for file in &self.files {
                let parts: Vec<&str> = file.split('/').collect();
                let depth = if folder.is_empty() { 0 } else { folder.split('/').count() };
                if parts.len() > depth && self.key(&parts[..depth].join("/")) == wanted {
                    names.push(parts[depth].to_owned());
                }
            }
            names.dedup();
            names.truncate(most);
            names
        }
    }

    fn names(files: &[&'static str]) -> Names<Folding> {
        Names {
            disk: Folding { files: files.to_vec(), forms: false },
            folds_case: RefCell::default(),
            lists: RefCell::default(),
        }
    }

    #[test]
    fn names_that_differ_in_case_are_two_files_where_the_disk_has_two() {
        if Fixture::new("").folds_case() {
            return;
        }
        let fixture = Fixture::new("//- /Makefile\nupper\n//- /makefile\nlower\n//- /src/Foo.py\nx\n");
        let workspace = fixture.workspace();
        let read = |name: &str| workspace.read(&path(name)).unwrap().map(|state| state.bytes);
        assert_eq!(read("Makefile").unwrap(), b"upper\n");
        assert_eq!(read("makefile").unwrap(), b"lower\n");
        assert_eq!(read("MAKEFILE"), None);
        assert_eq!(workspace.on_disk(&path("src/foo.py")), path("src/foo.py"));
        let paths = ["Makefile", "makefile", "src/foo.py", "src/Foo.py", "SRC/Foo.py", "new/a", "new/A"].map(path);
        let keys = workspace.file_keys(&paths);
        let mut all: Vec<String> = paths.iter().map(|path| keys.key(path)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), paths.len(), "{all:?}");
    }

    #[test]
    fn two_names_of_one_inode_are_two_files_all_the_same() {
        let fixture = Fixture::new("//- /readme\nx\n");
        if fixture.folds_case() {
            return;
        }
        std::fs::hard_link(fixture.root().join("readme"), fixture.root().join("README")).unwrap();
        let workspace = fixture.workspace();
        assert!(!workspace.file_keys([]).is_same("readme", "README"));
        assert_eq!(workspace.on_disk(&path("README")), path("README"));
    }

    #[test]
    fn a_name_in_another_form_finds_the_one_file_there_is() {
        for (has, asked) in [(NFC, NFD), (NFD, NFC)] {
            let fixture = Fixture::new("");
            fixture.write(&format!("no\u{308}/{has}"), b"x");
            let workspace = fixture.workspace();
            let asked = path(&format!("n\u{f6}/{asked}"));
            let real = path(&format!("no\u{308}/{has}"));
            assert_eq!(workspace.on_disk(&asked), real);
            assert_eq!(workspace.real_path(&asked).unwrap(), Some(real.clone()));
            assert!(workspace.is_file(&asked));
            assert_eq!(workspace.read(&asked).unwrap().unwrap().bytes, b"x");
            let keys = workspace.file_keys([&asked, &real]);
            assert_eq!(keys.key(&asked), keys.key(&real));
        }
    }

    #[test]
    fn forms_are_two_files_where_the_disk_has_a_file_of_each() {
        let fixture = Fixture::new("");
        fixture.write(NFC, b"c");
        fixture.write(NFD, b"d");
        let workspace = fixture.workspace();
        if fixture.names(".").len() < 2 {
            skipped("this file system takes both forms for one name");
            return;
        }
        assert_eq!(workspace.read(&path(NFC)).unwrap().unwrap().bytes, b"c");
        assert_eq!(workspace.read(&path(NFD)).unwrap().unwrap().bytes, b"d");
        let keys = workspace.file_keys(&[path(NFC), path(NFD)]);
        assert!(!keys.is_same(NFC, NFD));
    }

    #[test]
    fn where_case_is_folded_a_file_is_found_under_the_name_it_has() {
        let names = names(&["README.md", "src/Foo.py", "123"]);
        assert_eq!(names.on_disk(&path("readme.MD")), path("README.md"));
        assert_eq!(names.on_disk(&path("SRC/foo.py")), path("src/Foo.py"));
        assert_eq!(names.on_disk(&path("Src/new/A.py")), path("src/new/A.py"), "what does not exist stays as spelled");
        assert_eq!(names.on_disk(&path("123")), path("123"));
        for (one, other) in [("readme.md", "README.md"), ("src/foo.py", "SRC/FOO.PY"), ("New/a", "new/A")] {
            assert_eq!(names.key(&path(one)), names.key(&path(other)));
        }
        assert_ne!(names.key(&path("src/foo.py")), names.key(&path("src/foo.pyc")));
    }

    #[test]
    fn forms_follow_the_disk_that_folds_case() {
        let names = names(&["Cafe\u{301}.txt"]);
        assert_eq!(names.on_disk(&path(NFC)), path("Cafe\u{301}.txt"));
        let ntfs = Names { disk: Folding { files: vec![NFC, NFD], forms: true }, ..names_of_nothing() };
        assert_eq!(ntfs.on_disk(&path(&NFD.to_uppercase())), path(NFD));
        assert_ne!(ntfs.key(&path(NFC)), ntfs.key(&path(NFD)));
    }

    fn names_of_nothing() -> Names<Folding> {
        names(&[])
    }

    #[test]
    fn an_empty_folder_is_as_the_one_above_it() {
        let names = names(&["A", "1/2"]);
        assert!(names.folds_case("") && names.folds_case("1") && names.folds_case("1/none/deeper"));
    }
}
