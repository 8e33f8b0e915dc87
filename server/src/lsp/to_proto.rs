//! From the engine's types to the protocol's.

use std::path::Path;

use tower_lsp::lsp_types::{DiagnosticSeverity, MessageType, Position, Range, Url};

use crate::contracts::Severity;
use crate::workflow::Outcome;

/// The URI of a file in a folder of the client's; `None` for a folder that is no absolute path.
pub(super) fn uri(folder: &Path, file: &str) -> Option<Url> {
    Url::from_file_path(folder.join(file)).ok()
}

/// How an editor shows an issue.
pub(super) fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Critical => DiagnosticSeverity::ERROR,
        Severity::Major => DiagnosticSeverity::WARNING,
        Severity::Minor => DiagnosticSeverity::INFORMATION,
        Severity::Suggestion => DiagnosticSeverity::HINT,
    }
}

/// How loudly an editor says that a run has ended.
pub(super) fn message_type(outcome: Outcome) -> MessageType {
    match outcome {
        Outcome::Merged | Outcome::Done | Outcome::Rejected | Outcome::Cancelled => MessageType::INFO,
        Outcome::Escalated | Outcome::Waiting => MessageType::WARNING,
        Outcome::Failed => MessageType::ERROR,
    }
}

/// The place of lines `first` to `last`, both from 1, from the first character of the one to the last of the other
/// that is no white space. Lines that the text does not have become its last.
pub(super) fn lines(text: &str, first: u32, last: u32) -> Range {
    // An editor does not count a line after the last newline as a line to point at.
    let lines: Vec<&str> = text.lines().collect();
    let end = lines.len().saturating_sub(1);
    let index = |line: u32| (line.max(1) as usize - 1).min(end);
    let (first, last) = (index(first), index(last.max(first)));
    let line = |index: usize| lines.get(index).copied().unwrap_or_default();
    let before = &line(first)[..line(first).len() - line(first).trim_start().len()];
    // Nothing but white space: the whole line, lest the range begins after its end.
    let before = if before.len() == line(first).len() { "" } else { before };
    let whole = if line(last).trim().is_empty() { line(last) } else { line(last).trim_end() };
    Range { start: position(first, before), end: position(last, whole) }
}

/// The place of some bytes of a text.
pub(super) fn range(text: &str, bytes: std::ops::Range<usize>) -> Range {
    let position_of = |offset: usize| {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        position(before.matches('\n').count(), &before[start..])
    };
    Range { start: position_of(bytes.start), end: position_of(bytes.end) }
}

/// One line for people that drives no terminal and deceives no eye: control and direction characters out, white space
/// joined, and cut after so many characters.
pub(super) fn plain(text: &str, longest: usize) -> String {
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line: String = words.collect::<Vec<_>>().join(" ").chars().filter(|c| !turns(*c)).collect();
    match line.char_indices().nth(longest) {
        Some((cut, _)) => format!("{}…", line[..cut].trim_end()),
        None => line,
    }
}

/// `1 file`, `2 files`.
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// A column in UTF-16 code units, as the protocol counts where nothing else is agreed.
fn position(line: usize, before: &str) -> Position {
    let clamped = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Position { line: clamped(line), character: clamped(before.encode_utf16().count()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(range: Range) -> String {
        format!("{}:{}-{}:{}", range.start.line, range.start.character, range.end.line, range.end.character)
    }

    #[test]
    fn a_line_is_marked_from_its_first_to_its_last_character() {
        let text = "fn a() {\n    let é = \"🦀\";  \r\n}\n";
        for (first, last, range) in [
            (1, 1, "0:0-0:8"),
            // The crab counts twice: it is two UTF-16 code units.
            (2, 2, "1:4-1:17"),
            (1, 3, "0:0-2:1"),
            (3, 2, "2:0-2:1"),
        ] {
            assert_eq!(shown(lines(text, first, last)), range, "{first}-{last}");
        }
    }

    #[test]
    fn no_line_is_outside_the_text() {
        let text = "a\nbc\n";
        for (first, last, range) in
            [(0, 0, "0:0-0:1"), (3, 3, "1:0-1:2"), (u32::MAX, u32::MAX, "1:0-1:2"), (1, 99, "0:0-1:2")]
        {
            assert_eq!(shown(lines(text, first, last)), range, "{first}-{last}");
        }
        assert_eq!(shown(lines("", 1, 1)), "0:0-0:0");
        assert_eq!(shown(lines("   \n\n", 1, 1)), "0:0-0:3");
        assert_eq!(shown(lines("   \n\n", 2, 2)), "1:0-1:0");
    }

    #[test]
    fn bytes_become_lines_and_utf16_columns() {
        let text = "{\n  \"é🦀\": \"T1\"\n}";
        let start = text.find("\"T1\"").unwrap();
        assert_eq!(shown(range(text, start..start + 4)), "1:9-1:13");
        assert_eq!(shown(range(text, 0..9999)), "0:0-2:1");
    }

    #[test]
    fn what_is_shown_is_one_plain_line() {
        assert_eq!(plain(" a\u{1b}[2J\r\n\tb\u{202e}c ", 100), "a [2J bc");
        assert_eq!(plain("one two three", 8), "one two…");
        assert_eq!(plain("éé", 2), "éé");
    }
}
