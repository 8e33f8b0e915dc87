//! The lines of hunks in the text that an editor shows.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::lsp::text::position::Text;

/// How long two texts are compared before the rest counts as rewritten.
const DIFF_TIMEOUT: Duration = Duration::from_millis(20);

/// A change, and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlacedHunk {
    /// Its id.
    pub(crate) id: String,
    /// The task that made it; none for a change of a person's.
    pub(crate) task: Option<String>,
    /// The first line, from 0.
    pub(crate) first: usize,
    /// The last line, from 0; never before the first.
    pub(crate) last: usize,
    /// Whether a person has kept it.
    pub(crate) kept: bool,
}

/// Hunks with the lines that they have in `open` instead of those that they have in `on_disk`. The lines of the engine end
/// with a line feed alone, those of a [`Text`] also with a carriage return.
pub(super) fn place(hunks: &[PlacedHunk], on_disk: &str, open: &Text) -> Vec<PlacedHunk> {
    let (old, new): (Vec<&str>, Vec<&str>) = (lines(on_disk), lines(open.as_str()));
    let map = LineMap::of(&old, &new);
    let mut start = 0;
    let mut starts = Vec::with_capacity(new.len());
    for line in open.as_str().split('\n') {
        starts.push(start);
        start += line.len() + 1;
    }
    let line_in_open = |line: usize| open.line_of(starts.get(line).copied().unwrap_or(open.as_str().len()));
    let end_in_open = |line: usize| match starts.get(line + 1) {
        Some(next) => open.line_of(next - 1),
        None => open.last_line(),
    };
    let moved = |hunk: &PlacedHunk| {
        let first = line_in_open(map.first(hunk.first)).min(open.last_line());
        let last = end_in_open(map.last(hunk.last)).min(open.last_line()).max(first);
        PlacedHunk { first, last, ..hunk.clone() }
    };
    hunks.iter().map(moved).collect()
}

fn lines(text: &str) -> Vec<&str> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect()
}

/// Where the lines of one text are in another.
struct LineMap {
    /// Lines at the beginning that are the same.
    head: usize,
    /// Lines of the old text before those at the end that are the same.
    tail: usize,
    /// Lines of the new text before those.
    new_tail: usize,
    /// What became of the lines between.
    between: Vec<DiffOp>,
}

impl LineMap {
    fn of(old: &[&str], new: &[&str]) -> Self {
        let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let shorter = old.len().min(new.len()) - head;
        let same_end = old.iter().rev().zip(new.iter().rev()).take(shorter).take_while(|(a, b)| a == b).count();
        let (tail, new_tail) = (old.len() - same_end, new.len() - same_end);
        let deadline = Instant::now().checked_add(DIFF_TIMEOUT);
        let (before, after) = (&old[head..tail], &new[head..new_tail]);
        let between = capture_diff_slices_deadline(Algorithm::Patience, before, after, deadline);
        Self { head, tail, new_tail, between }
    }

    fn first(&self, line: usize) -> usize {
        self.line(line, |_, at, new| new.start + at.min(new.len().saturating_sub(1)))
    }

    /// The end of what replaces a line: all of what replaces the last line of some.
    fn last(&self, line: usize) -> usize {
        self.line(line, |old, at, new| match at + 1 == old.len() {
            true => new.end.saturating_sub(1).max(new.start),
            false => new.start + at.min(new.len().saturating_sub(1)),
        })
    }

    fn line(&self, line: usize, replaced: impl Fn(Range<usize>, usize, Range<usize>) -> usize) -> usize {
        if line < self.head {
            return line;
        }
        if line >= self.tail {
            return line - self.tail + self.new_tail;
        }
        let at = line - self.head;
        let op = self.between.iter().find(|op| op.old_range().contains(&at));
        let new = op.map(|op| match op {
            DiffOp::Equal { old_index, new_index, .. } => at - old_index + new_index,
            op => replaced(op.old_range(), at - op.old_range().start, op.new_range()),
        });
        self.head + new.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunk(first: usize, last: usize) -> PlacedHunk {
        PlacedHunk { id: "h".to_owned(), task: None, first, last, kept: false }
    }

    fn moved(on_disk: &str, open: &str, lines: (usize, usize)) -> (usize, usize) {
        let placed = place(&[hunk(lines.0, lines.1)], on_disk, &Text::new(open));
        (placed[0].first, placed[0].last)
    }

    #[test]
    fn a_change_moves_with_what_is_typed_around_it() {
        let disk = "a\nb\nc\nd\ne\n";
        for (open, lines) in [
            (disk, (2, 3)),
            ("x\ny\na\nb\nc\nd\ne\n", (4, 5)),
            ("b\nc\nd\ne\n", (1, 2)),
            ("a\nb\nc\nnew\nd\ne\n", (2, 4)),
            ("a\nb\nC\nD\ne\n", (2, 3)),
            ("a\nb\nC\nD\nmore\ne\n", (2, 4)),
            ("a\nb\nc\nd\ne\nf\n", (2, 3)),
            ("c\nd", (0, 1)),
        ] {
            assert_eq!(moved(disk, open, (2, 3)), lines, "{open:?}");
        }
        // What was deleted leaves the line after it to stand on.
        assert_eq!(moved(disk, "a\nb\ne\n", (2, 3)), (2, 2));
        assert_eq!(moved(disk, "a\n", (3, 4)), (0, 0));
        assert_eq!(moved(disk, "", (0, 4)), (0, 0));
    }

    #[test]
    fn the_endings_of_the_editor_and_lone_carriage_returns_count_as_the_protocol_says() {
        assert_eq!(moved("a\nb\nc\n", "a\r\nb\r\nc\r\n", (1, 2)), (1, 2));
        // For the engine `a\rb` is one line; for the protocol it is two.
        assert_eq!(moved("a\rb\nc\n", "a\rb\nc\n", (1, 1)), (2, 2));
        assert_eq!(moved("a\rb\nc\n", "a\rb\nc\n", (0, 0)), (0, 1));
        assert_eq!(moved("é🦀\nb\n", "x\né🦀\nb\n", (1, 1)), (2, 2));
    }

    #[test]
    fn nothing_is_outside_of_the_text_whatever_is_asked() {
        for disk in ["", "a", "a\n", "a\nb\nc\n"] {
            for open in ["", "\n", "x", "a\nb", "c\nb\na\n", "\r\r\n"] {
                for first in 0..6 {
                    let (new_first, new_last) = moved(disk, open, (first, first + 1));
                    let text = Text::new(open);
                    assert!(new_first <= new_last && new_last <= text.last_line(), "{disk:?} {open:?} {first}");
                }
            }
        }
    }
}
