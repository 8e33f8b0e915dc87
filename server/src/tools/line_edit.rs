//! Replacing lines by their numbers, guarded by what the first and the last of them say.

use std::ops::Range;

use super::edit_match::{Edited, Tolerance, whole_lines};
use super::edits::Before;
use super::line_map::LineMap;
use super::line_numbers::without_number;
use super::show::{LONGEST_LINE, excerpt};
use crate::text::count;

/// Lines of a file, by their numbers from 1. Where the last one is right before the first, they are the place between the two.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineRange<'a> {
    pub(super) start: i64,
    pub(super) end: i64,
    /// The text of line `start`.
    pub(super) first: Option<&'a str>,
    /// The text of line `end`.
    pub(super) last: Option<&'a str>,
}

/// Lines that are to be replaced, and the file that they are of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) path: &'a str,
    /// The file's text as it is now, secrets masked.
    pub(super) now: &'a str,
    /// The file as the model was last shown it, where it was edited since.
    pub(super) before: Option<&'a Before>,
    /// Where the lines are that it had before all edits.
    pub(super) since_first: &'a LineMap,
    /// Counted as the model was last shown it.
    pub(super) range: LineRange<'a>,
}

/// Put `new`, whole lines, in the place of lines of `text`, which is line by line the text as it is now. Answers with the lines
/// that it replaces too.
///
/// # Errors
/// In words for the model, with the lines as they are.
pub(super) fn edit_lines(text: &str, asked: &Asked<'_>, new: &str) -> Result<(Edited, (usize, usize)), String> {
    let now: Vec<&str> = asked.now.lines().collect();
    let lines = asked.before.map_or_else(|| now.clone(), |before| before.shown.lines().collect());
    let (from, to) = Guarded { asked, lines: &lines, now: &now }.check()?;
    let (start, end) = asked.lines_now(from, to)?;
    Ok((replace(text, start, end, new), (start, end)))
}

impl Asked<'_> {
    /// Where lines are now that the model names.
    fn lines_now(&self, from: usize, to: usize) -> Result<(usize, usize), String> {
        let Some(Before { lines, .. }) = self.before else { return Ok((from, to)) };
        let found = if to < from { lines.gap(from).map(|now| (now, now - 1)) } else { lines.stretch(from, to) };
        found.ok_or_else(|| {
            let what = match to {
                to if to < from => format!("What stands around the place before line {from} of {} was", self.path),
                to if to == from => format!("Line {from} of {} was", self.path),
                _ => format!("Lines {from} to {to} of {}, or some of them, were", self.path),
            };
            format!(
                "{what} changed by an edit before this one in the same turn, so this one was not made. There now:\n{}\
                 Make it in your next turn, numbered as shown here.",
                self.there(from, to)
            )
        })
    }

    /// What stands now where the model means.
    fn there(&self, from: usize, to: usize) -> String {
        let (from, to) = (from.min(to.saturating_add(1)), to.max(from));
        let (from, to) = self.before.map_or((from, to), |before| before.lines.around(from, to));
        excerpt(self.now, from.min(to).saturating_sub(AROUND), from.max(to).saturating_add(AROUND))
    }

    /// `says`, of the file that the lines are counted in.
    fn says(&self) -> &'static str {
        if self.before.is_some() { "said when you were last shown it" } else { "says" }
    }

    /// `nothing was changed`, by this edit.
    fn unchanged(&self) -> &'static str {
        if self.before.is_some() { "this edit was not made" } else { "nothing was changed" }
    }
}

/// A range held against the lines of a file.
struct Guarded<'a> {
    asked: &'a Asked<'a>,
    /// As the model was last shown them.
    lines: &'a [&'a str],
    now: &'a [&'a str],
}

impl Guarded<'_> {
    /// The range, if it lies in the file and its guards hold.
    fn check(&self) -> Result<(usize, usize), String> {
        let (path, total) = (self.asked.path, self.lines.len());
        let LineRange { start, end, first, last } = self.asked.range;
        let unchanged = self.asked.unchanged();
        let has = match self.asked.before {
            Some(_) => format!("{path} had {} when you were last shown it", count(total, "line")),
            None => format!("{path} has {}", count(total, "line")),
        };
        let outside = |what: &str| format!("{has}; lines {start} to {end}{what}; {unchanged}.{}", self.elsewhere());
        let number = |line: i64| usize::try_from(line).ok().filter(|line| *line <= total.saturating_add(1));
        let (Some(from), Some(to)) = (number(start).filter(|from| *from > 0), number(end)) else {
            return Err(outside(" are not in it"));
        };
        if to > total || to + 1 < from {
            let why = if to > total { "end_line is after its end" } else { "end_line is before start_line" };
            return Err(outside(&format!(": {why}")));
        }
        let is_place = to + 1 == from;
        let lacks = match (first, last) {
            (None, _) if !is_place => Some("first, the text of line start_line, is missing"),
            (_, None) if !is_place && to != from => Some("last, the text of line end_line, is missing"),
            (None, None) if total > 0 => {
                Some("first, the text of line start_line, is missing, or last, that of end_line")
            }
            _ => None,
        };
        if let Some(lacks) = lacks {
            return Err(format!("{lacks}; {unchanged}."));
        }
        for (name, guard, line) in [("first", first, from), ("last", last, to)] {
            let Some(guard) = guard else { continue };
            if !holds(self.lines, guard, line) {
                return Err(format!(
                    "{name} is not what line {line} of {path} {}; {unchanged}.{}{} The lines there are:\n{}",
                    self.asked.says(),
                    self.reason(from, to),
                    self.elsewhere(),
                    self.asked.there(from, to)
                ));
            }
        }
        Ok((from, to))
    }

    /// Why the lines are not those that are meant, if that is plain: they are numbered as they are at another time.
    fn reason(&self, from: usize, to: usize) -> String {
        let LineRange { first, last, .. } = self.asked.range;
        let holds = |guard: Option<&str>, line: usize| guard.is_none_or(|guard| holds(self.now, guard, line));
        if self.asked.before.is_some() {
            let is_after = holds(first, from) && holds(last, to);
            let words = " You numbered them as they are after your edits in this turn; number them as you were last shown them.";
            return if is_after { words.to_owned() } else { String::new() };
        }
        match self.asked.since_first.stretch(from.min(to), from.max(to)) {
            Some((now, behind)) if now != from.min(to) => {
                let (now_from, now_to) = if to < from { (behind, now) } else { (now, behind) };
                let is_moved = holds(first, now_from) && holds(last, now_to);
                let words = format!(" Your edits of earlier turns moved what was line {from} to line {now_from}.");
                if is_moved { words } else { String::new() }
            }
            _ => String::new(),
        }
    }

    /// Where the lines that were meant stand now, if that is plain.
    fn elsewhere(&self) -> String {
        let LineRange { start, end, first, last } = self.asked.range;
        let holds = |guard: Option<&str>, line: usize| guard.is_none_or(|guard| holds(self.now, guard, line));
        let is_telling = |guard: Option<&str>| guard.is_some_and(|guard| !guard.trim().is_empty());
        let all = 1..=self.now.len();
        let span = end.saturating_sub(start);
        let end_of =
            |line: usize| i64::try_from(line).ok().and_then(|line| usize::try_from(line.checked_add(span)?).ok());
        let both = |line: &usize| holds(first, *line) && end_of(*line).is_some_and(|end| holds(last, end));
        let found = if is_telling(first) || is_telling(last) { only(all.clone().filter(both)) } else { None };
        let found = found.and_then(|line| Some((line, end_of(line)?))).or_else(|| {
            let from = only(all.clone().filter(|line| is_telling(first) && holds(first, *line)))?;
            let to = only(all.clone().filter(|line| is_telling(last) && holds(last, *line)))?;
            (from <= to).then_some((from, to))
        });
        match found {
            Some((from, to)) => format!(" What you name stands at start_line {from}, end_line {to} now."),
            None => String::new(),
        }
    }
}

/// Whether a guard is what a line says, from 1. Beyond the file there are only blank ones.
fn holds(lines: &[&str], guard: &str, line: usize) -> bool {
    let Some(line) = line.checked_sub(1).and_then(|index| lines.get(index)) else {
        return guard.trim().is_empty();
    };
    is_line(guard, line) || without_number(guard).is_some_and(|guard| is_line(guard, line))
}

/// Lines shown around those that were meant.
const AROUND: usize = 3;

/// The only one there is.
fn only(mut all: impl Iterator<Item = usize>) -> Option<usize> {
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// Whether a guard is what a line says; blanks at the end do not count. Of a line that is shown cut, its beginning will do.
fn is_line(guard: &str, line: &str) -> bool {
    const LEAST: usize = 20;
    let (guard, line) = (guard.trim_end(), line.trim_end());
    let head = guard.split('…').next().unwrap_or_default();
    let is_head = || head.len() >= LEAST && line.starts_with(head) && line.chars().nth(LONGEST_LINE).is_some();
    guard == line || is_head()
}

/// Lines `start..=end` of a text replaced. The end of the text stays as it was, with or without a line break.
fn replace(text: &str, start: usize, end: usize, new: &str) -> Edited {
    let lines: Vec<Range<usize>> = whole_lines(text).collect();
    let from = lines.get(start - 1).map_or(text.len(), |line| line.start);
    let behind = |line: &Range<usize>| line.end + usize::from(text[line.end..].starts_with('\n'));
    let to = if end < start { from } else { lines.get(end - 1).map_or(text.len(), behind) };
    let is_open = to == text.len() && !text.is_empty() && !text.ends_with('\n');
    let new = match new {
        "" => String::new(),
        new if is_open => new.strip_suffix('\n').unwrap_or(new).to_owned(),
        new if new.ends_with('\n') => new.to_owned(),
        new => format!("{new}\n"),
    };
    let lead = if is_open && from == text.len() && !new.is_empty() { "\n" } else { "" };
    let place = from + lead.len()..from + lead.len() + new.len();
    let text = [&text[..from], lead, &new, &text[to..]].concat();
    let replaced = from..to;
    Edited { text, places: vec![place], replaced: vec![replaced], tolerance: Tolerance::Exact }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, (start, end): (usize, usize), new: &str) -> String {
        replace(text, start, end, new).text
    }

    #[test]
    fn lines_are_replaced_inserted_and_removed() {
        let text = "1\n2\n3\n";
        assert_eq!(edited(text, (2, 2), "two"), "1\ntwo\n3\n");
        assert_eq!(edited(text, (2, 3), "two\nthree\nfour\n"), "1\ntwo\nthree\nfour\n");
        assert_eq!(edited(text, (1, 3), ""), "");
        assert_eq!(edited(text, (2, 2), "\n"), "1\n\n3\n", "a blank line is a line");
        assert_eq!(edited(text, (1, 0), "0"), "0\n1\n2\n3\n");
        assert_eq!(edited(text, (4, 3), "4"), "1\n2\n3\n4\n");
        assert_eq!(edited("", (1, 0), "1"), "1\n");
    }

    #[test]
    fn a_text_without_a_last_line_break_keeps_to_that() {
        let text = "1\n2";
        assert_eq!(edited(text, (2, 2), "two\n"), "1\ntwo");
        assert_eq!(edited(text, (3, 2), "3\n"), "1\n2\n3");
        assert_eq!(edited(text, (1, 1), "one"), "one\n2");
        assert_eq!(edited(text, (2, 2), ""), "1\n");
        let made = replace(text, 3, 2, "3");
        assert_eq!((&made.text[made.places[0].clone()], made.lines()), ("3", vec![(3, 3)]));
    }

    fn made(text: &str, range: LineRange<'_>) -> Result<String, String> {
        let asked = Asked { path: "a.rs", now: text, before: None, since_first: &LineMap::default(), range };
        edit_lines(text, &asked, "x").map(|(edited, _)| edited.text)
    }

    fn refused(text: &str, range: LineRange<'_>) -> String {
        made(text, range).unwrap_err()
    }

    #[test]
    fn a_guard_that_does_not_hold_says_where_the_lines_are() {
        let text = "use a;\n\nfn one() {  \n    1\n}\n\nfn two() {\n    2\n}\n";
        let range = |start, end, first, last| LineRange { start, end, first: Some(first), last: Some(last) };
        assert!(made(text, range(3, 5, "fn one() {", "}")).is_ok(), "blanks at the end");
        assert!(made(text, range(3, 3, "    3\tfn one() {", "fn one() {")).is_ok());
        let told = refused(text, range(6, 8, "fn two() {", "}"));
        assert!(
            told.starts_with(
                "first is not what line 6 of a.rs says; nothing was changed. What you name stands at start_line 7, \
                 end_line 9 now. The lines there are:\n    3\tfn one() {"
            ),
            "{told}"
        );
        let told = refused(text, range(3, 4, "fn one() {", "fn two() {"));
        assert!(told.contains("last is not what line 4") && told.contains("start_line 3, end_line 7 now"), "{told}");
        let told = refused(text, range(4, 4, "}", "}"));
        assert!(!told.contains("What you name"), "it stands twice: {told}");
        let told = refused(text, range(8, 12, "fn two() {", "}"));
        assert_eq!(told, "a.rs has 9 lines; lines 8 to 12 are not in it; nothing was changed.");
        let told = refused(text, range(8, 10, "fn two() {", "}"));
        assert!(told.contains("end_line is after its end") && told.contains("start_line 7, end_line 9 now"), "{told}");
        assert!(refused(text, range(5, 2, "}", "}")).contains("end_line is before start_line"));
        assert!(refused(text, range(0, 2, "}", "}")).contains("are not in it"));
        for (start, end) in [(i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (i64::MIN, 0), (1, i64::MAX), (0, i64::MAX)] {
            assert!(refused(text, range(start, end, "}", "}")).contains("are not in it"), "{start} to {end}");
            assert!(refused(text, range(start, end, "fn two() {", "}")).contains("are not in it"), "{start} to {end}");
        }
    }

    #[test]
    fn the_guards_of_a_place_are_the_lines_around_it() {
        let text = "a\nb\n";
        let place = |start, end, first, last| LineRange { start, end, first, last };
        for good in [
            place(2, 1, Some("b"), None),
            place(2, 1, None, Some("a")),
            place(2, 1, Some("b"), Some("a")),
            place(3, 2, None, Some("b")),
            place(3, 2, Some(""), Some("b")),
            place(1, 0, Some("a"), None),
        ] {
            assert!(made(text, good).is_ok(), "{good:?}");
        }
        for bad in [place(2, 1, Some("a"), None), place(2, 1, None, None), place(3, 2, Some("b"), None)] {
            assert!(made(text, bad).is_err(), "{bad:?}");
        }
        assert!(made("", place(1, 0, None, None)).is_ok(), "an empty file has no line to name");
        assert!(refused(text, place(1, 2, Some("a"), None)).starts_with("last, the text of line end_line, is missing"));
    }
}
