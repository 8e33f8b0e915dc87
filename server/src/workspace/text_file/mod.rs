//! Text files that keep their encoding, byte order mark and line endings when they are changed.

mod encoding;
pub(super) mod new_file;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use crate::workspace::lines::{EqualRun, equal_runs};
use crate::workspace::{Interrupt, Interrupted};

pub use encoding::{CannotEncode, NotText};
use encoding::{Charset, PlacedStray, REPLACEMENT, Raw, Stray};

/// A text file as agents see it: line feeds only, no byte order mark, whatever is on disk. Invalid bytes are shown as
/// U+FFFD and stay in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    text: String,
    charset: Charset,
    bom: bool,
    /// How each line of `text` ends in the file.
    ends: Vec<End>,
    /// The invalid sequences behind the U+FFFD of `text`, by offset.
    strays: Vec<PlacedStray>,
    /// How new lines end, if prescribed.
    rule: Option<End>,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Lf,
    CrLf,
    /// The last line without an end.
    Open,
}

/// The text of a file as [`TextFile::decode`] and [`TextFile::text`] give it, without what is needed to change it; `None`
/// if the bytes are not text. Much faster for plain UTF-8.
pub fn text_of(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let has_mark = [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| bytes.starts_with(mark));
    if !has_mark {
        // In no encoding without a mark is a NUL part of a text.
        if memchr::memchr(0, bytes).is_some() {
            return None;
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            let is_plain = memchr::memchr(b'\r', bytes).is_none();
            return Some(if is_plain { Cow::Borrowed(text) } else { Cow::Owned(text.replace("\r\n", "\n")) });
        }
    }
    TextFile::decode(bytes).ok().map(|file| Cow::Owned(file.text))
}

impl TextFile {
    /// A new file: UTF-8, with the line endings of its text.
    pub fn empty() -> Self {
        Self::with_format(Charset::Utf8, false, None)
    }

    /// A new file in a given format.
    fn with_format(charset: Charset, bom: bool, rule: Option<End>) -> Self {
        Self { text: String::new(), charset, bom, ends: Vec::new(), strays: Vec::new(), rule }
    }

    /// Decodes bytes as UTF-8, UTF-16 with a byte order mark, else Windows-1252. A few invalid bytes do not change the
    /// choice.
    ///
    /// # Errors
    /// When the bytes are not text, or do not survive a round trip.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotText> {
        let Raw { charset, bom, text: raw, strays: mut placed } = encoding::decode(bytes)?;
        let mut text = String::with_capacity(raw.len());
        let mut ends = Vec::new();
        let (mut line_end, mut next) = (0, 0);
        for line in raw.split_inclusive('\n') {
            let (content, end) = match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
                (Some(content), _) => (content, End::CrLf),
                (None, Some(content)) => (content, End::Lf),
                (None, None) => (line, End::Open),
            };
            line_end += line.len();
            while let Some((at, _)) = placed.get_mut(next).filter(|(at, _)| *at < line_end) {
                *at = text.len() + *at - (line_end - line.len());
                next += 1;
            }
            text.push_str(content);
            if end != End::Open {
                text.push('\n');
            }
            ends.push(end);
        }
        Ok(Self { text, charset, bom, ends, strays: placed, rule: None })
    }

    /// The text with line feeds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Encodes `new_text` in this file's format. Lines that stay keep their bytes, new ones get the file's prevailing
    /// line ending, or that of `new_text` if the file has none; whether the last line has an end follows `new_text`.
    ///
    /// # Errors
    /// When the file's encoding cannot hold the text.
    pub fn encode(&self, new_text: &str) -> Result<Vec<u8>, CannotEncode> {
        self.encode_until(new_text, &Interrupt::never())
    }

    /// [`encode`](Self::encode), unless interrupted.
    ///
    /// # Errors
    /// When the file's encoding cannot hold the text, or when interrupted.
    pub fn encode_until(&self, new_text: &str, interrupt: &Interrupt) -> Result<Vec<u8>, CannotEncode> {
        if new_text.contains('\0') {
            return Err(CannotEncode::Nul);
        }
        let text = self.normalised(new_text);
        let ending = self.ending_for(new_text);
        if self.strays.is_empty() && self.is_even() {
            let raw = if ending == End::CrLf { Cow::Owned(text.replace('\n', "\r\n")) } else { text };
            return encoding::encode(self.charset, self.bom, &raw, &[]);
        }
        let carried = LineMap::over(self, &text, interrupt)?;
        let strays = carried.strays()?;
        self.written(&carried, &strays, ending)
    }

    /// The text with private-use characters in place of invalid bytes, for merging; `None` if the text has such
    /// characters of its own. See [`encode_marked`](Self::encode_marked).
    pub(super) fn marked(&self) -> Option<String> {
        if self.text.contains(is_mark) {
            return None;
        }
        let mut marked = String::with_capacity(self.text.len());
        let mut rest = 0;
        for (at, stray) in &self.strays {
            marked.push_str(&self.text[rest..*at]);
            let firsts = [FIRST_MARK, FURTHER_MARK, FURTHER_MARK];
            marked.extend(
                stray.bytes().iter().zip(firsts).filter_map(|(b, first)| char::from_u32(first + u32::from(*b))),
            );
            rest = at + REPLACEMENT.len_utf8();
        }
        marked.push_str(&self.text[rest..]);
        Some(marked)
    }

    /// [`encode`](Self::encode) for a text with the marks of [`marked`](Self::marked).
    pub(super) fn encode_marked(&self, marked: &str) -> Result<Vec<u8>, CannotEncode> {
        if !marked.contains(is_mark) {
            return self.encode(marked);
        }
        let (text, strays) = unmarked(marked);
        let ending = self.ending_for(&text);
        let never = Interrupt::never();
        let carried = LineMap::over(self, &text, &never)?;
        self.written(&carried, &strays, ending)
    }

    /// Whether both have the same encoding.
    pub(super) fn is_encoded_like(&self, other: &Self) -> bool {
        self.charset == other.charset
    }

    /// Whether most lines end in CRLF.
    pub(super) fn ends_in_crlf(&self) -> bool {
        self.ending_for("") == End::CrLf
    }

    /// Normalises CRLF to line feeds, unless a line of the file has a carriage return before its end.
    fn normalised<'a>(&self, new_text: &'a str) -> Cow<'a, str> {
        if self.text.contains("\r\n") || !new_text.contains("\r\n") {
            return Cow::Borrowed(new_text);
        }
        Cow::Owned(new_text.replace("\r\n", "\n"))
    }

    /// Whether all lines have the same ending and none has another carriage return before it.
    fn is_even(&self) -> bool {
        let mut ends = self.ends.iter().filter(|end| **end != End::Open);
        let first = ends.next();
        ends.all(|end| Some(end) == first) && !self.text.contains("\r\n")
    }

    /// How new lines end.
    fn ending_for(&self, new_text: &str) -> End {
        let crlf = self.ends.iter().filter(|end| **end == End::CrLf).count();
        let lf = self.ends.iter().filter(|end| **end == End::Lf).count();
        let own = (crlf + lf > 0).then_some(if crlf > lf { End::CrLf } else { End::Lf });
        self.rule.or(own).unwrap_or_else(|| {
            let (crlf, all) = (new_text.matches("\r\n").count(), new_text.matches('\n').count());
            if crlf * 2 > all { End::CrLf } else { End::Lf }
        })
    }

    fn written(&self, carried: &LineMap<'_>, strays: &[PlacedStray], ending: End) -> Result<Vec<u8>, CannotEncode> {
        let mut raw = String::with_capacity(carried.text.len() + carried.new.len());
        let mut placed = Vec::with_capacity(strays.len());
        let mut strays = strays.iter().peekable();
        for (line, from) in carried.new.iter().zip(&carried.from) {
            let content = &carried.text[line.clone()];
            // A carriage return before the end is kept only in a line that had one; otherwise it was meant as the
            // ending.
            let had = matches!(from, LineOrigin::Line { kept: true, .. })
                || from.line().is_some_and(|old| self.text[carried.old[old].clone()].ends_with('\r'));
            let is_ended = carried.text[line.end..].starts_with('\n');
            let content = if had || !is_ended { content } else { content.strip_suffix('\r').unwrap_or(content) };
            while let Some((at, stray)) = strays.next_if(|(at, _)| *at < line.end) {
                placed.push((raw.len() + at - line.start, *stray));
            }
            raw.push_str(content);
            if is_ended {
                let end = from.line().map(|old| self.ends[old]).filter(|end| *end != End::Open).unwrap_or(ending);
                raw.push_str(if end == End::CrLf { "\r\n" } else { "\n" });
            }
        }
        encoding::encode(self.charset, self.bom, &raw, &placed)
    }
}

/// Private-use characters of the last plane, by byte value: for the first byte of a stray, and for further ones.
const FIRST_MARK: u32 = 0x0010_fe00;
const FURTHER_MARK: u32 = 0x0010_fd00;

fn is_mark(c: char) -> bool {
    (FURTHER_MARK..FIRST_MARK + 0x100).contains(&u32::from(c))
}

/// A text without its marks, and the strays they stood for.
fn unmarked(marked: &str) -> (String, Vec<PlacedStray>) {
    let mut text = String::with_capacity(marked.len());
    let mut strays: Vec<PlacedStray> = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    for c in marked.chars().map(Some).chain([None]) {
        let byte = c.filter(|c| is_mark(*c)).map(|c| u32::from(c).to_le_bytes()[0]);
        let is_further = byte.is_some() && c.is_some_and(|c| u32::from(c) < FIRST_MARK) && !open.is_empty();
        if !is_further && let Some(stray) = Stray::new(&open).filter(|stray| !stray.bytes().is_empty()) {
            strays.push((text.len(), stray));
            text.push(REPLACEMENT);
            open.clear();
        }
        match (byte, c) {
            (Some(byte), _) => open.push(byte),
            (None, Some(c)) => text.push(c),
            (None, None) => {}
        }
    }
    (text, strays)
}

/// Which old line a new one comes from.
#[derive(Debug, Clone, Copy)]
enum LineOrigin {
    Nowhere,
    /// An old line, unchanged (`kept`) or replaced.
    Line {
        old: usize,
        kept: bool,
    },
}

impl LineOrigin {
    fn line(self) -> Option<usize> {
        match self {
            Self::Nowhere => None,
            Self::Line { old, .. } => Some(old),
        }
    }
}

/// The mapping from a file's old text to its new one.
struct LineMap<'a> {
    file: &'a TextFile,
    text: &'a str,
    /// The lines of both texts, without their ends.
    old: Vec<Range<usize>>,
    new: Vec<Range<usize>>,
    from: Vec<LineOrigin>,
    /// Ranges of changed lines, old and new.
    changed: Vec<(Range<usize>, Range<usize>)>,
    interrupt: &'a Interrupt,
}

impl<'a> LineMap<'a> {
    fn over(file: &'a TextFile, text: &'a str, interrupt: &'a Interrupt) -> Result<Self, Interrupted> {
        let (old, new) = (lines(&file.text), lines(text));
        let contents = |text: &'a str, lines: &[Range<usize>]| -> Vec<&'a str> {
            lines.iter().map(|line| &text[line.clone()]).collect()
        };
        let kept = equal_runs(&contents(&file.text, &old), &contents(text, &new), interrupt)?;
        let mut from = vec![LineOrigin::Nowhere; new.len()];
        let mut changed = Vec::new();
        let (mut old_at, mut new_at) = (0, 0);
        let end = EqualRun { old: old.len(), new: new.len(), len: 0 };
        for EqualRun { old: old_index, new: new_index, len } in kept.into_iter().chain([end]) {
            // A run of changed lines of equal length keeps its ends line by line.
            if old_index - old_at == new_index - new_at {
                for offset in 0..old_index - old_at {
                    from[new_at + offset] = LineOrigin::Line { old: old_at + offset, kept: false };
                }
            }
            changed.push((old_at..old_index, new_at..new_index));
            for offset in 0..len {
                from[new_index + offset] = LineOrigin::Line { old: old_index + offset, kept: true };
            }
            (old_at, new_at) = (old_index + len, new_index + len);
        }
        Ok(Self { file, text, old, new, from, changed, interrupt })
    }

    /// Maps each U+FFFD of the new text to a stray of the file.
    fn strays(&self) -> Result<Vec<PlacedStray>, CannotEncode> {
        let mut placed = Vec::new();
        if self.file.strays.is_empty() || !self.text.contains(REPLACEMENT) {
            return Ok(placed);
        }
        for (line, from) in self.new.iter().zip(&self.from) {
            if let LineOrigin::Line { old, kept: true } = from {
                self.copy_line(*old, line, &mut placed);
            }
        }
        // A moved or copied line keeps its strays, a changed one those in its unchanged parts.
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut strays = self.file.strays.iter().peekable();
        for (index, line) in self.old.iter().enumerate() {
            if strays.next_if(|(at, _)| *at < line.end).is_some() {
                while strays.next_if(|(at, _)| *at < line.end).is_some() {}
                known.entry(&self.file.text[line.clone()]).or_insert(index);
            }
        }
        for (old, new) in &self.changed {
            let mut open = false;
            for index in new.clone() {
                match known.get(&self.text[self.new[index].clone()]) {
                    Some(old) => self.copy_line(*old, &self.new[index], &mut placed),
                    None => open |= self.text[self.new[index].clone()].contains(REPLACEMENT),
                }
            }
            if open {
                self.map_changed_strays(old.clone(), new.clone(), &known, &mut placed)?;
            }
        }
        placed.sort_by_key(|(at, _)| *at);
        Ok(placed)
    }

    fn strays_in(&self, place: &Range<usize>) -> &[PlacedStray] {
        let strays = &self.file.strays;
        let at = |offset| strays.partition_point(|(at, _)| *at < offset);
        &strays[at(place.start)..at(place.end)]
    }

    fn copy_line(&self, old: usize, new: &Range<usize>, placed: &mut Vec<PlacedStray>) {
        let old = &self.old[old];
        placed.extend(self.strays_in(old).iter().map(|(at, stray)| (new.start + at - old.start, *stray)));
    }

    /// Maps the strays of changed lines character by character.
    fn map_changed_strays(
        &self,
        old: Range<usize>,
        new: Range<usize>,
        known: &HashMap<&str, usize>,
        placed: &mut Vec<PlacedStray>,
    ) -> Result<(), CannotEncode> {
        let chars = |text: &str, lines: &[Range<usize>]| -> Vec<(usize, char)> {
            let place =
                lines.first().map_or(0..0, |first| first.start..lines.last().map_or(first.end, |last| last.end));
            text[place.clone()].char_indices().map(|(at, c)| (place.start + at, c)).collect()
        };
        let (old, now) = (chars(&self.file.text, &self.old[old]), chars(self.text, &self.new[new.clone()]));
        let only = |chars: &[(usize, char)]| -> Vec<char> { chars.iter().map(|(_, c)| *c).collect() };
        let mut origins: HashMap<usize, usize> = HashMap::new();
        for EqualRun { old: old_index, new: new_index, len } in equal_runs(&only(&old), &only(&now), self.interrupt)? {
            let pairs = now[new_index..new_index + len].iter().zip(&old[old_index..old_index + len]);
            origins.extend(pairs.filter(|((_, c), _)| *c == REPLACEMENT).map(|((new, _), (old, _))| (*new, *old)));
        }
        for index in new {
            let line = &self.new[index];
            let text = &self.text[line.clone()];
            if known.contains_key(text) {
                continue;
            }
            for (at, _) in text.match_indices(REPLACEMENT) {
                let at = line.start + at;
                match origins.get(&at) {
                    // A real U+FFFD in the file is no stray.
                    Some(old) => placed.extend(self.stray_at(*old).map(|stray| (at, stray))),
                    None => placed.push((at, self.single_kind().ok_or(CannotEncode::Stray { line: index + 1 })?)),
                }
            }
        }
        Ok(())
    }

    fn stray_at(&self, at: usize) -> Option<Stray> {
        let found = self.file.strays.binary_search_by_key(&at, |(at, _)| *at).ok()?;
        Some(self.file.strays[found].1)
    }

    /// The stray behind every U+FFFD of the file, if all are equal.
    fn single_kind(&self) -> Option<Stray> {
        let strays = &self.file.strays;
        let first = strays.first()?.1;
        let alike = strays.iter().all(|(_, stray)| *stray == first);
        (alike && self.file.text.matches(REPLACEMENT).count() == strays.len()).then_some(first)
    }
}

/// The ranges of a text's lines, without their ends.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let range = start..start + line.strip_suffix('\n').unwrap_or(line).len();
            start += line.len();
            range
        })
        .collect()
}

/// The characters of a text file with line endings and byte order mark.
pub(super) fn decode_lines(bytes: &[u8]) -> Result<String, NotText> {
    let Raw { bom, text, .. } = encoding::decode(bytes)?;
    Ok(if bom { format!("\u{feff}{text}") } else { text })
}

#[cfg(test)]
mod tests;
