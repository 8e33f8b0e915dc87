//! What a command changed in the workspace, and of it what may be taken over.

use std::collections::BTreeSet;

use super::job::ViewEdit;
use super::room::Changes;
use crate::contracts::RepoPath;
use crate::workspace::Workspace;
use crate::workspace::git::tracked_files;
use crate::workspace::protect::{Protection, is_secret, protection};

/// The files whose changes count: those that git tracks, and those that agents touched.
pub(super) fn counted<'a>(workspace: &Workspace, touched: impl Iterator<Item = &'a RepoPath>) -> BTreeSet<String> {
    let tracked = tracked_files(workspace).unwrap_or_default();
    tracked.into_iter().chain(touched.map(|path| path.as_str().to_owned())).collect()
}

/// Whether what is different in a view is what was laid over the tree there, and nothing else.
pub(super) fn are_edits(changed: &[ViewEdit], edits: &[ViewEdit]) -> bool {
    let is_edit = |change: &ViewEdit, edit: &ViewEdit| (&change.path, &change.content) == (&edit.path, &edit.content);
    changed.len() == edits.len() && edits.iter().all(|edit| changed.iter().any(|change| is_edit(change, edit)))
}

/// Those of the changed files whose content is wanted.
pub(super) fn wanted(changes: &Changes, counted: &BTreeSet<String>, memory_dir: &RepoPath) -> Vec<String> {
    let wanted = changes.written.iter().filter(|path| counted.contains(*path));
    wanted.filter(|path| may_change(path, memory_dir).is_some()).cloned().collect()
}

/// The counted files that are gone.
pub(super) fn deleted(changes: &Changes, counted: &BTreeSet<String>, memory_dir: &RepoPath) -> Vec<ViewEdit> {
    let written: BTreeSet<&String> = changes.written.iter().collect();
    let mut gone: BTreeSet<&String> = BTreeSet::new();
    for path in &changes.gone {
        let below = format!("{path}/");
        gone.extend(counted.get(path));
        gone.extend(counted.range(below.clone()..).take_while(|counted| counted.starts_with(&below)));
    }
    let replaced = replaced_paths(changes, counted);
    let left = gone.into_iter().filter(|path| !written.contains(path) && !replaced.contains(path));
    left.filter_map(|path| Some(ViewEdit { path: may_change(path, memory_dir)?, content: None, mode: None })).collect()
}

/// The counted files that are no regular files any more.
pub(super) fn replaced(changes: &Changes, counted: &BTreeSet<String>, memory_dir: &RepoPath) -> Vec<RepoPath> {
    replaced_paths(changes, counted).into_iter().filter_map(|path| may_change(path, memory_dir)).collect()
}

fn replaced_paths<'a>(changes: &Changes, counted: &'a BTreeSet<String>) -> BTreeSet<&'a String> {
    let gone: BTreeSet<&String> = changes.gone.iter().collect();
    let mut found = BTreeSet::new();
    for path in &changes.replaced {
        found.extend(counted.get(path));
        // What is missing in a folder that was made anew is gone; nothing is known of what is behind a link.
        if !gone.contains(path) {
            let below = format!("{path}/");
            found.extend(counted.range(below.clone()..).take_while(|counted| counted.starts_with(&below)));
        }
    }
    found
}

/// A path that a command may change: not one that is protected, secret or Baton's.
pub(super) fn may_change(path: &str, memory_dir: &RepoPath) -> Option<RepoPath> {
    let parsed = RepoPath::parse(path).ok().filter(|parsed| parsed.as_str() == path)?;
    (protection(&parsed, memory_dir) == Protection::None && !is_secret(&parsed)).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::memory;

    #[test]
    fn what_is_different_in_a_view_is_told_from_the_edits_in_it() {
        let edit = |path: &str, content: Option<&str>| ViewEdit {
            path: RepoPath::parse(path).unwrap(),
            content: content.map(|content| content.as_bytes().to_vec()),
            mode: None,
        };
        let edits = [edit("a.rs", Some("new")), edit("b.rs", None)];
        let with_mode = ViewEdit { mode: Some(0o644), ..edit("a.rs", Some("new")) };
        assert!(are_edits(&[with_mode, edit("b.rs", None)], &edits));
        assert!(are_edits(&[], &[]));
        let formatted = [edit("a.rs", Some("new\n")), edit("b.rs", None)];
        let more = [edit("a.rs", Some("new")), edit("b.rs", None), edit("c.rs", Some("x"))];
        let put_back = [edit("a.rs", Some("new"))];
        for changed in [&formatted[..], &more, &put_back, &[]] {
            assert!(!are_edits(changed, &edits), "{changed:?}");
        }
    }

    #[test]
    fn of_what_changed_only_counted_and_harmless_files_are_taken() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let counted: BTreeSet<String> = texts(&[
            "a.rs",
            "b.rs",
            "folder.rs",
            "link.rs",
            "linked/e.rs",
            ".env",
            ".github/workflows/ci.yml",
            "lib/c.rs",
            "lib/d.rs",
            "library.rs",
        ])
        .into_iter()
        .collect();
        let changes = Changes {
            written: texts(&["a.rs", "new.rs", ".env", ".github/workflows/ci.yml", ".git/index", "lib/c.rs"]),
            gone: texts(&["b.rs", "folder.rs", "lib", "other.rs"]),
            replaced: texts(&["folder.rs", "lib", "link.rs", "linked"]),
        };
        assert_eq!(wanted(&changes, &counted, &memory()), ["a.rs", "lib/c.rs"]);
        let gone = deleted(&changes, &counted, &memory());
        assert_eq!(gone.iter().map(|edit| edit.path.as_str()).collect::<Vec<_>>(), ["b.rs", "lib/d.rs"]);
        let replaced = replaced(&changes, &counted, &memory());
        let replaced: Vec<&str> = replaced.iter().map(RepoPath::as_str).collect();
        assert_eq!(replaced, ["folder.rs", "link.rs", "linked/e.rs"]);
    }
}
