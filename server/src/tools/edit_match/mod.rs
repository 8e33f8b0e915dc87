//! Finding the text that an edit replaces: exactly, or else by rungs that forgive what models get wrong. On every
//! rung the place must be unique.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::str::Chars;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::workspace::{Interrupt, Interrupted, MAX_FILE_BYTES};

/// An edited text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    pub(super) text: String,
    /// Where the new text stands, in bytes of `text`.
    pub(super) places: Vec<Range<usize>>,
    /// What it took the place of, in bytes of the old text: as many ranges.
    pub(super) replaced: Vec<Range<usize>>,
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
    /// It took too long, or was stopped.
    Interrupted(Interrupted),
}

/// Most places that are looked for: a text that stands at more is no text to edit by.
const MOST_PLACES: usize = 1_000;
/// Most lines, old and new, of which it is worth finding out which ones the edit leaves as they were.
const MOST_COMPARED: usize = 20_000;

/// Most bytes that are looked at for all places together: of a long text only few places are looked for.
const MOST_LOOKED_AT: usize = 64 * 1024 * 1024;
/// Lines between two checks of the clock.
const LINES_AT_ONCE: usize = 4_096;

/// A place in the old text and what comes there.
type Replacement = (Range<usize>, String);

/// Replace `old` in `text` by `new`: at its one place, or at all.
pub(super) fn edit(text: &str, old: &str, new: &str, all: bool, interrupt: &Interrupt) -> Result<Edited, Miss> {
    // Also, what is put in at all places together is no more than a file may be.
    let most = (MAX_FILE_BYTES as usize / new.len().max(1)).clamp(2, MOST_PLACES);
    let most = most.min((MOST_LOOKED_AT / old.len().max(1)).max(2));
    let sought = Sought { text, old, new, all, most: most + 1, interrupt };
    for rung in RUNGS {
        // A text of blanks alone would match everywhere.
        if rung.tolerance() != Tolerance::Exact && old.trim().is_empty() {
            break;
        }
        interrupt.check()?;
        let found = match rung {
            Rung::Exact => sought.exact(),
            Rung::Within => sought.punctuation(),
            Rung::Lines(form) => sought.by_lines(form)?,
        };
        match found.len() {
            0 => {}
            1 => return Ok(apply(text, found, rung.tolerance())),
            n if all && n > most => return Err(Miss::TooMany),
            _ if all => return Ok(apply(text, disjoint(found), rung.tolerance())),
            _ => return Err(Miss::Several(lines_of(text, found.iter().map(|(range, _)| range.start)))),
        }
    }
    Err(Miss::Absent)
}

impl From<Interrupted> for Miss {
    fn from(interrupted: Interrupted) -> Self {
        Self::Interrupted(interrupted)
    }
}

/// One way of looking for the place.
#[derive(Debug, Clone, Copy)]
enum Rung {
    Exact,
    /// Typographic punctuation for plain one, within lines too.
    Within,
    /// Whole lines that are the same in a form.
    Lines(Form),
}

const RUNGS: [Rung; 6] = [
    Rung::Exact,
    Rung::Lines(Form { blank: false, plain: false }),
    Rung::Lines(Form { blank: true, plain: false }),
    Rung::Within,
    Rung::Lines(Form { blank: false, plain: true }),
    Rung::Lines(Form { blank: true, plain: true }),
];

impl Rung {
    fn tolerance(self) -> Tolerance {
        match self {
            Self::Exact => Tolerance::Exact,
            Self::Within | Self::Lines(Form { plain: true, .. }) => Tolerance::Punctuation,
            Self::Lines(Form { blank: false, .. }) => Tolerance::Trailing,
            Self::Lines(Form { blank: true, .. }) => Tolerance::Indentation,
        }
    }
}

/// What of a line does not count: spaces at its end, those in front too, the kind of its punctuation.
#[derive(Debug, Clone, Copy)]
struct Form {
    blank: bool,
    plain: bool,
}

impl Form {
    fn chars(self, line: &str) -> impl Iterator<Item = char> {
        let line = if self.blank { line.trim() } else { line.trim_end() };
        line.chars().map(move |c| if self.plain { plain(c) } else { c })
    }

    fn same(self, a: &str, b: &str) -> bool {
        self.chars(a).eq(self.chars(b))
    }

    fn hash(self, line: &str, state: &RandomState) -> u64 {
        let mut hasher = state.build_hasher();
        if self.plain {
            self.chars(line).for_each(|c| hasher.write_u32(u32::from(c)));
        } else {
            hasher.write(if self.blank { line.trim() } else { line.trim_end() }.as_bytes());
        }
        hasher.finish()
    }
}

impl Edited {
    /// The same edit of another text, as long as the one it was made in, in which only what stays differs.
    pub(super) fn made_in(mut self, text: &str) -> Self {
        let mut made = String::with_capacity(self.text.len());
        let mut rest = 0;
        for (old, new) in self.replaced.iter().zip(&self.places) {
            made.push_str(&text[rest..old.start]);
            made.push_str(&self.text[new.clone()]);
            rest = old.end;
        }
        made.push_str(&text[rest..]);
        self.text = made;
        self
    }

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

/// The lines, from 1, of places that come in their order.
fn lines_of(text: &str, places: impl Iterator<Item = usize>) -> Vec<usize> {
    let (mut counted, mut line) = (0, 1);
    places
        .map(|place| {
            line += newlines(&text.as_bytes()[counted..place]);
            counted = place;
            line
        })
        .collect()
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

fn apply(text: &str, replacements: Vec<Replacement>, tolerance: Tolerance) -> Edited {
    let mut edited =
        Edited { text: String::with_capacity(text.len()), places: Vec::new(), replaced: Vec::new(), tolerance };
    let mut rest = 0;
    for (range, new) in replacements {
        edited.text.push_str(&text[rest..range.start]);
        let start = edited.text.len();
        edited.text.push_str(&new);
        edited.places.push(start..edited.text.len());
        rest = range.end;
        edited.replaced.push(range);
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

/// What is looked for, and what comes there.
struct Sought<'a> {
    text: &'a str,
    old: &'a str,
    new: &'a str,
    all: bool,
    /// Places at which it is enough.
    most: usize,
    interrupt: &'a Interrupt,
}

impl Sought<'_> {
    fn exact(&self) -> Vec<Replacement> {
        let replacement = |range| (range, self.new.to_owned());
        if self.all {
            let places = self.text.match_indices(self.old).map(|(start, old)| start..start + old.len());
            return places.take(self.most).map(replacement).collect();
        }
        occurrences(self.text, self.old).take(self.most).map(replacement).collect()
    }

    /// Places where whole lines are the same in a form. Blanks in front that do not count are inserted again.
    fn by_lines(&self, form: Form) -> Result<Vec<Replacement>, Miss> {
        let old_lines: Vec<&str> = whole_lines(self.old).map(|range| &self.old[range]).collect();
        let new_lines: Vec<&str> = whole_lines(self.new).map(|range| &self.new[range]).collect();
        if old_lines.is_empty() {
            return Ok(Vec::new());
        }
        let kept = kept(&old_lines, &new_lines);
        let hashes = RandomState::new();
        let mut search = Search::of(old_lines.iter().map(|line| form.hash(line, &hashes)).collect());
        let mut place: VecDeque<Range<usize>> = VecDeque::with_capacity(old_lines.len());
        let (mut found, mut tried) = (Vec::new(), 0);
        for (index, line) in whole_lines(self.text).enumerate() {
            if index % LINES_AT_ONCE == 0 {
                self.interrupt.check()?;
            }
            if place.len() == old_lines.len() {
                place.pop_front();
            }
            let is_found = search.next(form.hash(&self.text[line.clone()], &hashes));
            place.push_back(line);
            if !is_found {
                continue;
            }
            tried += 1;
            if tried > self.most {
                // Whether it stands anywhere else is not known then.
                return Err(Miss::TooMany);
            }
            let there: Vec<&str> = place.iter().map(|range| &self.text[range.clone()]).collect();
            if !old_lines.iter().zip(&there).all(|(old, there)| form.same(old, there)) {
                continue;
            }
            let indents = if form.blank { Indents::between(&old_lines, &there) } else { Some(Indents::default()) };
            let (Some(indents), Some(first), Some(last)) = (indents, place.front(), place.back()) else { continue };
            if self.new.is_empty() {
                // The lines go, and their ends with them.
                let end = if self.text[last.end..].starts_with('\n') { last.end + 1 } else { last.end };
                found.push((first.start..end, String::new()));
            } else {
                found.push((first.start..last.end, merged(&there, &new_lines, &kept, &indents)));
            }
            if found.len() == self.most {
                break;
            }
        }
        Ok(found)
    }

    /// Places where the text is the same but for typographic punctuation, within lines too.
    fn punctuation(&self) -> Vec<Replacement> {
        let (plain_text, plain_old) = (ascii_punctuation(self.text), ascii_punctuation(self.old));
        if plain_text == self.text && plain_old == self.old {
            return Vec::new();
        }
        let old_lines: Vec<&str> = self.old.split('\n').collect();
        let new_lines: Vec<&str> = self.new.split('\n').collect();
        let kept = kept(&old_lines, &new_lines);
        let length = plain_old.chars().count();
        // One character becomes one, so the n-th character of one is that of the other.
        let mut at = Pace { plain: plain_text.chars(), real: self.text.chars(), offset: 0, left: plain_text.len() };
        occurrences(&plain_text, &plain_old)
            .take(self.most)
            .map(|range| {
                at.advance_to(plain_text.len() - range.start);
                let start = at.offset;
                let end = start + at.real.clone().take(length).map(char::len_utf8).sum::<usize>();
                let there: Vec<&str> = self.text[start..end].split('\n').collect();
                (start..end, merged(&there, &new_lines, &kept, &Indents::default()))
            })
            .collect()
    }
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

/// Looks for a sequence of numbers among others, each of which is looked at once: the algorithm of Knuth, Morris and
/// Pratt.
struct Search {
    wanted: Vec<u64>,
    /// Of each beginning of `wanted`, how long a shorter one is that it ends with.
    shorter: Vec<usize>,
    matched: usize,
}

impl Search {
    fn of(wanted: Vec<u64>) -> Self {
        let mut search = Self { shorter: vec![0; wanted.len()], wanted, matched: 0 };
        for index in 1..search.wanted.len() {
            search.step(search.wanted[index]);
            search.shorter[index] = search.matched;
        }
        search.matched = 0;
        search
    }

    /// Whether the whole of it ends with this number.
    fn next(&mut self, number: u64) -> bool {
        if self.matched == self.wanted.len() {
            self.matched = self.shorter[self.matched - 1];
        }
        self.step(number);
        self.matched == self.wanted.len()
    }

    fn step(&mut self, number: u64) {
        while self.matched > 0 && self.wanted[self.matched] != number {
            self.matched = self.shorter[self.matched - 1];
        }
        if self.wanted[self.matched] == number {
            self.matched += 1;
        }
    }
}

/// A text and its plain form, walked through side by side.
struct Pace<'a> {
    plain: Chars<'a>,
    real: Chars<'a>,
    /// Bytes of the real text behind.
    offset: usize,
    /// Bytes of the plain one ahead.
    left: usize,
}

impl Pace<'_> {
    /// Walk on to where so many bytes of the plain text are ahead.
    fn advance_to(&mut self, left: usize) {
        while self.left > left
            && let (Some(plain), Some(real)) = (self.plain.next(), self.real.next())
        {
            self.left -= plain.len_utf8();
            self.offset += real.len_utf8();
        }
    }
}

/// The lines of a text without their ends; a last end begins no further line.
pub(super) fn whole_lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = start..start + line.strip_suffix('\n').unwrap_or(line).len();
        start += line.len();
        range
    })
}

/// Which lines an edit leaves as they were: old and new index, and how many.
fn kept(old: &[&str], new: &[&str]) -> Vec<(usize, usize, usize)> {
    if old.len() + new.len() > MOST_COMPARED {
        return Vec::new();
    }
    let steps = capture_diff_slices(Algorithm::Histogram, old, new);
    let equal = |step| match step {
        DiffOp::Equal { old_index, new_index, len } => Some((old_index, new_index, len)),
        _ => None,
    };
    steps.into_iter().filter_map(equal).collect()
}

/// The new lines; those that the edit leaves as they were stay as they stand in the file.
fn merged(there: &[&str], new: &[&str], kept: &[(usize, usize, usize)], indents: &Indents) -> String {
    let mut lines: Vec<Cow<'_, str>> = new.iter().map(|line| indents.apply(line)).collect();
    for (old_index, new_index, len) in kept {
        for offset in 0..*len {
            lines[new_index + offset] = Cow::Borrowed(there[old_index + offset]);
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

/// Typographic quotes, dashes and spaces as their plain ones, character by character.
fn ascii_punctuation(text: &str) -> String {
    text.chars().map(plain).collect()
}

fn plain(c: char) -> char {
    match c {
        '\u{2018}'..='\u{201b}' | '\u{2032}' | '\u{02bc}' => '\'',
        '\u{201c}'..='\u{201f}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

#[cfg(test)]
mod tests;
