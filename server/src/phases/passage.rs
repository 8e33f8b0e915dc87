//! Parts of a file, and of its diff: around a place, beside what is shown, where a text names them.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::contracts::{RepoPath, joined_ranges};
use crate::text::{cut, head_bytes};

/// Lines that are shown around a place.
pub(super) const AROUND: usize = 80;
/// Characters shown of one of them.
const LONGEST_LINE: usize = 500;
/// Bytes shown of a diff.
const DIFF_BYTES: usize = 24 * 1024;

/// The lines around a line (from 1), numbered.
pub(super) fn lines_around(text: &str, line: u32) -> String {
    let lines = text.lines().count();
    let (first, last) = around(line, lines, AROUND);
    let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
    let mut out = numbered(text, number(first), number(last));
    if lines > AROUND {
        let _ = writeln!(out, "(lines {first} to {last} of {lines})");
    }
    out
}

/// Lines of a text, first and last from 1, with their numbers.
pub(super) fn numbered(text: &str, first: u32, last: u32) -> String {
    let mut out = String::new();
    for (number, line) in (1..=last).zip(text.lines()).skip(first.saturating_sub(1) as usize) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{number:>5}\t{}", cut(line, LONGEST_LINE));
    }
    out
}

/// The first and the last of so many lines around a line, of a text of `lines` lines. All of them count from 1.
fn around(line: u32, lines: usize, height: usize) -> (usize, usize) {
    let last_start = lines.saturating_sub(height);
    let start = (line as usize).saturating_sub(1 + height / 2).min(last_start);
    (start + 1, lines.min(start + height))
}

/// The ranges of lines, first and last, around lines of a text of `lines` lines: `height` lines around each. They are in order,
/// and those that touch are one. All of them count from 1.
pub(super) fn ranges_around(places: impl IntoIterator<Item = u32>, lines: u32, height: usize) -> Vec<(u32, u32)> {
    let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
    let window = |line: u32| {
        let (first, last) = around(line, lines as usize, height);
        (number(first), number(last))
    };
    joined_ranges(places.into_iter().map(window).filter(|(first, last)| first <= last).collect())
}

/// The parts of a range of lines that none of these ranges holds.
pub(super) fn without((first, last): (u32, u32), held: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let (mut left, mut from) = (Vec::new(), first);
    for (start, end) in joined_ranges(held.to_vec()) {
        if end < from || start > last {
            continue;
        }
        if start > from {
            left.push((from, start - 1));
        }
        from = end.saturating_add(1);
    }
    if from <= last {
        left.push((from, last));
    }
    left
}

/// The lines of files that a text names as `src/a.rs:12`, each once, in their order.
pub(super) fn named_lines(text: &str) -> Vec<(RepoPath, u32)> {
    let is_between = |c: char| c.is_whitespace() || "()[]{}<>`'\",;|".contains(c);
    let mut named: Vec<(RepoPath, u32)> = Vec::new();
    for word in text.split(is_between) {
        let Some((path, rest)) = word.trim_start_matches("./").split_once(':') else { continue };
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        let line = digits.parse().ok().filter(|line| *line > 0);
        let is_name = path.contains(['.', '/']);
        if let (true, Some(line), Ok(path)) = (is_name, line, RepoPath::parse(path))
            && !named.contains(&(path.clone(), line))
        {
            named.push((path, line));
        }
    }
    named
}

/// A unified diff of one file; of a long one the hunks that are nearest to a line (from 1) of the new text.
pub(super) fn nearest_hunks(diff: &str, line: u32) -> Cow<'_, str> {
    if diff.len() <= DIFF_BYTES {
        return Cow::Borrowed(diff);
    }
    let hunks = hunks(diff);
    let mut by_distance: Vec<usize> = (0..hunks.len()).collect();
    by_distance.sort_by_key(|&index| distance(hunks[index], line));
    let mut room = DIFF_BYTES;
    let mut shown: Vec<usize> = Vec::new();
    for index in by_distance {
        let fits = hunks[index].len() <= room;
        if !fits && !shown.is_empty() {
            break;
        }
        room = room.saturating_sub(hunks[index].len());
        shown.push(index);
    }
    shown.sort_unstable();
    let mut text: String = shown.iter().map(|&index| head_bytes(hunks[index], DIFF_BYTES)).collect();
    let _ = write!(text, "\n({} of {} parts of the diff are shown, the nearest ones)", shown.len(), hunks.len());
    Cow::Owned(text)
}

/// The hunks, each from its `@@`.
fn hunks(diff: &str) -> Vec<&str> {
    let mut starts: Vec<usize> = diff.match_indices("\n@@ ").map(|(at, _)| at + 1).collect();
    if diff.starts_with("@@ ") || starts.is_empty() {
        starts.insert(0, 0);
    }
    let ends = starts.iter().skip(1).copied().chain([diff.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &diff[start..end]).collect()
}

/// Lines between a hunk's new lines and a line.
fn distance(hunk: &str, line: u32) -> u32 {
    let (first, length) = new_lines(hunk).unwrap_or((1, 1));
    let last = first.saturating_add(length.saturating_sub(1));
    first.saturating_sub(line).max(line.saturating_sub(last))
}

/// The first line and the number of lines of the new text in a hunk: `@@ -1,2 +3,4 @@` shows the lines 3 to 6.
fn new_lines(hunk: &str) -> Option<(u32, u32)> {
    let range = hunk.strip_prefix("@@ ")?.split_whitespace().nth(1)?.strip_prefix('+')?;
    let (first, length) = range.split_once(',').unwrap_or((range, "1"));
    Some((first.parse().ok()?, length.parse().ok()?))
}

/// The lines of the new text that a unified diff of one file shows.
pub(super) fn lines_in_diff(diff: &str) -> Vec<(u32, u32)> {
    let shown = hunks(diff).into_iter().filter_map(new_lines).filter(|(_, length)| *length > 0);
    shown.map(|(first, length)| (first, first.saturating_add(length - 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighty_lines_are_shown_around_a_place_also_at_the_ends() {
        let text: String = (1..=200).map(|n| format!("line {n}\n")).collect();
        for (line, first, last) in [(1, 1, 80), (41, 1, 80), (100, 60, 139), (200, 121, 200), (999, 121, 200)] {
            let shown = lines_around(&text, line);
            assert!(shown.starts_with(&format!("{first:>5}\tline {first}\n")), "{line}: {shown}");
            assert!(shown.ends_with(&format!("\tline {last}\n(lines {first} to {last} of 200)\n")), "{line}: {shown}");
            assert_eq!(shown.lines().count(), 81);
        }
        assert_eq!(lines_around("one\ntwo", 2), "    1\tone\n    2\ttwo\n");
        assert_eq!(lines_around("", 1), "");
        assert!(lines_around(&"x".repeat(1_000_000), 1).len() < 1_000);
    }

    #[test]
    fn ranges_around_places_are_joined_where_they_touch() {
        assert_eq!(ranges_around([50, 52, 90], 100, 11), [(45, 57), (85, 95)]);
        assert_eq!(ranges_around([1, 12, 999], 100, 11), [(1, 17), (90, 100)]);
        assert_eq!(ranges_around([1], 3, 80), [(1, 3)]);
        assert_eq!(ranges_around([1], 0, 80), []);
    }

    #[test]
    fn what_is_held_is_taken_out_of_a_range() {
        assert_eq!(without((10, 20), &[]), [(10, 20)]);
        assert_eq!(without((10, 20), &[(15, 16), (1, 11), (19, 40)]), [(12, 14), (17, 18)]);
        assert_eq!(without((10, 20), &[(1, 9), (21, 30)]), [(10, 20)]);
        assert_eq!(without((10, 20), &[(14, 30), (5, 14)]), []);
    }

    #[test]
    fn lines_are_named_by_their_file_and_number() {
        let text = "See `src/a.rs:12`, (b.py:3:7) and ./c/d.rs:40-44; at 10:30 or https://x.y:80/z nothing. src/a.rs:12. Makefile:3 e.rs:0";
        let named: Vec<String> = named_lines(text).iter().map(|(path, line)| format!("{path}:{line}")).collect();
        assert_eq!(named, ["src/a.rs:12", "b.py:3", "c/d.rs:40"]);
    }

    #[test]
    fn a_diff_shows_the_new_lines_of_its_hunks() {
        let diff = "--- a/x\n+++ b/x\n@@ -1,4 +1,5 @@ fn a\n a\n@@ -20 +21 @@\n-b\n+c\n@@ -40,3 +41,0 @@\n-d\n";
        assert_eq!(lines_in_diff(diff), [(1, 5), (21, 21)]);
        assert_eq!(lines_in_diff(""), []);
    }

    #[test]
    fn of_a_long_diff_the_nearest_hunks_are_shown_in_their_order() {
        let hunk = |at: u32| format!("@@ -{at},2 +{at},2 @@\n-old {at}\n+{}\n", "n".repeat(10_000));
        let diff = format!("--- a/x\n+++ b/x\n{}{}{}{}", hunk(10), hunk(100), hunk(200), hunk(300));
        let shown = nearest_hunks(&diff, 210);
        let at = |text: &str| shown.find(text);
        assert!(at("old 200").is_some() && at("old 200") < at("old 300"), "{shown}");
        assert!(at("old 10\n").is_none() && at("old 100").is_none());
        assert!(shown.ends_with("(2 of 4 parts of the diff are shown, the nearest ones)"));
        assert_eq!(nearest_hunks("@@ -1 +1 @@\n-a\n+b\n", 1), "@@ -1 +1 @@\n-a\n+b\n");
        let one = format!("@@ -1 +1,9 @@\n+{}\n", "é".repeat(20_000));
        assert!(nearest_hunks(&one, 1).len() < DIFF_BYTES + 100, "a single hunk is cut");
        assert!(nearest_hunks(&"x".repeat(50_000), 1).len() < DIFF_BYTES + 100, "and so is what has no hunk");
    }
}
