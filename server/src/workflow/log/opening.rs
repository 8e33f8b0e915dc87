//! What an agent was given at first, shortened: each part with its size and its first lines.

use super::blocks::{LogBlock, first_lines, size_words};

/// Lines shown of each part.
const SHOWN: usize = 4;

/// The first message of a conversation. Its parts stand between `<name>` and `</name>`, each in a line of its own.
pub(super) fn opening_blocks(message: &str) -> Vec<LogBlock> {
    let mut blocks = Vec::new();
    let mut loose = String::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        match part_name(line).and_then(|name| Some((name, split_part(after, name)?))) {
            Some((name, (part, after))) => {
                flush(&mut loose, &mut blocks);
                blocks.push(LogBlock::Step { call: name.to_owned(), result: size_words(part) });
                blocks.push(lines(part));
                rest = after;
            }
            None => {
                loose.push_str(line);
                loose.push('\n');
                rest = after;
            }
        }
    }
    flush(&mut loose, &mut blocks);
    blocks
}

fn lines(text: &str) -> LogBlock {
    LogBlock::Lines { language: "", text: first_lines(text, SHOWN) }
}

/// What stands between the parts: shown as it is where it is short.
fn flush(loose: &mut String, blocks: &mut Vec<LogBlock>) {
    const SHORT: usize = 400;
    let text = std::mem::take(loose);
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    if text.len() <= SHORT {
        blocks.push(LogBlock::Said(text.to_owned()));
    } else {
        blocks.push(LogBlock::Step { call: "text".to_owned(), result: size_words(text) });
        blocks.push(lines(text));
    }
}

/// The name in a line that begins a part, without what else stands there.
fn part_name(line: &str) -> Option<&str> {
    let tag = line.trim_end().strip_prefix('<')?.strip_suffix('>')?;
    let name = tag.split_once(' ').map_or(tag, |(name, _)| name);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_-".contains(&byte));
    is_name.then_some(name)
}

/// A part and what follows it.
fn split_part<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let end = format!("</{name}>");
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == end {
            return Some((text[..at].trim_end(), &text[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_named_with_its_size_and_its_first_lines() {
        let message =
            "<task kind=\"x\">\nDo it\n</task>\nLook first.\n<files>\n1\n2\n3\n4\n5\n6\n</files>\n<open>\nno end\n";
        let step = |call: &str, result: &str| LogBlock::Step { call: call.to_owned(), result: result.to_owned() };
        let lines = |text: &str| LogBlock::Lines { language: "", text: text.to_owned() };
        let expected = [
            step("task", "1 line, 5 bytes"),
            lines("Do it"),
            LogBlock::Said("Look first.".to_owned()),
            step("files", "6 lines, 11 bytes"),
            lines("1\n2\n3\n4\n… 2 more lines"),
            LogBlock::Said("<open>\nno end".to_owned()),
        ];
        assert_eq!(opening_blocks(message), expected);
        assert!(opening_blocks("").is_empty());
    }
}
