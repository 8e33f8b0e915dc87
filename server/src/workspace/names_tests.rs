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

impl Disk for Folding {
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
        folds: RefCell::default(),
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
    assert!(names.folds("") && names.folds("1") && names.folds("1/none/deeper"));
}
