use textwrap::WordSplitter;
use textwrap::core::display_width;

use super::{safe_line, safe_lines};

/// Columns of the deepest indentation that is kept when a line is wrapped, so that something of a narrow screen is left.
const DEEPEST: usize = 16;

/// A paragraph of one safe line, broken at `width` columns: the first line after `first`, the others after as many spaces.
///
/// Words stay whole: a path or a command broken in two can be neither read nor copied. One that is longer than the line stands
/// on a line of its own.
pub fn paragraph(first: &str, text: &str, width: usize) -> String {
    hanging(first, &" ".repeat(display_width(first)), text, width)
}

/// The same with what the other lines stand after.
pub fn hanging(first: &str, rest: &str, text: &str, width: usize) -> String {
    filled(first, rest, &safe_line(text), width)
}

/// A safe text of several lines, each of them wrapped like a [`paragraph`] below its own indentation, or below its own mark of
/// a list.
pub fn wrapped(text: &str, width: usize) -> String {
    rewrapped(&safe_lines(text), width)
}

/// The same for a text that is safe already, and may have styles. Lines that fit stay as they are.
pub fn rewrapped(text: &str, width: usize) -> String {
    let line = |line: &str| {
        if display_width(line) <= width {
            return line.trim_end().to_owned();
        }
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let mark = ["- ", "* ", "? ", "! "].iter().find(|mark| text.starts_with(*mark)).map_or(0, |mark| mark.len());
        let (first, text) = line.split_at(indent + mark);
        let first = &first[indent.saturating_sub(DEEPEST)..];
        filled(first, &" ".repeat(first.len()), text, width).trim_end().to_owned()
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

fn filled(first: &str, rest: &str, text: &str, width: usize) -> String {
    let options = textwrap::Options::new(width.max(1)).initial_indent(first).subsequent_indent(rest);
    // A hyphen is no place to break at: commands, ids and dates have them.
    textwrap::fill(text, options.break_words(false).word_splitter(WordSplitter::NoHyphenation))
}

/// The columns that a line takes, without its escape sequences.
pub fn columns_of(line: &str) -> usize {
    display_width(line)
}

/// The beginning of a safe line that fits into so many columns, with `…` behind it where something was cut off: by words
/// where that leaves enough of it, else within a word.
pub fn fitted(line: &str, width: usize) -> String {
    if display_width(line) <= width {
        return line.to_owned();
    }
    let room = width.saturating_sub(1);
    let mut taken = 0;
    let end = line.char_indices().find(|(_, c)| {
        taken += display_width(c.encode_utf8(&mut [0; 4]));
        taken > room
    });
    let head = &line[..end.map_or(line.len(), |(end, _)| end)];
    let is_inside = !line[head.len()..].starts_with(' ');
    let by_words = head.rfind(' ').filter(|end| is_inside && display_width(&head[..*end]) * 3 >= room * 2);
    let head = by_words.map_or(head, |end| &head[..end]);
    if width == 0 { String::new() } else { format!("{}…", head.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_hangs_under_its_first_word() {
        assert_eq!(paragraph("  - ", "one two\nthree four", 14), "  - one two\n    three four");
        assert_eq!(paragraph("  ", "a/path/longer/than/the/width x", 10), "  a/path/longer/than/the/width\n  x");
        assert_eq!(paragraph("\u{1b}[1mab\u{1b}[0m ", "one two", 6), "\u{1b}[1mab\u{1b}[0m one\n   two");
        assert_eq!(
            paragraph("", "see baton run --task-file x", 20),
            "see baton run\n--task-file x",
            "no word is broken"
        );
        assert_eq!(hanging("major: ", "  ", "one two three", 12), "major: one\n  two three");
    }

    #[test]
    fn a_text_of_several_lines_is_wrapped_line_by_line() {
        let text = "one two three\n  - four five six\n\n    seven eight\u{1b}[2J\n";
        assert_eq!(wrapped(text, 12), "one two\nthree\n  - four\n    five six\n\n    seven\n    eight");
        assert_eq!(wrapped("one two", 0), "one\ntwo");
        assert_eq!(wrapped("", 12), "");
        let deep = format!("{}x y", " ".repeat(90));
        assert_eq!(rewrapped("\u{1b}[1ma b\u{1b}[0m c d", 5), "\u{1b}[1ma b\u{1b}[0m c\nd", "styles take no room");
        assert_eq!(wrapped(&deep, 40), format!("{}x y", " ".repeat(DEEPEST)), "the screen is not left");
    }

    #[test]
    fn what_does_not_fit_is_cut_between_words() {
        for (line, width, expected) in [
            ("one two", 7, "one two"),
            ("one two", 6, "one t…"),
            ("one two three", 12, "one two thr…"),
            ("one two three", 8, "one two…"),
            ("a longestword", 9, "a longes…"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("one", 1, "…"),
            ("one", 0, ""),
            ("", 0, ""),
        ] {
            assert_eq!(fitted(line, width), expected, "{line:?} in {width}");
            assert!(columns_of(&fitted(line, width)) <= width);
        }
    }
}
