//! Anchors: the lines of an issue, found in a text and moved along with its edits.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::contracts::{Issue, find_quote, issue_id};
use crate::lsp::text::position::{LineEdit, Text};

/// How long two texts are compared before the rest counts as rewritten.
const DIFF_TIMEOUT: Duration = Duration::from_millis(20);

/// How many lines around the named one are searched for a fingerprint.
const SEARCH_RADIUS: usize = 200;

/// Shortest line, in bytes, that is recognised in another place: a brace is typed anywhere.
const MIN_DISTINCTIVE: usize = 4;

/// The lines of one issue in the text at hand, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The first line.
    pub(super) first: usize,
    /// The last one.
    pub(super) last: usize,
    /// Whether they were edited since the review.
    pub(super) is_edited: bool,
    /// What was reviewed, each line trimmed.
    reviewed: Vec<String>,
    /// Whether `reviewed` is the review's quote, each line of which may be a part of a line: all that is known of lines
    /// that were gone when they were first looked for.
    is_quote: bool,
}

impl Anchor {
    /// Find an issue's lines: those of its quote, nearest to the line it names. Where the quote is gone, the line it names,
    /// clamped to the text and marked as edited. `shown` are the lines as the reviewer was shown them, secrets masked.
    pub(super) fn find(issue: &Issue, lines: &[&str], shown: &[&str]) -> Self {
        let last_line = lines.len().saturating_sub(1);
        let named = (issue.line.max(1) as usize - 1).min(last_line);
        let height = issue.end_line.unwrap_or(issue.line).saturating_sub(issue.line) as usize;
        let quote = issue.quote.as_deref().filter(|quote| !quote.trim().is_empty());
        let found = match quote {
            Some(quote) => find_quote(shown, quote, issue.line).map(|line| line as usize - 1),
            None => Some(find_fingerprint(issue, lines, named).unwrap_or(named)),
        };
        let first = found.unwrap_or(named).min(last_line);
        let last = first.saturating_add(height).min(last_line);
        let trimmed = |lines: &mut dyn Iterator<Item = &str>| lines.map(|line| line.trim().to_owned()).collect();
        let is_quote = found.is_none();
        let reviewed = match quote {
            Some(quote) if is_quote => trimmed(&mut quote.trim().lines()),
            _ => trimmed(&mut lines.get(first..=last).unwrap_or_default().iter().copied()),
        };
        Self { first, last, is_edited: is_quote, reviewed, is_quote }
    }

    /// A line that is not about what the issue is about.
    pub(super) fn at(line: usize, lines: &[&str]) -> Self {
        let reviewed = lines.get(line).map(|line| line.trim().to_owned()).into_iter().collect();
        Self { first: line, last: line, is_edited: false, reviewed, is_quote: false }
    }

    /// Whether the reviewed lines are at `line`.
    fn matches_at(&self, text: &Text, line: usize) -> bool {
        line + self.reviewed.len() <= text.line_count()
            && self.reviewed.iter().enumerate().all(|(at, reviewed)| match text.line(line + at) {
                there if self.is_quote => there.contains(reviewed.as_str()),
                there => there.trim() == reviewed,
            })
    }

    fn covers(&self, lines: &Range<usize>) -> bool {
        self.first < lines.end && lines.start <= self.last
    }
}

/// The line, nearest to the named one, that the issue's id was computed from.
fn find_fingerprint(issue: &Issue, lines: &[&str], named: usize) -> Option<usize> {
    let is_it =
        |at: &usize| lines.get(*at).is_some_and(|line| issue_id(&issue.file, line, &issue.description) == issue.id);
    let around = (1..=SEARCH_RADIUS).flat_map(|by| [named.checked_sub(by), named.checked_add(by)]).flatten();
    std::iter::once(named).chain(around).find(is_it)
}

/// Move anchors along with edits; whether diagnostics have changed. `text` is the text after all edits.
pub(super) fn follow_edits(anchors: &mut [Anchor], edits: &[LineEdit], text: &Text) -> bool {
    let mut touched: Option<Range<usize>> = None;
    let mut is_moved = false;
    for edit in edits {
        let map = LineMap::of(edit);
        for anchor in anchors.iter_mut() {
            let last = map.line(anchor.last);
            let first = map.line(anchor.first);
            is_moved |= (first, last) != (anchor.first, anchor.last);
            (anchor.first, anchor.last) = (first, last.max(first));
        }
        let changed = edit.first..edit.first + edit.lines_after;
        touched = Some(match touched {
            None => changed,
            Some(touched) => {
                let end = if touched.is_empty() { touched.start } else { map.line(touched.end - 1) + 1 };
                map.line(touched.start).min(changed.start)..end.max(changed.end)
            }
        });
    }
    match touched {
        Some(touched) => reanchor(anchors, &touched, text) || is_moved,
        None => false,
    }
}

/// Move anchors from one text to another whose edits are not known: a file changed on the disk, or opened with unsaved
/// changes.
pub(super) fn follow_text(anchors: &mut [Anchor], old: &Text, new: &Text) {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    if a == b || anchors.is_empty() {
        return;
    }
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let shorter = a.len().min(b.len()) - same;
    let same_end = a.iter().rev().zip(b.iter().rev()).take(shorter).take_while(|(a, b)| a == b).count();
    // With one equal neighbour: removed lines alone would leave nothing to mark.
    let (same, same_end) = if same > 0 { (same - 1, same_end) } else { (0, same_end.saturating_sub(1)) };
    let (before, after) = (&a[same..a.len() - same_end], &b[same..b.len() - same_end]);
    let edit = LineEdit {
        first: same,
        before: before.join("\n"),
        lines_before: before.len(),
        after: after.join("\n"),
        lines_after: after.len(),
    };
    follow_edits(anchors, std::slice::from_ref(&edit), new);
}

/// Mark which anchors among the touched lines were edited, and re-anchor those whose lines have turned up among the
/// touched ones: cut and pasted, or restored by an undo. Whether there are any of either kind.
fn reanchor(anchors: &mut [Anchor], touched: &Range<usize>, text: &Text) -> bool {
    let mut is_any_changed = false;
    for anchor in anchors.iter_mut().filter(|anchor| anchor.covers(touched)) {
        let height = anchor.last - anchor.first + 1;
        let is_whole = anchor.is_quote || height == anchor.reviewed.len();
        anchor.is_edited = !(is_whole && anchor.matches_at(text, anchor.first));
        is_any_changed = true;
    }
    let lost = |anchor: &&mut Anchor| {
        anchor.is_edited
            && !anchor.is_quote
            && anchor.reviewed.first().is_some_and(|line| line.len() >= MIN_DISTINCTIVE)
    };
    let mut changed: Option<HashMap<&str, Vec<usize>>> = None;
    for anchor in anchors.iter_mut().filter(lost) {
        let changed = changed.get_or_insert_with(|| {
            let mut changed: HashMap<&str, Vec<usize>> = HashMap::new();
            for line in touched.clone() {
                changed.entry(text.line(line).trim()).or_default().push(line);
            }
            changed
        });
        let places = anchor.reviewed.first().and_then(|line| changed.get(line.as_str())).into_iter().flatten();
        let found =
            places.filter(|line| anchor.matches_at(text, **line)).min_by_key(|line| line.abs_diff(anchor.first));
        if let Some(line) = found {
            anchor.first = *line;
            anchor.last = line + anchor.reviewed.len() - 1;
            anchor.is_edited = false;
            is_any_changed = true;
        }
    }
    is_any_changed
}

/// Maps lines before an edit to lines after it.
struct LineMap<'a> {
    edit: &'a LineEdit,
    /// For each line that the edit touches; empty where none moves.
    inside: Vec<usize>,
}

impl<'a> LineMap<'a> {
    fn of(edit: &'a LineEdit) -> Self {
        let inside = if edit.lines_before == edit.lines_after && edit.lines_before <= 1 {
            Vec::new()
        } else {
            let (before, after) = (Text::new(edit.before.as_str()), Text::new(edit.after.as_str()));
            let before: Vec<&str> = before.lines().take(edit.lines_before).map(str::trim).collect();
            let after: Vec<&str> = after.lines().take(edit.lines_after).map(str::trim).collect();
            new_lines(&before, &after)
        };
        Self { edit, inside }
    }

    fn line(&self, line: usize) -> usize {
        let LineEdit { first, lines_before, lines_after, .. } = *self.edit;
        match line.checked_sub(first) {
            None => line,
            Some(inside) if inside < lines_before => first + self.inside.get(inside).copied().unwrap_or(inside),
            Some(_) => line - lines_before + lines_after,
        }
    }
}

/// For each line of a part, its index in the part that replaces it; a removed line gets its neighbour's.
fn new_lines(before: &[&str], after: &[&str]) -> Vec<usize> {
    let mut places = vec![0; before.len()];
    let end = after.len().saturating_sub(1);
    let deadline = Instant::now() + DIFF_TIMEOUT;
    for op in capture_diff_slices_deadline(Algorithm::Myers, before, after, Some(deadline)) {
        match op {
            DiffOp::Equal { old_index, new_index, len } => {
                (0..len).for_each(|by| places[old_index + by] = new_index + by);
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                (0..old_len).for_each(|by| places[old_index + by] = new_index + by.min(new_len.saturating_sub(1)));
            }
            DiffOp::Delete { old_index, old_len, new_index } => {
                (0..old_len).for_each(|by| places[old_index + by] = new_index.min(end));
            }
            DiffOp::Insert { .. } => {}
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower_lsp::lsp_types::{Position, Range as Span};

    use super::*;
    use crate::lsp::text::position::Encoding;

    const FILE: &str = "fn a() {\n    one();\n}\n\nfn b() {\n    two();\n}\n";

    fn issue(line: u32, quote: Option<&str>) -> Issue {
        let issue = json!({ "severity": "minor", "file": "a.rs", "line": line, "description": "d", "quote": quote });
        serde_json::from_value(issue).unwrap()
    }

    fn anchored(line: u32, end_line: Option<u32>) -> Anchor {
        let lines: Vec<&str> = FILE.lines().collect();
        Anchor::find(&Issue { end_line, ..issue(line, None) }, &lines, &lines)
    }

    /// From, to, and the text in between from then on.
    type Typed<'a> = ((u32, u32), (u32, u32), &'a str);

    /// Where the anchors are after each edit.
    struct Typing {
        text: Text,
        anchors: Vec<Anchor>,
    }

    impl Typing {
        fn new(anchors: Vec<Anchor>) -> Self {
            Self { text: Text::new(FILE), anchors }
        }

        fn edit(&mut self, edits: &[Typed<'_>]) -> Vec<String> {
            let at = |(line, character)| Position { line, character };
            let mut replace = |(from, to, new): &Typed<'_>| {
                self.text.replace(Span { start: at(*from), end: at(*to) }, new, Encoding::Utf16)
            };
            let edits: Vec<LineEdit> = edits.iter().map(&mut replace).collect();
            follow_edits(&mut self.anchors, &edits, &self.text);
            self.spans()
        }

        fn spans(&self) -> Vec<String> {
            let mark = |anchor: &Anchor| if anchor.is_edited { "*" } else { "" };
            let span = |anchor: &Anchor| match anchor.last - anchor.first {
                0 => format!("{}{}", anchor.first, mark(anchor)),
                _ => format!("{}-{}{}", anchor.first, anchor.last, mark(anchor)),
            };
            self.anchors.iter().map(span).collect()
        }
    }

    #[test]
    fn an_issue_stands_where_its_quote_or_its_fingerprint_does() {
        let lines: Vec<&str> = FILE.lines().collect();
        let found = |issue: &Issue| Anchor::find(issue, &lines, &lines);
        let place = |issue: &Issue| (found(issue).first, found(issue).is_edited);
        assert_eq!(place(&issue(1, Some("two();"))), (5, false));
        assert_eq!(place(&issue(2, Some("three();"))), (1, true), "gone: the line it names, marked");
        assert_eq!(place(&issue(99, Some("three();"))), (6, true));
        assert_eq!(place(&issue(99, None)), (6, false));
        assert_eq!(place(&issue(0, None)), (0, false));
        let moved = Issue { id: issue_id("a.rs", "two();", "d"), ..issue(1, None) };
        assert_eq!(place(&moved), (5, false), "its id says which line it was about");
        assert_eq!(Anchor::find(&issue(3, None), &[], &[]).first, 0);
    }

    #[test]
    fn lines_move_with_what_is_typed_above_and_stay_with_what_is_typed_below() {
        let mut typing = Typing::new(vec![anchored(2, None), anchored(5, Some(7))]);
        assert_eq!(typing.edit(&[((0, 0), (0, 0), "\n")]), ["2", "5-7"]);
        assert_eq!(typing.edit(&[((2, 11), (2, 11), "\n")]), ["2", "6-8"], "a new line after it");
        assert_eq!(typing.edit(&[((2, 0), (2, 0), "new();\n")]), ["3", "7-9"], "a new line before it");
        assert_eq!(typing.edit(&[((0, 0), (2, 0), "")]), ["1", "5-7"]);
        assert_eq!(typing.edit(&[((9, 0), (9, 0), "x\ny\n")]), ["1", "5-7"]);
        assert_eq!(typing.edit(&[((0, 0), (0, 0), "a\n"), ((0, 0), (0, 0), "b\n")]), ["3", "7-9"]);
    }

    #[test]
    fn a_touched_line_is_marked_until_it_is_again_what_it_was() {
        let mut typing = Typing::new(vec![anchored(2, None), anchored(5, Some(7)), anchored(3, None)]);
        assert_eq!(typing.edit(&[((1, 4), (1, 4), "x")]), ["1*", "4-6", "2"]);
        assert_eq!(typing.edit(&[((1, 4), (1, 5), "")]), ["1", "4-6", "2"]);
        assert_eq!(typing.edit(&[((1, 0), (1, 4), "\t")]), ["1", "4-6", "2"], "indentation is no change");
        assert_eq!(typing.edit(&[((5, 0), (5, 0), "y\n")]), ["1", "4-7*", "2"], "a line within it");
        assert_eq!(typing.edit(&[((5, 0), (6, 0), "")]), ["1", "4-6", "2"]);
        assert_eq!(typing.edit(&[((0, 8), (1, 1), " ")]), ["0*", "3-5", "1"], "joined with the line before");
        assert_eq!(typing.edit(&[((0, 8), (0, 9), "\n    ")]), ["1", "4-6", "2"]);
    }

    #[test]
    fn a_line_that_is_cut_and_pasted_takes_its_issue_along() {
        let mut typing = Typing::new(vec![anchored(2, None)]);
        assert_eq!(typing.edit(&[((1, 0), (2, 0), "")]), ["1*"]);
        assert_eq!(typing.edit(&[((4, 0), (4, 0), "    one();\n")]), ["4"]);
        // As editors move a line: both edits at once.
        assert_eq!(typing.edit(&[((4, 0), (5, 0), ""), ((0, 0), (0, 0), "    one();\n")]), ["0"]);
    }

    #[test]
    fn a_text_that_is_replaced_as_a_whole_keeps_the_lines_that_are_still_in_it() {
        let mut typing = Typing::new(vec![anchored(2, None), anchored(6, None), anchored(1, Some(3))]);
        let formatted = "// new\nfn a() {\n  one();\n}\n\nfn b() {\n  zwei();\n}\n";
        assert_eq!(typing.edit(&[((0, 0), (99, 0), formatted)]), ["2", "6*", "1-3"]);
        let (old, new) = (typing.text.clone(), Text::new(FILE));
        follow_text(&mut typing.anchors, &old, &new);
        assert_eq!(typing.spans(), ["1", "5", "0-2"]);
        follow_text(&mut typing.anchors, &new, &Text::new(""));
        assert_eq!(typing.spans(), ["0*", "0*", "0*"]);
    }
}
