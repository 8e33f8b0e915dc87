//! Showing text within bounds.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::text::cut;

/// Most characters shown of one line of a file.
pub(super) const LONGEST_LINE: usize = 2_000;

/// Append a line of a file with its number, from 1.
pub(super) fn push_numbered(out: &mut String, number: usize, line: &str) {
    let shown = cut(line, LONGEST_LINE);
    // Writing to a string does not fail.
    let _ = write!(out, "{number:>5}\t{shown}");
    if let Cow::Owned(_) = shown {
        let _ = write!(out, " (line cut; it has {} characters)", line.chars().count());
    }
    out.push('\n');
}

/// Most lines of an excerpt that are all shown.
pub(super) const MOST_EXCERPT: usize = 60;

/// Lines `first..=last` (from 1, clamped) of a text, numbered; of a long stretch only its ends.
pub(super) fn excerpt(text: &str, first: usize, last: usize) -> String {
    const MOST: usize = MOST_EXCERPT;
    let first = first.max(1);
    let lines: Vec<&str> = text.lines().skip(first - 1).take((last + 1).saturating_sub(first)).collect();
    let mut out = String::new();
    let left_out = lines.len().saturating_sub(MOST);
    for (position, line) in lines.into_iter().enumerate() {
        if left_out > 0 && position == MOST / 2 {
            let _ = writeln!(out, "      … {left_out} lines …");
        }
        if left_out == 0 || position < MOST / 2 || position >= MOST / 2 + left_out {
            push_numbered(&mut out, first + position, &cut(line, 300));
        }
    }
    out
}
