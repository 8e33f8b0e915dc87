//! Tool calls that a model wrote as text.

use serde::Deserialize;
use serde_json::Value;

use crate::models::Block;

const OPENS: &str = "<tool_call>";
const CLOSES: &str = "</tool_call>";
const FENCE: &str = "```";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(alias = "parameters")]
    arguments: Value,
}

/// The calls (tool, input) of an answer whose whole text is one call alone in a fence, or nothing but calls in
/// `<tool_call>`; `None` where there is any other text, a real call, or a tool that is not known.
pub(super) fn written_calls(content: &[Block], has_tool: &dyn Fn(&str) -> bool) -> Option<Vec<(String, Value)>> {
    if content.iter().any(|block| block.kind() == "tool_use") {
        return None;
    }
    let text: String = content.iter().filter_map(Block::as_text).collect();
    let text = text.trim();
    let calls = match fenced(text) {
        Some(inside) => vec![call(inside)?],
        None => tagged(text)?,
    };
    calls.iter().all(|(name, _)| has_tool(name)).then_some(calls)
}

fn call(text: &str) -> Option<(String, Value)> {
    let Written { name, arguments } = serde_json::from_str(text.trim()).ok()?;
    (arguments.is_object() || arguments.is_string()).then_some((name, arguments))
}

/// What stands in a fence, where there is nothing else.
fn fenced(text: &str) -> Option<&str> {
    let (info, inside) = text.strip_prefix(FENCE)?.strip_suffix(FENCE)?.split_once('\n')?;
    let is_one_word = info.trim().chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    // A fence within belongs to a string of the call, where its line breaks are escaped.
    is_one_word.then_some(inside)
}

/// The calls in tags, where there is nothing else.
fn tagged(text: &str) -> Option<Vec<(String, Value)>> {
    let mut calls = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let inside = rest.strip_prefix(OPENS)?;
        // A string of the call may hold the closing tag: the first one after which the call is whole is meant.
        let (read, after) = inside.match_indices(CLOSES).find_map(|(at, _)| Some((call(&inside[..at])?, at)))?;
        calls.push(read);
        rest = inside[after + CLOSES.len()..].trim_start();
    }
    (!calls.is_empty()).then_some(calls)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn calls(text: &str) -> Option<Vec<(String, Value)>> {
        written_calls(&[Block::text(text)], &|name| ["read_file", "write_file"].contains(&name))
    }

    const READ: &str = r#"{"name": "read_file", "arguments": {"path": "a.rs"}}"#;

    #[test]
    fn a_call_alone_in_a_fence_or_in_tags_is_one() {
        let read = ("read_file".to_owned(), json!({ "path": "a.rs" }));
        for text in [
            format!("```json\n{READ}\n```"),
            format!("\n ```\n{READ}\n```\n"),
            format!("```tool_call\n{READ}```"),
            format!("<tool_call>\n{READ}\n</tool_call>"),
            format!("<tool_call>{}</tool_call>", READ.replace("arguments", "parameters")),
        ] {
            assert_eq!(calls(&text), Some(vec![read.clone()]), "{text}");
        }
        let two = format!("<tool_call>{READ}</tool_call>\n<tool_call>{READ}</tool_call>");
        assert_eq!(calls(&two), Some(vec![read.clone(), read]));
        let holds_tag = json!({ "name": "write_file", "arguments": { "content": "</tool_call>\n```" } });
        for text in [format!("<tool_call>{holds_tag}</tool_call>"), format!("```json\n{holds_tag}\n```")] {
            assert_eq!(calls(&text).unwrap()[0].1["content"], "</tool_call>\n```", "{text}");
        }
    }

    #[test]
    fn anything_else_is_text() {
        let unknown = READ.replace("read_file", "rm");
        let more = READ.replace("\"name\"", "\"why\": 1, \"name\"");
        let both = READ.replace("}}", "}, \"parameters\": {}}");
        for text in [
            String::new(),
            READ.to_owned(),
            format!("I read it:\n```json\n{READ}\n```"),
            format!("```json\n{READ}\n```\nThat is it."),
            format!("```json\n{READ}\n{READ}\n```"),
            format!("```json\n{READ}\n```\n```json\n{READ}\n```"),
            format!("```json\n[{READ}]\n```"),
            format!("```json\n{unknown}\n```"),
            format!("```json\n{more}\n```"),
            format!("```json\n{both}\n```"),
            format!("```json\n{READ}"),
            format!("<tool_call>{READ}"),
            format!("<tool_call>{READ}</tool_call> and more"),
            format!("<tool_call>{READ}</tool_call><tool_call>{unknown}</tool_call>"),
            "```json\n{\"name\": \"read_file\", \"arguments\": [1]}\n```".to_owned(),
            "```json\n{\"name\": \"read_file\"}\n```".to_owned(),
            "```".to_owned(),
            "``````".to_owned(),
        ] {
            assert_eq!(calls(&text), None, "{text}");
        }
        let beside = [Block::text(format!("```json\n{READ}\n```")), Block::tool_use("a", "read_file", json!({}))];
        assert_eq!(written_calls(&beside, &|_| true), None, "never beside a real call");
    }
}
