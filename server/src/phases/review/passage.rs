//! The part of a file, and of its diff, that a finding is about.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text::{cut, head_bytes};

/// Lines that are shown around a place.
const AROUND: usize = 80;
/// Characters shown of one of them.
const LONGEST_LINE: usize = 500;
/// Bytes shown of a diff.
const DIFF_BYTES: usize = 24 * 1024;

/// The lines around a line (from 1), numbered.
pub(super) fn lines_around(text: &str, line: u32) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last_start = lines.len().saturating_sub(AROUND);
    let start = (line as usize).saturating_sub(1 + AROUND / 2).min(last_start);
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate().skip(start).take(AROUND) {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{:>5}\t{}", index + 1, cut(line, LONGEST_LINE));
    }
    if lines.len() > AROUND {
        let _ = writeln!(out, "(lines {} to {} of {})", start + 1, start + AROUND, lines.len());
    }
    out
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

/// Lines between a hunk's new lines and a line. `@@ -1,2 +3,4 @@` shows the lines 3 to 6.
fn distance(hunk: &str, line: u32) -> u32 {
    let range = hunk.split_whitespace().nth(2).and_then(|range| range.strip_prefix('+')).unwrap_or_default();
    let (first, length) = range.split_once(',').unwrap_or((range, "1"));
    let (first, length) = (first.parse().unwrap_or(1u32), length.parse().unwrap_or(1u32));
    let last = first.saturating_add(length.saturating_sub(1));
    first.saturating_sub(line).max(line.saturating_sub(last))
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
