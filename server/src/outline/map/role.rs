//! What part a file plays, by its path: what speaks of everything, and what is made from other files, is seldom what a task is
//! about.

use super::words::TaskWords;
use crate::contracts::RepoPath;

/// How much files of each role count, where the task does not name the role.
const LOG: f64 = 0.35;
const TRANSLATION: f64 = 0.3;
const FOREIGN: f64 = 0.4;
const DOCUMENT: f64 = 0.7;
const TEST: f64 = 0.8;

/// Extensions of texts that are read, not run, and of those that hold translations.
const PROSE: &[&str] = &["", "md", "markdown", "rst", "txt", "adoc", "html", "in", "rdoc"];
const MESSAGES: &[&str] = &["json", "yml", "yaml", "properties", "xml", "strings", "toml", "inc"];

/// A role with how it is known: by a folder or by a word at the beginning or the end of the file's name, where the extension is
/// one of those it is `among`, any if there are none; or by an extension of its own.
struct Role {
    weight: f64,
    folders: &'static [&'static str],
    names: &'static [&'static str],
    among: &'static [&'static str],
    extensions: &'static [&'static str],
    /// Stems of words by which a task names it.
    named_by: &'static [&'static str],
}

const ROLES: [Role; 5] = [
    Role {
        weight: LOG,
        folders: &["releases", "changelogs", "whatsnew", "news"],
        names: &["changelog", "changes", "news", "history", "upgrading", "authors", "license", "copying", "release"],
        among: PROSE,
        extensions: &[],
        named_by: &["changelog", "releas", "licens"],
    },
    Role {
        weight: TRANSLATION,
        folders: &["locale", "locales", "translations", "localization", "po", "i18n", "l10n"],
        names: &[],
        among: MESSAGES,
        extensions: &["po", "pot", "xlf"],
        named_by: &["translat", "translation", "localization"],
    },
    Role {
        weight: FOREIGN,
        folders: &["vendor", "vendored", "node_modules", "third_party", "third-party", "thirdparty", "dist"],
        names: &[],
        among: &[],
        extensions: &["lock", "min.js", "min.css", "svg", "map", "lock.json", "lock.yaml"],
        named_by: &["vendor", "lock", "dependency", "dependenci"],
    },
    Role {
        weight: TEST,
        folders: &["test", "tests", "testing", "testdata", "__tests__", "spec", "specs", "fixtures", "benches", "e2e"],
        names: &["test", "tests", "spec"],
        among: &[],
        extensions: &[],
        named_by: &["test", "fixtur", "bench", "spec"],
    },
    Role {
        weight: DOCUMENT,
        folders: &["doc", "docs", "documentation"],
        names: &["readme", "contributing", "security", "install"],
        among: PROSE,
        extensions: &["md", "markdown", "rst", "adoc"],
        named_by: &["doc", "document", "documentation", "readm", "guid", "manual"],
    },
];

/// How much a file counts by its role, the first of those that it has.
pub(super) fn weight(path: &RepoPath, task: &TaskWords) -> f64 {
    let path = path.as_str().to_ascii_lowercase();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let is_named = |role: &Role| role.named_by.iter().any(|stem| task.stems.contains_key(*stem));
    let role = ROLES.iter().find(|role| role.is_of(folder, name));
    role.filter(|role| !is_named(role)).map_or(1.0, |role| role.weight)
}

impl Role {
    fn is_of(&self, folder: &str, name: &str) -> bool {
        let (own, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let mut words = own.split(['.', '-', '_']);
        let first = words.next().unwrap_or_default();
        let mut has_name = || [first, words.next_back().unwrap_or(first)].iter().any(|word| self.names.contains(word));
        let is_among = self.among.is_empty() || self.among.contains(&extension);
        let ends_with = |known: &&str| {
            let before = name.strip_suffix(known);
            before.is_some_and(|before| before.ends_with(['.', '-', '_']))
        };
        self.extensions.iter().any(ends_with)
            || is_among && (folder.split('/').any(|part| self.folders.contains(&part)) || has_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_known_by_the_path_and_counts_in_full_where_the_task_names_it() {
        let of = |path: &str, task: &str| weight(&RepoPath::parse(path).unwrap(), &TaskWords::of(task));
        for (path, expected, named) in [
            ("src/lib.rs", 1.0, ""),
            ("src/news/release.rs", 1.0, ""),
            ("src/testimony/newsletter.txt", 1.0, ""),
            ("src/locale/mod.rs", 1.0, ""),
            ("CHANGELOG.md", LOG, "Mention it in the changelog and the documentation"),
            ("docs/releases/1.2.txt", LOG, "Write the release notes in the docs"),
            ("app/locale/hr/messages.po", TRANSLATION, "Update the translation"),
            ("vendor/zlib/inflate.c", FOREIGN, "Update the vendored zlib"),
            ("static/jquery.min.js", FOREIGN, "Vendor it"),
            ("tests/parse.rs", TEST, "Add a test"),
            ("lib/test_parse.py", TEST, "Add tests"),
            ("lib/parse_test.go", TEST, "Add tests"),
            ("package-lock.json", FOREIGN, "Update dependencies"),
            ("docs/guide.md", DOCUMENT, "Rewrite the guide"),
        ] {
            assert_eq!(of(path, "Parse it"), expected, "{path}");
            assert_eq!(of(path, named), 1.0, "{path}");
        }
    }
}
