//! Finding the text that an edit replaces: exactly, or else by rungs that forgive what models get wrong. On every
//! rung the place must be unique.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::workspace::MAX_FILE_BYTES;

/// An edited text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    pub(super) text: String,
    /// Where the new text stands, in bytes of `text`.
    pub(super) places: Vec<Range<usize>>,
    pub(super) tolerance: Tolerance,
}

/// What had to be forgiven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    Exact,
    Trailing,
    Indentation,
    Punctuation,
}

/// Why there is no place to edit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Miss {
    Absent,
    /// The lines, from 1, of several places.
    Several(Vec<usize>),
    /// More places than one edit may change.
    TooMany,
}

/// Most places that are looked for: a text that stands at more is no text to edit by.
const MOST_PLACES: usize = 1_000;
/// Most lines, old and new, of which it is worth finding out which ones the edit leaves as they were.
const MOST_COMPARED: usize = 20_000;

/// A place in the old text and what comes there.
type Replacement = (Range<usize>, String);

/// Replace `old` in `text` by `new`: at its one place, or at all.
pub(super) fn edit(text: &str, old: &str, new: &str, all: bool) -> Result<Edited, Miss> {
    type Rung = fn(&str, &str, &str, usize) -> Vec<Replacement>;
    let rungs: [(Tolerance, Rung); 6] = [
        (Tolerance::Exact, exact),
        (Tolerance::Trailing, |text, old, new, most| by_lines(text, old, new, (trailing, false), most)),
        (Tolerance::Indentation, |text, old, new, most| by_lines(text, old, new, (blank, true), most)),
        (Tolerance::Punctuation, punctuation),
        (Tolerance::Punctuation, |text, old, new, most| by_lines(text, old, new, (punctuated, false), most)),
        (Tolerance::Punctuation, |text, old, new, most| by_lines(text, old, new, (punctuated_blank, true), most)),
    ];
    // Also, what is put in at all places together is no more than a file may be.
    let most = (MAX_FILE_BYTES as usize / new.len().max(1)).clamp(2, MOST_PLACES);
    for (tolerance, rung) in rungs {
        // Nothing but blanks would be forgiven into standing everywhere.
        if tolerance != Tolerance::Exact && old.trim().is_empty() {
            break;
        }
        let found = rung(text, old, new, most + 1);
        match found.len() {
            0 => {}
            1 => return Ok(apply(text, found, tolerance)),
            n if all && n > most => return Err(Miss::TooMany),
            _ if all => return Ok(apply(text, disjoint(found), tolerance)),
            _ => return Err(Miss::Several(found.iter().map(|(range, _)| line_of(text, range.start)).collect())),
        }
    }
    Err(Miss::Absent)
}

impl Edited {
    /// The first and last line, from 1, of each place.
    pub(super) fn lines(&self) -> Vec<(usize, usize)> {
        let (mut counted, mut line) = (0, 1);
        // The places come in their order, so that the text is counted once.
        let mut line_at = |offset: usize| {
            let to = offset.min(self.text.len()).max(counted);
            line += newlines(&self.text.as_bytes()[counted..to]);
            counted = to;
            line
        };
        self.places.iter().map(|range| (line_at(range.start), line_at(range.end.max(range.start + 1) - 1))).collect()
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    newlines(&text.as_bytes()[..offset.min(text.len())]) + 1
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn apply(text: &str, replacements: Vec<Replacement>, tolerance: Tolerance) -> Edited {
    let mut edited = Edited { text: String::with_capacity(text.len()), places: Vec::new(), tolerance };
    let mut rest = 0;
    for (range, new) in replacements {
        edited.text.push_str(&text[rest..range.start]);
        let start = edited.text.len();
        edited.text.push_str(&new);
        edited.places.push(start..edited.text.len());
        rest = range.end;
    }
    edited.text.push_str(&text[rest..]);
    edited
}

/// Of places that overlap, the first.
fn disjoint(found: Vec<Replacement>) -> Vec<Replacement> {
    let mut end = 0;
    found
        .into_iter()
        .filter(|(range, _)| {
            let free = range.start >= end;
            if free {
                end = range.end;
            }
            free
        })
        .collect()
}

fn exact(text: &str, old: &str, new: &str, most: usize) -> Vec<Replacement> {
    occurrences(text, old).take(most).map(|range| (range, new.to_owned())).collect()
}

/// Every place, also such as overlap: `aa` stands twice in `aaa`.
fn occurrences<'a>(text: &'a str, old: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    let step = old.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from + text.get(from..)?.find(old)?;
        from = start + step;
        Some(start..start + old.len())
    })
}

fn trailing(line: &str) -> Cow<'_, str> {
    Cow::Borrowed(line.trim_end())
}

fn blank(line: &str) -> Cow<'_, str> {
    Cow::Borrowed(line.trim())
}

fn punctuated(line: &str) -> Cow<'_, str> {
    Cow::Owned(ascii_punctuation(line).trim_end().to_owned())
}

fn punctuated_blank(line: &str) -> Cow<'_, str> {
    Cow::Owned(ascii_punctuation(line).trim().to_owned())
}

/// Places where whole lines are the same in the form that the rung gives them, and whether it indents anew.
fn by_lines(
    text: &str,
    old: &str,
    new: &str,
    (form, reindent): (fn(&str) -> Cow<'_, str>, bool),
    most: usize,
) -> Vec<Replacement> {
    let lines = whole_lines(text);
    let old_lines: Vec<&str> = whole_lines(old).into_iter().map(|range| &old[range]).collect();
    let new_lines: Vec<&str> = whole_lines(new).into_iter().map(|range| &new[range]).collect();
    let wanted: Vec<Cow<'_, str>> = old_lines.iter().map(|line| form(line)).collect();
    let have: Vec<Cow<'_, str>> = lines.iter().map(|range| form(&text[range.clone()])).collect();
    if wanted.is_empty() || have.len() < wanted.len() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, window) in have.windows(wanted.len()).enumerate() {
        if window != wanted {
            continue;
        }
        if found.len() == most {
            break;
        }
        let place = &lines[at..at + wanted.len()];
        let there: Vec<&str> = place.iter().map(|range| &text[range.clone()]).collect();
        let indents = if reindent { Indents::between(&old_lines, &there) } else { Some(Indents::default()) };
        let (Some(indents), Some(first), Some(last)) = (indents, place.first(), place.last()) else { continue };
        if new.is_empty() {
            // The lines go, and their ends with them.
            let end = if text[last.end..].starts_with('\n') { last.end + 1 } else { last.end };
            found.push((first.start..end, String::new()));
        } else {
            found.push((first.start..last.end, merged(&there, &old_lines, &new_lines, &indents)));
        }
    }
    found
}

/// The lines of a text without their ends; a last end begins no further line.
fn whole_lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let range = start..start + line.strip_suffix('\n').unwrap_or(line).len();
            start += line.len();
            range
        })
        .collect()
}

/// The new lines; those that the edit leaves as they were stay as they stand in the file.
fn merged(there: &[&str], old: &[&str], new: &[&str], indents: &Indents) -> String {
    let mut lines: Vec<Cow<'_, str>> = new.iter().map(|line| indents.apply(line)).collect();
    if old.len() + new.len() > MOST_COMPARED {
        return lines.join("\n");
    }
    for op in capture_diff_slices(Algorithm::Histogram, old, new) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for offset in 0..len {
                lines[new_index + offset] = Cow::Borrowed(there[old_index + offset]);
            }
        }
    }
    lines.join("\n")
}

/// How the indentation of an edit becomes that of the file.
#[derive(Debug, Default)]
struct Indents {
    known: HashMap<String, String>,
}

impl Indents {
    /// From lines that are the same but for their indentation; `None` when one indentation would have to become two.
    fn between(old: &[&str], there: &[&str]) -> Option<Self> {
        let mut known: HashMap<String, String> = HashMap::new();
        for (old, there) in old.iter().zip(there).filter(|(old, _)| !old.trim().is_empty()) {
            let (from, to) = (indent(old), indent(there));
            if known.insert(from.to_owned(), to.to_owned()).is_some_and(|earlier| earlier != to) {
                return None;
            }
        }
        Some(Self { known })
    }

    fn apply<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let from = indent(line);
        if self.known.is_empty() || line.trim().is_empty() {
            return Cow::Borrowed(line);
        }
        let content = &line[from.len()..];
        if let Some(to) = self.known.get(from) {
            return Cow::Owned(format!("{to}{content}"));
        }
        // Deeper than a known one: what goes beyond it is kept.
        let base = self.known.iter().filter(|(known, _)| from.starts_with(known.as_str())).max_by_key(|(k, _)| k.len());
        if let Some((known, to)) = base {
            return Cow::Owned(format!("{to}{}{content}", &from[known.len()..]));
        }
        // Less deep than all known ones: the same step out.
        let Some((known, to)) = self.known.iter().min_by_key(|(known, _)| known.len()) else {
            return Cow::Borrowed(line);
        };
        let step_out = known.strip_prefix(from).unwrap_or_default();
        Cow::Owned(format!("{}{content}", to.strip_suffix(step_out).unwrap_or_default()))
    }
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// Places where the text is the same but for typographic punctuation, within lines too.
fn punctuation(text: &str, old: &str, new: &str, most: usize) -> Vec<Replacement> {
    let (plain_text, plain_old) = (ascii_punctuation(text), ascii_punctuation(old));
    if plain_text == text && plain_old == old {
        return Vec::new();
    }
    // One character becomes one, so the n-th character of one is that of the other.
    let mut offsets: HashMap<usize, usize> =
        plain_text.char_indices().zip(text.char_indices()).map(|((plain, _), (real, _))| (plain, real)).collect();
    offsets.insert(plain_text.len(), text.len());
    let old_lines: Vec<&str> = old.split('\n').collect();
    let new_lines: Vec<&str> = new.split('\n').collect();
    occurrences(&plain_text, &plain_old)
        .take(most)
        .filter_map(|range| {
            let range = *offsets.get(&range.start)?..*offsets.get(&range.end)?;
            let there: Vec<&str> = text[range.clone()].split('\n').collect();
            Some((range, merged(&there, &old_lines, &new_lines, &Indents::default())))
        })
        .collect()
}

/// Typographic quotes, dashes and spaces as their plain ones, character by character.
fn ascii_punctuation(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{02bc}' => '\'',
            '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, old: &str, new: &str) -> (String, Tolerance) {
        let edited = edit(text, old, new, false).unwrap();
        (edited.text, edited.tolerance)
    }

    #[test]
    fn exact_and_unique() {
        assert_eq!(edited("let a = 1;\n", "a = 1", "b = 2"), ("let b = 2;\n".into(), Tolerance::Exact));
        assert_eq!(edit("x\ny\nx\n", "x", "z", false), Err(Miss::Several(vec![1, 3])));
        assert_eq!(edit("aaa", "aa", "b", false), Err(Miss::Several(vec![1, 1])));
        assert_eq!(edit("x\n", "q", "z", false), Err(Miss::Absent));
    }

    #[test]
    fn an_edit_changes_only_so_many_places_and_grows_a_file_only_so_far() {
        let text = "a".repeat(5 << 20);
        assert_eq!(edit(&text, "a", "b", true), Err(Miss::TooMany));
        assert!(matches!(edit(&text, "a", "b", false), Err(Miss::Several(lines)) if lines.len() == MOST_PLACES + 1));
        assert_eq!(edit("x\nx\nx\n", "x", &text, true), Err(Miss::TooMany));
        let lines = edit(&"x\n".repeat(900), "x", "y\nz", true).unwrap().lines();
        assert_eq!((lines[0], lines[899]), ((1, 2), (1799, 1800)));
    }

    #[test]
    fn all_places_at_once() {
        let edited = edit("x\ny\nx\n", "x", "long\nz", true).unwrap();
        assert_eq!(edited.text, "long\nz\ny\nlong\nz\n");
        assert_eq!(edited.lines(), [(1, 2), (4, 5)]);
        assert_eq!(edit("aaa", "aa", "b", true).unwrap().text, "ba");
    }

    #[test]
    fn trailing_spaces_are_forgiven_and_kept_where_nothing_changes() {
        let text = "fn a() {  \n    one();\t\n    two();\n}\n";
        let (text, tolerance) = edited(text, "fn a() {\n    one();\n    two();", "fn a() {\n    one();\n    three();");
        assert_eq!(text, "fn a() {  \n    one();\t\n    three();\n}\n");
        assert_eq!(tolerance, Tolerance::Trailing);
    }

    #[test]
    fn indentation_is_forgiven_and_carried_over() {
        let text = "mod m {\n    fn a() {\n        one();\n    }\n}\n";
        let (text, tolerance) =
            edited(text, "fn a() {\n    one();\n}", "fn a() {\n    if x {\n        two();\n    }\n}\nfn b() {}\n");
        let expected =
            "mod m {\n    fn a() {\n        if x {\n            two();\n        }\n    }\n    fn b() {}\n}\n";
        assert_eq!(text, expected);
        assert_eq!(tolerance, Tolerance::Indentation);
    }

    #[test]
    fn tabs_for_spaces_and_too_much_indentation() {
        assert_eq!(
            edited("\tif x:\n\t\ty()\n", "    if x:\n        y()", "    if x:\n        z()").0,
            "\tif x:\n\t\tz()\n"
        );
        assert_eq!(
            edited("if x:\n  y()\n", "    if x:\n      y()", "    if z:\n      y()\n    w()").0,
            "if z:\n  y()\nw()\n"
        );
        assert_eq!(
            edited("a {\n    b\n    }\n", "        b\n        }", "        c\n      d\n").0,
            "a {\n    c\n  d\n"
        );
    }

    #[test]
    fn flattened_text_is_not_guessed_back_into_shape() {
        assert_eq!(edit("if x:\n    y()\n", "if x:\ny()", "if x:\nz()", false), Err(Miss::Absent));
    }

    #[test]
    fn typographic_punctuation_is_forgiven_within_a_line() {
        let text = "say(“it’s here – now”);\nrest\n";
        let (text, tolerance) = edited(text, "\"it's here - now\"", "\"gone\"");
        assert_eq!(text, "say(\"gone\");\nrest\n");
        assert_eq!(tolerance, Tolerance::Punctuation);
        let kept = "“one”\n“two”\n";
        assert_eq!(edited(kept, "\"one\"\n\"two\"\n", "\"one\"\n\"three\"\n").0, "“one”\n\"three\"\n");
        assert_eq!(edited("    a\u{a0}b\n", "a b \n", "c\n").0, "    c\n");
    }

    #[test]
    fn a_tolerant_place_must_be_unique_too() {
        assert_eq!(edit("  a\nx\n\ta\n", "a \n", "b", false), Err(Miss::Several(vec![1, 3])));
        assert_eq!(edit("  a\n\ta\n", "   a", "   b", true).unwrap().text, "  b\n\tb\n");
    }

    #[test]
    fn blanks_are_found_only_exactly() {
        assert_eq!(edit("a\n\nb\n", "  \n", "x", false), Err(Miss::Absent));
    }

    #[test]
    fn removing_lines_takes_their_ends_along() {
        assert_eq!(edited("a\n  b  \nc\n", "b\n", "").0, "a\nc\n");
        assert_eq!(edited("a\nlast ", "last\n", "end\n").0, "a\nend");
    }

    #[test]
    fn any_texts_are_edited_in_one_place_or_not_at_all() {
        let mut random = fastrand::Rng::with_seed(11);
        let pieces = ["a", "b", " ", "  ", "\t", "\n", "“", "\"", "–", "-", "é", "\u{a0}"];
        let mut text = |most: usize| -> String {
            let length = random.usize(..most);
            (0..length).map(|_| *random.choice(&pieces).unwrap()).collect()
        };
        let (mut tolerated, mut exact) = (0, 0);
        for _ in 0..20_000 {
            let (file, old, new) = (text(30), format!("a{}", text(4)), text(4));
            match edit(&file, &old, &new, false) {
                Ok(edited) if edited.tolerance == Tolerance::Exact => {
                    assert_eq!(edited.text, file.replacen(&old, &new, 1));
                    exact += 1;
                }
                Ok(edited) => {
                    assert!(!file.contains(&old));
                    assert_eq!(edited.places.len(), 1);
                    tolerated += 1;
                }
                Err(Miss::Several(lines)) => assert!(lines.len() > 1),
                Err(Miss::Absent) => assert!(!file.contains(&old)),
                Err(Miss::TooMany) => unreachable!("of so short texts"),
            }
        }
        assert!(tolerated > 200 && exact > 200, "{tolerated} {exact}");
    }
}
