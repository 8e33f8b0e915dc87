//! What a task may write.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::contracts::{FileKeys, RepoPath};

/// What a task may write, fixed when its plan was approved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Writable {
    /// Files it may create or modify.
    pub write: BTreeSet<RepoPath>,
    /// Files that the plan lists to be deleted.
    pub delete: BTreeSet<RepoPath>,
    /// Files of `write` that the task itself created earlier in the workflow: it may delete and move them as well.
    pub created: BTreeSet<RepoPath>,
    /// Whether a person approved the very plan that lists them, protected files among them.
    pub approved_protected: bool,
}

impl Writable {
    /// Whether the plan lists a file for the task.
    pub(super) fn lists(&self, keys: &FileKeys, path: &RepoPath) -> bool {
        find_in(&self.write, keys, path).is_some() || find_in(&self.delete, keys, path).is_some()
    }

    /// The new name of a file that exists as `real`, if the plan deletes that name and writes another case of it, which is the
    /// same file on this disk.
    pub(super) fn renamed_in_case(&self, keys: &FileKeys, path: &RepoPath, real: &RepoPath) -> Option<RepoPath> {
        let is_it = |listed: &&RepoPath| keys.key(listed) == keys.key(path);
        let is_removed = self.delete.iter().filter(is_it).any(|gone| gone.file_name() == real.file_name());
        let mut listed = self.write.iter().filter(is_it);
        listed.find_map(|to| in_another_case(real, to)).filter(|_| is_removed)
    }

    /// What may be written and deleted, for who asked for another file.
    pub(super) fn words(&self) -> String {
        let write = match self.write.is_empty() {
            true => "no file".to_owned(),
            false => format!("only {}", listed(&self.write)),
        };
        match self.delete.is_empty() {
            true => write,
            false => format!("{write}, and delete {}", listed(&self.delete)),
        }
    }
}

/// The file `real`, under the last name of `to`; `None` where that is the name it has.
pub(super) fn in_another_case(real: &RepoPath, to: &RepoPath) -> Option<RepoPath> {
    if real.file_name() == to.file_name() {
        return None;
    }
    let name = to.file_name();
    let path = real.parent().map_or_else(|| name.to_owned(), |parent| format!("{parent}/{name}"));
    RepoPath::parse(&path).ok()
}

/// The first of some paths.
fn listed(paths: &BTreeSet<RepoPath>) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<&str> = paths.iter().take(SHOWN).map(RepoPath::as_str).collect();
    if paths.len() > SHOWN {
        names.push("…");
    }
    names.join(", ")
}

/// The entry of a list for a file: the exact name if it is listed.
pub(super) fn find_in<'a>(list: &'a BTreeSet<RepoPath>, keys: &FileKeys, path: &RepoPath) -> Option<&'a RepoPath> {
    let key = keys.key(path);
    list.get(path).or_else(|| list.iter().find(|entry| keys.key(entry) == key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::path;

    #[test]
    fn a_rename_in_case_only_keeps_the_folder_that_is_there_and_needs_both_names_in_the_plan() {
        let writable = |write: &str, delete: &str| Writable {
            write: BTreeSet::from([path(write)]),
            delete: BTreeSet::from([path(delete)]),
            ..Writable::default()
        };
        let (folding, exact) = (FileKeys::of_disk(true), FileKeys::of_disk(false));
        let renamed = |writable: &Writable, keys: &FileKeys, asked: &str, real: &str| {
            writable.renamed_in_case(keys, &path(asked), &path(real)).map(|path| path.to_string())
        };
        let both = writable("src/Foo.py", "src/foo.py");
        for (asked, real, new) in [
            ("src/Foo.py", "src/foo.py", Some("src/Foo.py")),
            ("src/foo.py", "src/foo.py", Some("src/Foo.py")),
            ("src/Foo.py", "SRC/foo.py", Some("SRC/Foo.py")),
            ("src/Foo.py", "src/FOO.py", None),
            ("src/Foo.py", "src/Foo.py", None),
        ] {
            assert_eq!(renamed(&both, &folding, asked, real).as_deref(), new, "{asked}, which is {real}");
        }
        assert_eq!(renamed(&both, &exact, "src/foo.py", "src/foo.py"), None, "they are two files there");
        assert_eq!(renamed(&writable("src/Bar.py", "src/foo.py"), &folding, "src/foo.py", "src/foo.py"), None);
        let top = writable("\u{c9}.py", "e\u{301}.py");
        assert_eq!(renamed(&top, &folding, "\u{c9}.py", "e\u{301}.py").as_deref(), Some("\u{c9}.py"));
    }

    #[test]
    fn what_may_be_written_and_deleted_is_named() {
        let all = |names: &[&str]| names.iter().map(|name| path(name)).collect::<BTreeSet<_>>();
        let words = |write: &[&str], delete: &[&str]| {
            Writable { write: all(write), delete: all(delete), ..Writable::default() }.words()
        };
        assert_eq!(words(&["b", "a"], &[]), "only a, b");
        assert_eq!(words(&[], &[]), "no file");
        assert_eq!(words(&[], &["z"]), "no file, and delete z");
        assert_eq!(words(&["a"], &["z"]), "only a, and delete z");
    }
}
