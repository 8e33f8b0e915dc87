//! `baton diff`: what the workflow changed.

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::args::DiffArgs;
use super::color::{self, BOLD, CYAN, GREEN, Look, RED};
use super::failure::Failure;
use super::output::{print, print_bytes, tell, warn};
use super::pager::page;
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::RepoPath;
use crate::workflow::{Changes, Hunk, Hunks, StartError};
use crate::{text, workflow};

/// Print the changes as one unified diff: safe to show on a terminal, with the ids of hunks; byte for byte elsewhere, so that it
/// can be applied, unless `--color always` asks for what a terminal would get. Or the files and their hunks as JSON.
pub(super) fn diff(start: &Start<'_>, args: &DiffArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let task = args.task.as_deref();
    let store = session.memory()?;
    let changes = match &store {
        Some(store) => {
            warn(&workflow::unverified(store)?);
            workflow::changes(store, &session.workspace, task)?
        }
        None => Changes::default(),
    };
    let hunks = || match &store {
        Some(store) => Hunks::load(store, &session.workspace).map_err(StartError::from),
        None => Ok(Hunks::default()),
    };
    if args.json {
        let paths: Vec<&RepoPath> = changes.files().map(|file| &file.path).collect();
        print(&text::safe_json(&json(&hunks()?, &paths, task).to_string()))?;
        return Ok(0);
    }
    let diff = changes.unified();
    if diff.is_empty() {
        tell("The workflow has changed no file.");
    } else if std::io::stdout().is_terminal() || color::is_asked_for() {
        page(&painted(&with_hunks(&diff, &hunks()?)))?;
    } else {
        print_bytes(diff.as_bytes())?;
    }
    Ok(0)
}

/// The changed files, each with its hunks; of one task, only its own. A file that is no text, or over 1 MB, has none.
fn json(hunks: &Hunks, paths: &[&RepoPath], task: Option<&str>) -> Value {
    let of_file = |path: &RepoPath| -> Value {
        let own = hunks.in_file(path).iter().filter(|hunk| task.is_none() || hunk.task.as_deref() == task);
        let listed = own.map(|Hunk { id, task, first, last, kept, .. }| {
            json!({ "id": id, "task": task, "first": first, "last": last, "kept": kept })
        });
        json!({ "path": path, "hunks": listed.collect::<Vec<_>>() })
    };
    json!({ "files": paths.iter().map(|path| of_file(path)).collect::<Vec<_>>() })
}

/// The diff with the hunks' ids and tasks behind its `@@` lines, where a patch has its headings.
fn with_hunks(diff: &str, hunks: &Hunks) -> String {
    let mut lines = Vec::new();
    let mut file = None;
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("diff --git ").and_then(|names| names.rsplit_once(" b/")) {
            file = hunks.files.iter().find(|file| file.path.as_str() == path.1);
        }
        let range = line.strip_prefix("@@ ").and_then(new_lines);
        let (Some(file), Some((first, last))) = (file, range) else {
            lines.push(line.to_owned());
            continue;
        };
        let own = file.hunks.iter().filter(|hunk| hunk.first <= last && hunk.last >= first);
        let names = own.map(|hunk| {
            let kept = if hunk.kept { " kept" } else { "" };
            format!("[{} {}{kept}]", hunk.id, hunk.task.as_deref().unwrap_or("yours"))
        });
        lines.push(names.fold(line.to_owned(), |line, name| format!("{line} {name}")));
    }
    lines.join("\n")
}

/// The first and the last new line of a hunk's head, from behind its `@@ `.
fn new_lines(head: &str) -> Option<(usize, usize)> {
    let range = head.split_once('+')?.1.split(' ').next()?;
    let (first, count) = range.split_once(',').unwrap_or((range, "1"));
    let (first, count): (usize, usize) = (first.parse().ok()?, count.parse().ok()?);
    // Of no line, the one in front of it is named; the hunk stands on the one behind.
    Some((first, if count == 0 { first.saturating_add(1) } else { first.saturating_add(count - 1) }))
}

/// A unified diff for standard output: coloured where that is a terminal that wants colours.
pub(super) fn painted(text: &str) -> String {
    let look = Look::of_stdout();
    let paint = |line: &str| {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => BOLD,
            [b'd', b'i', b'f', b'f', b' ', ..] => BOLD,
            [b'+', ..] => GREEN,
            [b'-', ..] => RED,
            [b'@', b'@', ..] => CYAN,
            _ => return line.to_owned(),
        };
        look.paint(style, line)
    };
    text::safe_lines(text).lines().map(paint).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use crate::workflow::FileHunks;

    use super::*;

    fn hunk(id: &str, task: Option<&str>, lines: (usize, usize), kept: bool) -> Hunk {
        Hunk::new(id, task, lines, kept)
    }

    #[test]
    fn each_block_of_a_diff_is_headed_by_its_hunks_and_stays_a_patch() {
        let diff = "diff --git a/src/a.rs b/src/a.rs\n--- a/src/a.rs\n+++ b/src/a.rs\n\
                    @@ -1,4 +1,4 @@\n-x\n+y\n a\n b\n c\n@@ -20 +20,0 @@ fn f() {\n-z\n\
                    diff --git a/b.rs b/b.rs\ndeleted file mode 100644\n--- a/b.rs\n+++ /dev/null\n@@ -1 +0,0 @@\n-@@ x\n";
        let hunks = Hunks {
            files: vec![
                FileHunks {
                    path: RepoPath::parse("src/a.rs").unwrap(),
                    hunks: vec![
                        hunk("aaaaaaaaaaaa", Some("T1"), (1, 1), false),
                        hunk("bbbbbbbbbbbb", None, (3, 3), false),
                        hunk("cccccccccccc", Some("T2"), (20, 20), true),
                    ],
                },
                FileHunks {
                    path: RepoPath::parse("b.rs").unwrap(),
                    hunks: vec![hunk("dddddddddddd", Some("T3"), (1, 1), false)],
                },
            ],
        };
        let shown = with_hunks(diff, &hunks);
        let heads: Vec<&str> = shown.lines().filter(|line| line.starts_with("@@")).collect();
        assert_eq!(
            heads,
            [
                "@@ -1,4 +1,4 @@ [aaaaaaaaaaaa T1] [bbbbbbbbbbbb yours]",
                "@@ -20 +20,0 @@ fn f() { [cccccccccccc T2 kept]",
                "@@ -1 +0,0 @@ [dddddddddddd T3]"
            ]
        );
        assert!(shown.contains("\n-@@ x"), "{shown}");
    }
}
