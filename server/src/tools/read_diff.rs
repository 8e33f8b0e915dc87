use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};
use crate::contracts::RepoPath;
use crate::text::{count, cut};

const MOST_TEXT: usize = 64_000;
/// Bytes from which on only every tenth line is numbered, so that a diff of that size still fits a small window.
const LONG: usize = 48_000;
/// Bytes of line numbers besides.
const MOST_NUMBERS: usize = 12_000;
const LINE: usize = 1_000;

/// Read the diff.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReadDiff {
    /// The changed file, relative to the workspace root, or a folder; all of them if left out.
    path: Option<String>,
    /// "review": only what was changed since the review before this one. Everything if left out.
    since: Option<String>,
}

impl Tool for ReadDiff {
    const NAME: &'static str = "read_diff";
    const DESCRIPTION: &'static str = "Read what was changed, as a unified diff: of one file, or of all. Each line that is in the \
        file now has its number there before it (number, tab, sign and text; in a long diff every tenth); hunks name the definition of their first changed line; a \
        renamed file is one change. At most 64000 bytes at once, numbers not counted; files that do not fit are named, to be read one by one.";
    const USERS: Users = Users::Reviewers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        match &self.path {
            Some(path) => format!("reading the diff of {path}"),
            None => "reading the diff".to_owned(),
        }
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let diffs = match self.since.as_deref().map(str::trim).filter(|since| !since.is_empty()) {
            None => toolbox.diffs(),
            Some("review") => toolbox.diffs_since_review().ok_or_else(|| {
                "There was no review before this one; leave since out to see all that was changed.".to_owned()
            })?,
            Some(other) => {
                let other = cut(other, 60);
                return Err(
                    format!("since can only be \"review\", not {other:?}; leave it out to see everything.").into()
                );
            }
        };
        if diffs.is_empty() {
            let when = if self.since.is_some() { " since the review before" } else { "" };
            return Ok(format!("Nothing was changed{when}.\n"));
        }
        let Some(path) = toolbox.folder(self.path.as_deref())? else { return Ok(all(diffs)) };
        let keys = toolbox.workspace.file_keys(diffs.iter().map(|(file, _)| file).chain([&path]));
        let key = keys.key(&path);
        let is_asked = |(file, diff): &&(RepoPath, String)| {
            let key = keys.key(file).strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            key || renamed_from(diff) == Some(path.as_str())
        };
        let chosen: Vec<(RepoPath, String)> = diffs.iter().filter(is_asked).cloned().collect();
        match chosen.as_slice() {
            [] => {
                let names: Vec<&str> = diffs.iter().take(50).map(|(file, _)| file.as_str()).collect();
                let more = if diffs.len() > names.len() { " and more" } else { "" };
                Err(format!("{path} was not changed. Changed are: {}{more}.", names.join(", ")).into())
            }
            [(_, diff)] => Ok(one(diff)),
            several => Ok(all(several)),
        }
    }
}

/// The earlier name of a file that was renamed.
fn renamed_from(diff: &str) -> Option<&str> {
    diff.lines().take_while(|line| !line.starts_with("@@")).find_map(|line| line.strip_prefix("rename from "))
}

/// A unified diff whose lines have the numbers that they have in the new file; removed ones have none.
pub fn numbered_diff(diff: &str) -> String {
    numbered_lines(diff).map(|line| line + "\n").collect()
}

fn numbered_lines(diff: &str) -> impl Iterator<Item = String> {
    // Lines of both files that are left in the hunk, and the number of the next one of the new file.
    let (mut old, mut new, mut number) = (0_usize, 0_usize, 0_usize);
    let (is_long, mut is_first) = (diff.len() > LONG, true);
    diff.lines().map(move |line| {
        if old == 0 && new == 0 && !line.starts_with('\\') {
            if let Some((of_old, first, of_new)) = hunk(line) {
                (old, new, number, is_first) = (of_old, of_new, first, true);
            }
            return cut(line.trim_end_matches('\r'), LINE).into_owned();
        }
        let (is_old, is_new) = (line.starts_with([' ', '-']), line.starts_with([' ', '+']));
        let shown = cut(line.trim_end_matches('\r'), LINE);
        let shown = match (is_new, is_long) {
            (true, false) => format!("{number:>5}\t{shown}"),
            (false, false) => format!("     \t{shown}"),
            (true, true) if is_first || number % 10 == 0 => format!("{number}\t{shown}"),
            _ => format!("\t{shown}"),
        };
        is_first &= !is_new;
        old = old.saturating_sub(usize::from(is_old));
        new = new.saturating_sub(usize::from(is_new));
        number += usize::from(is_new);
        shown
    })
}

/// Lines of the old file in a hunk, the first of the new one, and how many of it.
fn hunk(line: &str) -> Option<(usize, usize, usize)> {
    let (old, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let side = |side: &str| -> Option<(usize, usize)> {
        let (first, lines) = side.split_once(',').unwrap_or((side, "1"));
        Some((first.parse().ok()?, lines.parse().ok()?))
    };
    let ((_, of_old), (first, of_new)) = (side(old)?, side(new)?);
    Some((of_old, first, of_new))
}

/// As many whole diffs as fit, and the names of the others.
fn all(diffs: &[(RepoPath, String)]) -> String {
    let mut text = String::new();
    let mut left_out = Vec::new();
    let mut own = 0;
    for (path, diff) in diffs {
        if own + diff.len() > MOST_TEXT && own > 0 {
            left_out.push((path, diff.lines().count()));
        } else {
            text.push_str(&one(diff));
            own += diff.len();
        }
    }
    if !left_out.is_empty() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "Left out, read them one by one with path:");
        for (path, lines) in left_out {
            let _ = writeln!(text, "{path} ({})", count(lines, "line"));
        }
    }
    text
}

fn one(diff: &str) -> String {
    let mut text = String::new();
    let (total, mut own) = (diff.lines().count(), 0);
    for (index, line) in numbered_lines(diff).enumerate() {
        if own > MOST_TEXT || text.len() > MOST_TEXT + MOST_NUMBERS {
            let _ = writeln!(
                text,
                "The diff has {}; read the file itself with read_file.",
                count(total - index, "more line")
            );
            break;
        }
        own += line.split_once('\t').map_or(line.len(), |(_, line)| line.len()) + 1;
        text.push_str(&line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_new_file_have_their_numbers() {
        let diff = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -2,3 +2,3 @@ fn one() {\n 2\n-- 3\n+++ three\n 4\n\
                    @@ -9 +9,2 @@\n-9\n+nine\n+ten\n\\ No newline at end of file\n";
        let expected = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -2,3 +2,3 @@ fn one() {\n    2\t 2\n     \t-- 3\n    3\t+++ three\n    \
                        4\t 4\n@@ -9 +9,2 @@\n     \t-9\n    9\t+nine\n   10\t+ten\n     \t\\ No newline at end of file\n";
        // A line that only looks like a header is one of the text.
        assert_eq!(numbered_diff(diff), expected);
        let long = format!("@@ -0,0 +1,5000 @@\n{}", "+0123456789\n".repeat(5_000));
        let shown = numbered_diff(&long);
        assert!(shown.contains("\n1\t+0123456789\n\t+") && shown.contains("\n4990\t+0123456789\n\t+"));
        for odd in ["@@ -1,99999999999999999999999 +1 @@\n x\n", "@@ -1,3 +1,3 @@\n", "@@ -a +b @@\n+x\n", "+x\n"] {
            numbered_diff(odd);
        }
    }

    #[test]
    fn a_renamed_file_is_known_by_its_earlier_name() {
        let diff =
            "diff --git a/a b/b\nsimilarity index 90%\nrename from a\nrename to b\n@@ -1 +1 @@\n-rename from c\n+x\n";
        assert_eq!(renamed_from(diff), Some("a"));
        assert_eq!(renamed_from("@@ -1 +1 @@\nrename from c\n"), None);
    }
}
