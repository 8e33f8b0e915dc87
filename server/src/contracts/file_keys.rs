use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::RepoPath;

/// Which paths name one file, as a workspace's disk had it when it was asked.
///
/// Two paths name one file when their keys are equal. The forms of a text (NFC, NFD) are one name unless the disk has
/// a file of each; case tells files apart unless the disk does not. Keys of different moments are not comparable: a
/// key is looked up where it is needed and never stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileKeys {
    folds_case: bool,
    exceptions: HashMap<RepoPath, String>,
}

impl FileKeys {
    /// The keys of a disk of which is known only whether it takes names that differ in case for one.
    pub fn of_disk(folds_case: bool) -> Self {
        Self { folds_case, exceptions: HashMap::new() }
    }

    /// Records what the disk says of one path. A key that follows from the name alone is not stored.
    pub fn note(&mut self, path: &RepoPath, key: String) {
        if self.plain(path) != key {
            self.exceptions.insert(path.clone(), key);
        }
    }

    /// The key of the file that a path names.
    pub fn key(&self, path: &RepoPath) -> String {
        self.exceptions.get(path).cloned().unwrap_or_else(|| self.plain(path))
    }

    /// The key of the file that a text names; `None` for what is no path in the workspace.
    pub fn key_of(&self, text: &str) -> Option<String> {
        RepoPath::parse(text).ok().map(|path| self.key(&path))
    }

    /// Whether both texts are paths, and of one file.
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        let (Ok(one), Ok(other)) = (RepoPath::parse(one), RepoPath::parse(other)) else { return false };
        one == other || self.key(&one) == self.key(&other)
    }

    fn plain(&self, path: &RepoPath) -> String {
        name_key(path.as_str(), self.folds_case)
    }
}

/// The form in which two names of one folder are compared, where no more is known than whether case counts.
pub fn name_key(name: &str, folds_case: bool) -> String {
    match (name.is_ascii(), folds_case) {
        (true, false) => name.to_owned(),
        (true, true) => name.to_ascii_lowercase(),
        (false, false) => name.nfc().collect(),
        (false, true) => name.nfc().flat_map(char::to_lowercase).nfc().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    #[test]
    fn case_counts_where_the_disk_tells_it_apart_and_forms_are_one_name() {
        let exact = FileKeys::default();
        assert!(!exact.is_same("Makefile", "makefile"));
        assert!(exact.is_same("./src//a.rs", "src/a.rs"));
        assert!(exact.is_same("caf\u{e9}.txt", "cafe\u{301}.txt"));
        let folding = FileKeys::of_disk(true);
        assert!(folding.is_same("SRC/\u{c9}.rs", "src/e\u{301}.rs"));
        assert!(!folding.is_same("a", "b") && !folding.is_same("../a", "../a"));
    }

    #[test]
    fn what_the_disk_says_of_a_path_counts_before_its_name() {
        let (nfc, nfd) = (path("caf\u{e9}.txt"), path("cafe\u{301}.txt"));
        let mut keys = FileKeys::default();
        keys.note(&nfd, nfd.to_string());
        assert_ne!(keys.key(&nfc), keys.key(&nfd));
        keys.note(&path("a"), "a".to_owned());
        assert_eq!(keys.exceptions.len(), 1, "what is as its name says is not kept");
    }
}
