//! The root of a project, looked at and not followed anywhere.

use cap_std::fs::Dir;

use crate::workspace::bounded::{find_folder, read_bounded};

/// The largest file whose text is looked at, in bytes; manifests are far smaller.
const MOST_BYTES: u64 = 512 * 1024;
/// Most names that are looked at in a folder.
const MOST_NAMES: usize = 5_000;

/// Whether a program of this name can be run here.
pub(super) type HasProgram<'a> = &'a dyn Fn(&str) -> bool;

/// What stands in a root.
pub(super) struct Project<'a> {
    dir: &'a Dir,
    has_program: HasProgram<'a>,
    files: Vec<String>,
    folders: Vec<String>,
}

impl<'a> Project<'a> {
    pub(super) fn of(dir: &'a Dir, has_program: HasProgram<'a>) -> Self {
        let (mut files, mut folders) = names(dir);
        files.sort_unstable();
        folders.sort_unstable();
        Self { dir, has_program, files, folders }
    }

    /// Whether a program of this name can be run here.
    pub(super) fn can_run(&self, program: &str) -> bool {
        (self.has_program)(program)
    }

    /// The first of these files that is there. `*.sln` stands for every file with this ending; case counts.
    pub(super) fn first<'s>(&'s self, names: &'s [&'s str]) -> Option<&'s str> {
        names.iter().find_map(|name| match name.strip_prefix('*') {
            Some(ending) => self.ending(ending).next(),
            None => self.has(name).then_some(*name),
        })
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.files.iter().any(|name| name == file)
    }

    pub(super) fn has_folder(&self, folder: &str) -> bool {
        self.folders.iter().any(|name| name == folder)
    }

    /// The files with this ending.
    pub(super) fn ending(&self, ending: &str) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str).filter(move |name| name.ends_with(ending))
    }

    /// The text of a file of the root; empty where there is none that can be read.
    pub(super) fn text(&self, file: &str) -> String {
        let bytes = read_bounded(self.dir, file, MOST_BYTES).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned()
    }

    /// Whether a line of a file, without its indentation, begins like this.
    pub(super) fn has_line(&self, file: &str, beginning: &str) -> bool {
        self.text(file).lines().any(|line| line.trim_start().starts_with(beginning))
    }

    /// Whether a file in a folder of the root has a name like this.
    pub(super) fn has_file_in(&self, folder: &str, is_like: impl Fn(&str) -> bool) -> bool {
        self.has_folder(folder)
            && find_folder(self.dir, folder)
                .ok()
                .flatten()
                .is_some_and(|folder| names(&folder).0.iter().any(|name| is_like(name)))
    }
}

/// The names of the files and of the folders in a folder. What is neither, a link for one, is passed over.
fn names(dir: &Dir) -> (Vec<String>, Vec<String>) {
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    let Ok(entries) = dir.entries() else { return (files, folders) };
    for entry in entries.take(MOST_NAMES).flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if kind.is_file() {
            files.push(name);
        } else if kind.is_dir() {
            folders.push(name);
        }
    }
    (files, folders)
}
