//! Which of the workflow's files are not what the checks saw: a result is of the files it was found on.

use std::collections::{BTreeMap, BTreeSet};

use crate::contracts::RepoPath;
use crate::memory::{CheckedFiles, Memory, Store};
use crate::text::{count, safe_line};
use crate::workspace::{Workspace, read_exact};

/// These files as they are now.
pub(super) fn as_they_are(workspace: &Workspace, paths: impl IntoIterator<Item = RepoPath>) -> CheckedFiles {
    paths.into_iter().map(|path| (path.clone(), hash(workspace, &path))).collect()
}

/// The hash of a file; `None` also of what cannot be read.
fn hash(workspace: &Workspace, path: &RepoPath) -> Option<String> {
    read_exact(workspace, path).ok().flatten().map(|state| state.sha256)
}

/// Of each check of the report, in its order, the files that differ from what it saw; none of one that did not run.
pub(crate) fn changed_since(store: &Store, memory: &Memory) -> Vec<Vec<RepoPath>> {
    let mut now: BTreeMap<RepoPath, Option<String>> = BTreeMap::new();
    let mut differs = |path: &RepoPath, seen: &Option<String>| {
        now.entry(path.clone()).or_insert_with(|| hash(store.workspace(), path)) != seen
    };
    let checks = memory.report.iter().flat_map(|report| &report.checks);
    let changed = checks.map(|check| {
        let seen = if check.is_skipped() { CheckedFiles::new() } else { store.checked_files(check) };
        seen.into_iter().filter(|(path, hash)| differs(path, hash)).map(|(path, _)| path).collect()
    });
    changed.collect()
}

/// How many files differ from what any of the checks saw.
pub(crate) fn files_changed_since(store: &Store, memory: &Memory) -> usize {
    changed_since(store, memory).into_iter().flatten().collect::<BTreeSet<_>>().len()
}

/// The most files that are named.
const MOST_NAMED: usize = 3;

/// `changed since: src/a.rs, src/b.rs, src/c.rs and 2 more`; `None` where none did.
pub(crate) fn since_names(files: &[RepoPath]) -> Option<String> {
    let names: Vec<&str> = files.iter().take(MOST_NAMED).map(RepoPath::as_str).collect();
    let more = match files.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!names.is_empty()).then(|| format!("changed since: {}{more}", safe_line(&names.join(", "))))
}

/// `2 files changed since`; `None` where none did.
pub(crate) fn since_words(files: usize) -> Option<String> {
    (files > 0).then(|| format!("{} changed since", count(files, "file")))
}
