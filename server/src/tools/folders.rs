//! What an answer that had to be cut says of the rest: where it is; and what stands first in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::contracts::RepoPath;

/// Most folders that are named.
const MOST: usize = 20;

/// What a file is for, by its path: what a reader is less likely to look for stands later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    Source,
    Test,
    Docs,
    /// Written by others or by a program.
    Foreign,
}

impl Purpose {
    pub(super) fn of(path: &RepoPath) -> Self {
        const FOREIGN: &[&str] = &[
            "vendor",
            "vendored",
            "node_modules",
            "third_party",
            "third-party",
            "thirdparty",
            "external",
            "extern",
            "deps",
            "dist",
            "generated",
            "__generated__",
            "site-packages",
        ];
        const TESTS: &[&str] = &[
            "test",
            "tests",
            "testing",
            "__tests__",
            "spec",
            "specs",
            "testdata",
            "test_data",
            "test-data",
            "fixtures",
            "__fixtures__",
            "snapshots",
            "__snapshots__",
            "e2e",
            "benches",
            "benchmarks",
            "examples",
        ];
        const DOCS: &[&str] = &["doc", "docs", "documentation", "changelog", "changelogs", "man", "website"];
        const PROSE: &[&str] = &["md", "mdx", "markdown", "rst", "adoc", "txt"];
        let lower = path.as_str().to_ascii_lowercase();
        let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let is_in = |names: &[&str]| folders.split('/').any(|folder| names.contains(&folder));
        let is_test = stem.starts_with("test_")
            || ["_test", "_tests", ".test", ".spec", "_spec"].iter().any(|end| stem.ends_with(end))
            || ending == "snap";
        if is_in(FOREIGN) || ending == "lock" || stem.ends_with(".min") || ending == "map" {
            Self::Foreign
        } else if is_in(TESTS) || is_test {
            Self::Test
        } else if is_in(DOCS) || PROSE.contains(&ending) {
            Self::Docs
        } else {
            Self::Source
        }
    }
}

/// How many of something each folder holds, a line for each, as deep as is possible in a few lines.
pub(super) fn counts_by_folder<'a>(counts: impl IntoIterator<Item = (&'a RepoPath, usize)>) -> String {
    let all = counts.into_iter().map(|(path, count)| (path.as_str(), count)).collect();
    let mut rows = vec![Row::of(String::new(), all, Scope::All)];
    // The largest folder is taken apart, as long as there is room for what is in it.
    let mut done = 0;
    while done < rows.len() {
        rows[done..].sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.folder.cmp(&b.folder)));
        match rows[done].parts() {
            Some(parts) if rows.len() == 1 => rows = largest(parts),
            Some(parts) if rows.len() - 1 + parts.len() <= MOST => drop(rows.splice(done..=done, parts)),
            _ => done += 1,
        }
    }
    rows.sort_by(|a, b| a.folder.cmp(&b.folder));
    let mut text = String::new();
    for row in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:>6} {}", row.count, row.name());
    }
    text
}

/// As many as are named; the others together.
fn largest(mut rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    if rows.len() > MOST {
        rows.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.folder.cmp(&b.folder)));
        let files = rows.drain(MOST - 1..).flat_map(|row| row.files).collect();
        rows.push(Row::of(String::new(), files, Scope::Others));
    }
    rows
}

/// A folder; the root is empty.
struct Row<'a> {
    folder: String,
    /// Its files by their paths in it, and how many each has.
    files: Vec<(&'a str, usize)>,
    count: usize,
    scope: Scope,
}

/// What of a folder a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    /// The files that stand in it, not those in its folders.
    Itself,
    /// Its folders that have no row of their own.
    Others,
}

impl<'a> Row<'a> {
    fn of(folder: String, files: Vec<(&'a str, usize)>, scope: Scope) -> Self {
        let count = files.iter().map(|(_, count)| count).sum();
        Self { folder, files, count, scope }
    }

    /// Its folders, and the files that stand in it; `None` if it has no folders.
    fn parts(&self) -> Option<Vec<Self>> {
        if self.scope != Scope::All {
            return None;
        }
        let mut folders: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
        let mut own = Vec::new();
        for (path, count) in &self.files {
            match path.split_once('/') {
                Some((name, rest)) => folders.entry(name).or_default().push((rest, *count)),
                None => own.push((*path, *count)),
            }
        }
        if folders.is_empty() {
            return None;
        }
        let join =
            |name: &str| if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) };
        let mut parts: Vec<Self> =
            folders.into_iter().map(|(name, files)| Self::of(join(name), files, Scope::All)).collect();
        if !own.is_empty() {
            parts.push(Self::of(self.folder.clone(), own, Scope::Itself));
        }
        Some(parts)
    }

    fn name(&self) -> String {
        match (self.folder.as_str(), self.scope) {
            ("", Scope::Itself) => "in the root itself".to_owned(),
            ("", Scope::All) => "in all".to_owned(),
            (_, Scope::Others) => "in other folders".to_owned(),
            (folder, Scope::Itself) => format!("{folder}/ itself"),
            (folder, Scope::All) => format!("{folder}/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::path;

    #[test]
    fn each_file_has_its_purpose() {
        for (purpose, files) in [
            (Purpose::Source, &["src/a.rs", "crates/x/src/testing.rs", "a.py", "Cargo.toml", "src/latest.go"][..]),
            (Purpose::Test, &["tests/a.rs", "a_test.go", "src/a.test.ts", "test_a.py", "x/Fixtures/a.json", "a.snap"]),
            (Purpose::Docs, &["docs/a.py", "README.md", "CHANGELOG.md"]),
            (
                Purpose::Foreign,
                &["vendor/a.go", "web/node_modules/a/b.js", "Cargo.lock", "a.min.js", "vendor/tests/a.c"],
            ),
        ] {
            for file in files {
                assert_eq!(Purpose::of(&path(file)), purpose, "{file}");
            }
        }
    }

    fn counted(files: &[(&str, usize)]) -> String {
        let files: Vec<_> = files.iter().map(|(file, count)| (path(file), *count)).collect();
        counts_by_folder(files.iter().map(|(file, count)| (file, *count)))
    }

    #[test]
    fn folders_are_taken_apart_as_far_as_there_is_room() {
        let told = counted(&[("a.rs", 1), ("src/b.rs", 2), ("src/deep/er/c.rs", 3), ("src/deep/er/d.rs", 4)]);
        assert_eq!(told, "     1 in the root itself\n     2 src/ itself\n     7 src/deep/er/\n");
        assert_eq!(counted(&[("a.rs", 1), ("b.rs", 1)]), "     2 in all\n");
        let many: Vec<String> =
            (0..19).map(|n| format!("f{n:02}/x")).chain((0..9).map(|n| format!("f00/{n}/x"))).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|file| (file.as_str(), 5)).collect();
        let told = counted(&many);
        assert_eq!(told.lines().count(), 19, "{told}");
        assert!(told.starts_with("    50 f00/\n     5 f01/\n"), "{told}");
        let flat: Vec<String> = (0..30).map(|n| format!("f{n:02}/x")).collect();
        let flat: Vec<(&str, usize)> = flat.iter().map(|file| (file.as_str(), 1)).collect();
        let told = counted(&flat);
        assert!(told.starts_with("    11 in other folders\n     1 f00/\n") && told.lines().count() == MOST, "{told}");
    }
}
