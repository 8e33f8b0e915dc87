//! The answer to a call, shortened.

use serde_json::Value;

use super::blocks::{first_lines, size_words};
use crate::models::Block;
use crate::text;

/// Lines shown of an answer, and of one that says why a call failed.
const SHOWN: usize = 6;
const SHOWN_OF_FAULT: usize = 20;
/// Characters of an answer that is shown in the line of its call.
const WIDEST: usize = 160;

/// What came of a call: a line, and the lines that are shown below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) line: String,
    pub(super) lines: String,
}

/// The call that a block answers, by its id.
pub(super) fn answered_call(block: &Block) -> Option<&str> {
    (block.kind() == "tool_result").then(|| block.0["tool_use_id"].as_str()).flatten()
}

/// The answer of a tool of this name.
pub(super) fn answer(tool: &str, block: &Block) -> Answer {
    let text = content(&block.0["content"]);
    let text = text.trim_end();
    let is_one_line = !text.contains('\n') && text.chars().count() <= WIDEST;
    match (block.0["is_error"] == true, tool) {
        (true, tool) => {
            let what = if tool.starts_with("submit_") { "sent back" } else { "failed" };
            match is_one_line {
                true => Answer { line: format!("{what}: {text}"), lines: String::new() },
                false => Answer { line: what.to_owned(), lines: first_lines(text, SHOWN_OF_FAULT) },
            }
        }
        (false, _) if text.is_empty() => Answer { line: "no answer".to_owned(), lines: String::new() },
        (false, _) if is_one_line => Answer { line: text.to_owned(), lines: String::new() },
        (false, "read_file") => Answer { line: size_words(text), lines: String::new() },
        (false, "edit_file" | "write_file" | "delete_file" | "move_file") => {
            // What the file reads now follows; the edit itself stands above.
            let first = text.lines().next().unwrap_or_default();
            let first = first.split_inclusive(". ").next().unwrap_or_default().trim_end();
            Answer { line: text::short_line(first, WIDEST), lines: String::new() }
        }
        (false, _) => Answer { line: size_words(text), lines: first_lines(text, SHOWN) },
    }
}

/// A text, or the texts of a list of blocks.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shortened_and_a_fault_is_said() {
        let of = |tool: &str, text: &str, is_error: bool| {
            let Answer { line, lines } = answer(tool, &Block::tool_result("a", text, is_error));
            format!("{line}|{lines}")
        };
        assert_eq!(of("read_file", "1\ta\n2\tb\n", false), "2 lines, 7 bytes|");
        assert_eq!(of("edit_file", "Edited a. It now reads:\n  1\tx\n", false), "Edited a.|");
        assert_eq!(
            of("search", &"hit\n".repeat(8), false),
            "8 lines, 31 bytes|hit\nhit\nhit\nhit\nhit\nhit\n… 2 more lines"
        );
        assert_eq!(of("list_files", "", false), "no answer|");
        assert_eq!(of("edit_file", "old_text stands nowhere", true), "failed: old_text stands nowhere|");
        assert_eq!(of("submit_plan", "faults:\n- T1", true), "sent back|faults:\n- T1");
    }
}
