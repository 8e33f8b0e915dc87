//! The parts of a log, and the log as Markdown.

use crate::text;

/// One part of a log. Its texts are as they came: whoever shows one makes it safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogBlock {
    /// A heading.
    Heading {
        /// From 1, the title of the log.
        level: u8,
        /// Its words.
        text: String,
    },
    /// A sentence of this program's own, in which words of others may stand.
    Note(String),
    /// What a model, or a person, said: lines of Markdown.
    Said(String),
    /// Something that happened, with its time.
    Event(String),
    /// One thing that was done or given: a call of a tool, a part of a message, an entry of a list.
    Step {
        /// What was done: `read_file src/a.rs 10–40`. Empty where `result` says it all.
        call: String,
        /// What came of it, in a line. May be empty.
        result: String,
    },
    /// Lines of a file, a diff or an answer. Nothing is shown where there are none.
    Lines {
        /// `diff`, or nothing.
        language: &'static str,
        /// The lines, with a last one that counts those left out.
        text: String,
    },
}

/// A text of at most so many lines, each of at most so many characters, with a line that counts those left out.
pub(super) fn first_lines(text: &str, most: usize) -> String {
    const WIDEST: usize = 200;
    let mut lines = text.trim_end().lines();
    let mut shown: Vec<String> = lines.by_ref().take(most).map(|line| text::cut(line, WIDEST).into_owned()).collect();
    let left_out = lines.count();
    if left_out > 0 {
        shown.push(format!("… {left_out} more {}", text::plural(left_out, "line")));
    }
    shown.join("\n")
}

/// How long a text is: `12 lines, 1.4 KB`.
pub(super) fn size_words(text: &str) -> String {
    let bytes = match text.len() {
        bytes @ 0..1_000 => text::count(bytes, "byte"),
        bytes @ 1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        bytes => format!("{:.1} MB", bytes as f64 / 1e6),
    };
    format!("{}, {bytes}", text::count(text.lines().count(), "line"))
}

/// A log as Markdown that shows exactly its texts: nothing in them becomes a heading, a link or the end of a block.
pub(super) fn log_markdown(blocks: &[LogBlock]) -> String {
    let mut markdown = String::new();
    let mut before = Kind::Other;
    for block in blocks {
        let (piece, kind) = match block {
            LogBlock::Heading { level, text } => {
                let marks = "#".repeat(usize::from(*level).clamp(1, 6));
                (format!("{marks} {}", text::markdown_line(text)), Kind::Other)
            }
            LogBlock::Note(note) => (text::markdown_line(note), Kind::Other),
            LogBlock::Said(said) => (text::markdown(said), Kind::Other),
            LogBlock::Event(event) => (text::markdown_line(event), Kind::Event),
            LogBlock::Step { call, result } => (item(call, result), Kind::Item),
            LogBlock::Lines { text, .. } if text.trim().is_empty() => continue,
            LogBlock::Lines { language, text } => {
                (text::code_block(text).replacen('\n', &format!("{language}\n"), 1), Kind::Other)
            }
        };
        if piece.is_empty() {
            continue;
        }
        if !markdown.is_empty() {
            markdown.push_str(match (before, kind) {
                (Kind::Item, Kind::Item) => "\n",
                // A hard break: a line of its own in one paragraph.
                (Kind::Event, Kind::Event) => "  \n",
                _ => "\n\n",
            });
        }
        markdown.push_str(&piece);
        before = kind;
    }
    markdown.push('\n');
    markdown
}

/// What a block is to the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Item,
    Event,
    Other,
}

fn item(call: &str, result: &str) -> String {
    match (call.is_empty(), result.is_empty()) {
        (true, _) => format!("- {}", text::markdown_line(result)),
        (false, true) => format!("- {}", text::code(&text::safe_line(call))),
        (false, false) => format!("- {}: {}", text::code(&text::safe_line(call)), text::markdown_line(result)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_block_it_stands_in() {
        let blocks = [
            LogBlock::Heading { level: 2, text: "plan\n# not a heading".to_owned() },
            LogBlock::Said("# mine\n```\nin a fence\n# still\n```\n[a](command:x)\u{1b}[31m".to_owned()),
            LogBlock::Step { call: "read_file a`b.rs".to_owned(), result: "12 lines\n## no".to_owned() },
            LogBlock::Step { call: String::new(), result: "second one".to_owned() },
            LogBlock::Event("1 s · > started".to_owned()),
            LogBlock::Event("2 s · [done](x)".to_owned()),
            LogBlock::Lines { language: "diff", text: "+````\n+# x\n-\u{202e}y".to_owned() },
            LogBlock::Lines { language: "diff", text: String::new() },
        ];
        let markdown = log_markdown(&blocks);
        assert_eq!(
            markdown,
            "## plan # not a heading\n\n\\# mine\n\n```\nin a fence\n# still\n```\n\n\\[a](`command:x`)\n\n- ``read_file a`b.rs``: \
             12 lines ## no\n- second one\n\n1 s · > started  \n2 s · \\[done](x)\n\n`````diff\n+````\n+# x\n-y\n`````\n"
        );
        assert!(!markdown.contains(['\u{1b}', '\u{202e}']));
    }

    #[test]
    fn what_is_left_out_is_counted() {
        assert_eq!(first_lines("a\nb\n", 2), "a\nb");
        assert_eq!(first_lines("a\nb\nc\nd\n", 2), "a\nb\n… 2 more lines");
        assert_eq!(first_lines(&"x".repeat(300), 2).chars().count(), 201);
        assert_eq!(size_words("a\nb"), "2 lines, 3 bytes");
        assert_eq!(size_words(&"x".repeat(1_450)), "1 line, 1.4 KB");
    }
}
