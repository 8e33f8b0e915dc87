//! Positions in a text as the protocol counts them: lines from 0, and columns in the negotiated encoding.

use std::ops::Range as Bytes;

use tower_lsp::lsp_types::{Position, PositionEncodingKind, Range};

/// What a column counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16: the protocol's default.
    #[default]
    Utf16,
    /// Characters.
    Utf32,
}

impl Encoding {
    /// The first known one of those that the client offers; UTF-16 without any.
    pub(crate) fn agreed(offered: Option<&[PositionEncodingKind]>) -> Self {
        let known = [Self::Utf8, Self::Utf16, Self::Utf32];
        let find = |kind: &PositionEncodingKind| known.into_iter().find(|known| known.kind() == *kind);
        offered.into_iter().flatten().find_map(find).unwrap_or_default()
    }

    /// Its name in the protocol.
    pub(crate) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    /// How many columns a part of a line takes.
    fn columns(self, part: &str) -> u32 {
        let columns = match self {
            _ if part.is_ascii() => part.len(),
            Self::Utf8 => part.len(),
            Self::Utf16 => part.chars().map(char::len_utf16).sum(),
            Self::Utf32 => part.chars().count(),
        };
        u32::try_from(columns).unwrap_or(u32::MAX)
    }

    /// The byte of a line that a column names. A column past the end is the end; one inside a character is its start.
    fn byte(self, line: &str, column: u32) -> usize {
        let column = column as usize;
        if line.is_ascii() || self == Self::Utf8 {
            let mut byte = column.min(line.len());
            while !line.is_char_boundary(byte) {
                byte -= 1;
            }
            return byte;
        }
        let mut left = column;
        for (byte, c) in line.char_indices() {
            let width = if self == Self::Utf16 { c.len_utf16() } else { 1 };
            if left < width {
                return byte;
            }
            left -= width;
        }
        line.len()
    }
}

/// A text with an index of its lines. A line ends with `\n`, `\r\n` or `\r`, as the protocol says; after the last ending
/// there is one more line, which may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    text: String,
    /// The byte each line starts at.
    starts: Vec<usize>,
}

/// A replacement, in whole lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LineEdit {
    /// The first line that it touches.
    pub(crate) first: usize,
    /// The lines it touches, before it, with their endings.
    pub(crate) before: String,
    /// Their number.
    pub(crate) lines_before: usize,
    /// The lines that replace them.
    pub(crate) after: String,
    /// Their number.
    pub(crate) lines_after: usize,
}

impl Text {
    /// Index the lines of a text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut starts = vec![0];
        push_starts(&text, 0, &mut starts);
        Self { text, starts }
    }

    /// The whole text.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The number of lines, including the last one without an ending. Never 0.
    pub(crate) fn line_count(&self) -> usize {
        self.starts.len()
    }

    /// A line without its ending; empty where there is none.
    pub(crate) fn line(&self, line: usize) -> &str {
        self.text[self.whole_line(line)].trim_end_matches(['\n', '\r'])
    }

    /// All lines without their endings.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        (0..self.line_count()).map(|line| self.line(line))
    }

    /// The line of a byte.
    pub(crate) fn line_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte) - 1
    }

    /// The range of some bytes.
    pub(crate) fn range(&self, bytes: Bytes<usize>, encoding: Encoding) -> Range {
        Range { start: self.position(bytes.start, encoding), end: self.position(bytes.end.max(bytes.start), encoding) }
    }

    /// The position of a byte; past the end, the end.
    fn position(&self, byte: usize, encoding: Encoding) -> Position {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        let line = self.line_of(byte);
        // No column counts a part of a line's ending.
        let start = self.starts[line];
        let before = &self.text[start..byte.min(start + self.line(line).len())];
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), character: encoding.columns(before) }
    }

    /// The position of a byte of a line.
    pub(crate) fn position_in(&self, line: usize, byte: usize, encoding: Encoding) -> Position {
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.position(start + byte, encoding)
    }

    /// The byte of a position. Past the end of a line it is the line's end, and past the last line the end of the text.
    pub(crate) fn byte(&self, position: Position, encoding: Encoding) -> usize {
        let line = position.line as usize;
        match self.starts.get(line) {
            Some(start) => start + encoding.byte(self.line(line), position.character),
            None => self.text.len(),
        }
    }

    /// The range of lines `first` to `last`, counted from 0, without the white space around it. Past the last line it is the
    /// last line.
    pub(crate) fn span_of(&self, first: usize, last: usize, encoding: Encoding) -> Range {
        let end = self.last_line();
        let (first, last) = (first.min(end), last.max(first).min(end));
        let (head, tail) = (self.line(first), self.line(last));
        // For only white space the whole line: otherwise the range would begin after its end.
        let indent = if head.trim().is_empty() { 0 } else { head.len() - head.trim_start().len() };
        let length = if tail.trim().is_empty() { tail.len() } else { tail.trim_end().len() };
        self.range(self.starts[first] + indent..self.starts[last] + length, encoding)
    }

    /// The last line that can have a diagnostic: not an empty one after the last ending.
    pub(crate) fn last_line(&self) -> usize {
        let last = self.line_count() - 1;
        if last > 0 && self.line(last).is_empty() { last - 1 } else { last }
    }

    /// Replace a range.
    pub(crate) fn replace(&mut self, range: Range, new: &str, encoding: Encoding) -> LineEdit {
        let (a, b) = (self.byte(range.start, encoding), self.byte(range.end, encoding));
        self.replace_bytes(a.min(b)..a.max(b), new)
    }

    /// Replace the whole text.
    pub(crate) fn replace_all(&mut self, new: &str) -> LineEdit {
        self.replace_bytes(0..self.text.len(), new)
    }

    fn replace_bytes(&mut self, bytes: Bytes<usize>, new: &str) -> LineEdit {
        // A line feed after a carriage return joins its ending: the line before is touched too.
        let joined = bytes.start.saturating_sub(1);
        let first = if self.text.as_bytes()[joined..].starts_with(b"\r") { joined } else { bytes.start };
        let (first, last) = (self.line_of(first), self.line_of(bytes.end));
        let region = self.starts[first]..self.whole_line(last).end;
        let before = self.text[region.clone()].to_owned();
        let is_last = last + 1 == self.line_count();

        let new_end = region.end - bytes.len() + new.len();
        self.text.replace_range(bytes.clone(), new);
        let after = self.text[region.start..new_end].to_owned();
        let mut starts = vec![region.start];
        push_starts(&after, region.start, &mut starts);
        if !is_last {
            // It is where the next line starts.
            starts.pop();
        }
        let edit = LineEdit { first, before, lines_before: last + 1 - first, after, lines_after: starts.len() };
        let moved = |start: &usize| start - bytes.len() + new.len();
        let rest: Vec<usize> = self.starts[last + 1..].iter().map(moved).collect();
        self.starts.truncate(first);
        self.starts.extend(starts);
        self.starts.extend(rest);
        edit
    }

    /// A line with its ending.
    fn whole_line(&self, line: usize) -> Bytes<usize> {
        let at = |line: usize| self.starts.get(line).copied().unwrap_or(self.text.len());
        at(line)..at(line + 1)
    }
}

/// The starts of all lines of a part but its first.
fn push_starts(part: &str, offset: usize, starts: &mut Vec<usize>) {
    let bytes = part.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let ends = *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
        if ends {
            starts.push(offset + at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    fn format_range(range: Range) -> String {
        format!("{}:{}-{}:{}", range.start.line, range.start.character, range.end.line, range.end.character)
    }

    #[test]
    fn the_first_known_encoding_of_the_client_is_agreed_on() {
        use PositionEncodingKind as Kind;
        let strange = Kind::new("utf-7");
        assert_eq!(Encoding::agreed(None), Encoding::Utf16);
        assert_eq!(Encoding::agreed(Some(&[])), Encoding::Utf16);
        assert_eq!(Encoding::agreed(Some(std::slice::from_ref(&strange))), Encoding::Utf16);
        assert_eq!(Encoding::agreed(Some(&[strange, Kind::UTF32, Kind::UTF8])), Encoding::Utf32);
        assert_eq!(Encoding::agreed(Some(&[Kind::UTF8, Kind::UTF16])), Encoding::Utf8);
    }

    #[test]
    fn columns_count_what_was_agreed_in_both_directions() {
        let text = Text::new("a\r\né🦀x\rend");
        for (encoding, columns) in
            [(Encoding::Utf8, [0, 2, 6, 7]), (Encoding::Utf16, [0, 1, 3, 4]), (Encoding::Utf32, [0, 1, 2, 3])]
        {
            for (byte, column) in [3, 5, 9, 10].into_iter().zip(columns) {
                assert_eq!(text.position(byte, encoding), at(1, column), "{encoding:?}");
                assert_eq!(text.byte(at(1, column), encoding), byte, "{encoding:?}");
            }
            assert_eq!(text.byte(at(1, 99), encoding), 10);
            assert_eq!(text.byte(at(0, 99), encoding), 1, "the ending is no column");
            assert_eq!(text.byte(at(9, 0), encoding), text.as_str().len());
            assert_eq!(text.position(11, encoding), at(2, 0));
        }
        // Half a crab is a whole one, seen from its start.
        assert_eq!((text.byte(at(1, 2), Encoding::Utf16), text.byte(at(1, 4), Encoding::Utf8)), (5, 5));
    }

    #[test]
    fn a_line_is_marked_from_its_first_to_its_last_character_and_none_is_outside() {
        let text = Text::new("fn a() {\n    let é = \"🦀\";  \r\n}\n");
        for (first, last, range) in [(0, 0, "0:0-0:8"), (1, 1, "1:4-1:17"), (0, 2, "0:0-2:1"), (2, 1, "2:0-2:1")] {
            assert_eq!(format_range(text.span_of(first, last, Encoding::Utf16)), range);
        }
        let text = Text::new("a\nbc\n");
        for (first, last, range) in [(2, 2, "1:0-1:2"), (usize::MAX, usize::MAX, "1:0-1:2"), (0, 99, "0:0-1:2")] {
            assert_eq!(format_range(text.span_of(first, last, Encoding::Utf16)), range);
        }
        assert_eq!(format_range(Text::new("").span_of(0, 0, Encoding::Utf16)), "0:0-0:0");
        assert_eq!(format_range(Text::new("   \n\n").span_of(0, 0, Encoding::Utf16)), "0:0-0:3");
        assert_eq!(format_range(Text::new("   \n\n").span_of(1, 1, Encoding::Utf16)), "1:0-1:0");
    }

    #[test]
    fn an_edit_keeps_the_lines_as_a_fresh_look_would_find_them() {
        // Every edit of a small text with all endings, at every place, with every insertion.
        let original = "a\r\nb\rc\n\né";
        let boundaries: Vec<usize> = (0..=original.len()).filter(|at| original.is_char_boundary(*at)).collect();
        for start in &boundaries {
            for end in boundaries.iter().filter(|end| *end >= start) {
                for new in ["", "x", "\n", "\r", "\r\n", "x\ny", "\n\n🦀"] {
                    let mut text = Text::new(original);
                    // Positions never point between the two bytes of an ending.
                    if *start == 2 || *end == 2 {
                        continue;
                    }
                    let edit = text.replace_bytes(*start..*end, new);
                    let edit_name = format!("{start}..{end} {new:?}");
                    assert_eq!(text, Text::new(text.as_str()), "{edit_name}");
                    let old = Text::new(original);
                    assert_eq!(
                        text.line_count(),
                        old.line_count() - edit.lines_before + edit.lines_after,
                        "{edit_name}"
                    );
                    let mut lines: Vec<&str> = old.lines().collect();
                    let after = Text::new(edit.after.clone());
                    let replaced = after.lines().take(edit.lines_after);
                    lines.splice(edit.first..edit.first + edit.lines_before, replaced);
                    assert_eq!(lines, text.lines().collect::<Vec<_>>(), "{edit_name}");
                }
            }
        }
    }
}
