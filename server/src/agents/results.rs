//! The results of a turn's calls, cut to what the model's window has room for.

use serde_json::Value;

use super::opening::{cut_at_line, json_bytes};
use crate::models::Block;

/// A result is not cut to less than so many bytes of what it was: that would tell nothing.
const LEAST: usize = 400;

/// Cut the longest results so that all of them have at most `room` bytes, and say how to go on. `calls` are the calls (id,
/// tool, input) they answer, `submit` the tool with which the agent ends.
pub(super) fn fit_results(results: &mut [Block], calls: &[(String, String, Value)], room: usize, submit: &str) {
    let sizes: Vec<usize> = results.iter().map(|block| block.0.to_string().len()).collect();
    if sizes.iter().sum::<usize>() <= room {
        return;
    }
    let most = fair_share(&sizes, room);
    for (result, size) in results.iter_mut().zip(sizes).filter(|(_, size)| *size > most) {
        let Some(text) = result.0["content"].as_str() else { continue };
        let id = result.0["tool_use_id"].as_str().unwrap_or_default();
        let tool = calls.iter().find(|(call, ..)| call == id).map_or("", |(_, tool, _)| tool.as_str());
        let frame = size.saturating_sub(json_bytes(text));
        let cut = cut(text, most.saturating_sub(frame), tool, submit);
        if cut.len() < text.len() {
            result.0["content"] = cut.into();
        }
    }
}

/// The most bytes that one result may have so that all have at most `room`: what is shorter is left as it is.
fn fair_share(sizes: &[usize], room: usize) -> usize {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable();
    let (mut left, mut share) = (room, 0);
    for (index, size) in sorted.iter().enumerate() {
        share = left / (sorted.len() - index);
        if *size > share {
            break;
        }
        left -= size;
    }
    share
}

/// As many lines as fit, and how the rest is to be had.
fn cut(text: &str, most: usize, tool: &str, submit: &str) -> String {
    const NOTE: usize = 320;
    let kept = most.saturating_sub(NOTE);
    if kept < LEAST {
        return format!(
            "(Left out: the context window has no room left for an answer of {} bytes. Ask for much less at once, or end your \
             work with {submit}.)",
            text.len()
        );
    }
    // The text is shorter than as JSON writes it, by about the same share everywhere.
    let mut bytes = kept * text.len() / json_bytes(text).max(1);
    loop {
        let part = cut_at_line(text, bytes, &way_on(text, bytes, tool));
        if json_bytes(&part) <= most || bytes < LEAST {
            return part;
        }
        bytes -= bytes / 8;
    }
}

fn way_on(text: &str, bytes: usize, tool: &str) -> String {
    let head = &text[..text.floor_char_boundary(bytes)];
    // The line in which it is cut is the one to go on with.
    let line = head.rfind('\n').map_or(text, |end| &text[end + 1..]);
    let number = line.split_once('\t').and_then(|(number, _)| number.trim().parse::<u32>().ok());
    match (tool, number) {
        ("read_file", Some(line)) => format!("read on with start_line {line}"),
        ("read_diff", _) => "read the rest file by file, with read_diff and a path".to_owned(),
        _ => "ask for a part of the rest: a line range, a folder, a narrower pattern".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn calls() -> Vec<(String, String, Value)> {
        let call = |id: &str, tool: &str| (id.to_owned(), tool.to_owned(), json!({}));
        vec![call("a", "read_file"), call("b", "search"), call("c", "read_diff")]
    }

    fn numbered(lines: usize) -> String {
        (1..=lines).map(|n| format!("{n:>5}\tlet line_{n} = \"{n}\";\n")).collect()
    }

    fn fitted(texts: [&str; 3], room: usize) -> (Vec<String>, usize) {
        let mut results: Vec<Block> =
            ["a", "b", "c"].iter().zip(texts).map(|(id, text)| Block::tool_result(id, text, false)).collect();
        fit_results(&mut results, &calls(), room, "submit_plan");
        let text = |block: &Block| block.0["content"].as_str().unwrap().to_owned();
        (results.iter().map(text).collect(), results.iter().map(|block| block.0.to_string().len()).sum())
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        let texts = ["one", "two", "three"];
        assert_eq!(fitted(texts, 1_000).0, texts);
    }

    #[test]
    fn the_longest_are_cut_and_say_how_to_go_on() {
        let file = numbered(2_000);
        let (texts, bytes) = fitted([&file, "short", &file], 10_000);
        assert!(bytes <= 10_000 && bytes > 8_000, "{bytes}");
        assert_eq!(texts[1], "short");
        let line: usize = texts[0].rsplit_once("start_line ").unwrap().1.trim_end_matches(']').parse().unwrap();
        let shown = texts[0].lines().filter(|line| line.contains("let line_")).count();
        assert!(
            line == shown + 1 && texts[0].contains("bytes are shown, to fit the model's context window; "),
            "{}",
            texts[0]
        );
        assert!(texts[2].contains("file by file, with read_diff and a path]"), "{}", texts[2]);
        let (texts, _) = fitted(["short", &file, "short"], 10_000);
        assert!(texts[1].contains("a narrower pattern]"), "{}", texts[1]);
    }

    #[test]
    fn where_hardly_anything_is_left_the_agent_is_told_to_end() {
        let file = numbered(500);
        let (texts, _) = fitted([&file, &file, "short"], 900);
        for text in &texts[..2] {
            assert!(text.starts_with("(Left out: ") && text.contains("end your work with submit_plan"), "{text}");
        }
        assert_eq!(texts[2], "short");
    }

    #[test]
    fn a_text_of_any_kind_is_cut_between_characters() {
        for text in ["é".repeat(4_000), "\u{1}".repeat(4_000), "x".repeat(20_000), "\n".repeat(9_000)] {
            for room in (0..8_000).step_by(531) {
                let (_, bytes) = fitted([&text, "b", "c"], room);
                assert!(room < 1_000 || bytes <= room, "{bytes} of {room}");
            }
        }
    }
}
