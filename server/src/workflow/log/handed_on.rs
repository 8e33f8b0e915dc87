//! What an agent handed on, in words: whatever fields it has, those of our own handoffs in a form of their own.

use serde_json::{Map, Value};

use super::blocks::LogBlock;
use crate::text;

/// Most entries of a list that are shown.
const SHOWN: usize = 20;
/// Most characters of an entry.
const WIDEST: usize = 400;
/// How deep parts within parts are shown.
const DEPTH: u8 = 3;

/// The fields of what was submitted.
pub(super) fn handed_on(input: &Value) -> Vec<LogBlock> {
    let mut blocks = Vec::new();
    if let Value::Object(fields) = input {
        push_fields(fields, &mut blocks, DEPTH);
    }
    blocks
}

fn push_fields(fields: &Map<String, Value>, blocks: &mut Vec<LogBlock>, depth: u8) {
    for (name, value) in fields {
        let title = name.replace('_', " ");
        match value {
            Value::Null => {}
            Value::String(text) if text.trim().is_empty() => {}
            Value::Array(items) if items.is_empty() => {}
            Value::String(text) => blocks.push(LogBlock::Note(format!("{title}: {text}"))),
            Value::Array(items) if name == "criteria" => blocks.push(LogBlock::Note(criteria(items))),
            Value::Array(items) => {
                blocks.push(LogBlock::Note(format!("{title} ({}):", items.len())));
                for item in items.iter().take(SHOWN) {
                    let result = text::short_line(&entry(item), WIDEST);
                    blocks.push(LogBlock::Step { call: String::new(), result });
                }
                if items.len() > SHOWN {
                    let result = format!("… {} more", items.len() - SHOWN);
                    blocks.push(LogBlock::Step { call: String::new(), result });
                }
            }
            Value::Object(fields) if depth > 0 => {
                blocks.push(LogBlock::Note(format!("{title}:")));
                push_fields(fields, blocks, depth - 1);
            }
            other => blocks.push(LogBlock::Note(format!("{title}: {other}"))),
        }
    }
}

/// An entry of a list in a line: a task, an issue, a file, or whatever it is.
fn entry(item: &Value) -> String {
    let Value::Object(fields) = item else { return plain(item) };
    let of = |name: &str| fields.get(name).map(plain).unwrap_or_default();
    if fields.contains_key("title") && fields.contains_key("id") {
        let files = ["files_to_modify", "files_to_create", "files_to_delete"].map(&of);
        let files: Vec<&str> = files.iter().map(String::as_str).filter(|files| !files.is_empty()).collect();
        let complexity = fields.get("estimated_complexity").map(|of| format!(" ({})", plain(of))).unwrap_or_default();
        return format!("{} {}{complexity}: {}", of("id"), of("title"), files.join(", "));
    }
    if fields.contains_key("severity") {
        return format!("{} {}:{}: {}", of("severity"), of("file"), of("line"), of("description"));
    }
    let head = ["path", "name", "id", "file"].into_iter().find(|name| fields.contains_key(*name));
    let rest = fields.iter().filter(|(name, value)| Some(name.as_str()) != head && !plain(value).is_empty());
    let rest: Vec<String> = rest
        .map(|(name, value)| match name.as_str() {
            "summary" | "usage" | "description" => plain(value),
            name => format!("{} {}", name.replace('_', " "), plain(value)),
        })
        .collect();
    match head {
        Some(head) if rest.is_empty() => of(head),
        Some(head) => format!("{}: {}", of(head), rest.join("; ")),
        None => rest.join("; "),
    }
}

/// How many criteria are met, and which are not.
fn criteria(items: &[Value]) -> String {
    let is = |item: &&Value, state: &str| item["state"] == state;
    let met = items.iter().filter(|item| is(item, "met")).count();
    let rest = items.iter().filter(|item| !is(item, "met"));
    let rest: Vec<String> = rest
        .map(|item| format!("{}.{} {}", plain(&item["task_id"]), plain(&item["criterion"]), plain(&item["state"])))
        .collect();
    let rest =
        if rest.is_empty() { String::new() } else { format!("; {}", text::short_line(&rest.join(", "), WIDEST)) };
    format!("criteria: {met} of {} met{rest}", items.len())
}

/// A value in a line: no quotes, no brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn words(input: &Value) -> Vec<String> {
        let line = |block: LogBlock| match block {
            LogBlock::Note(note) => note,
            LogBlock::Step { result, .. } => format!("- {result}"),
            other => panic!("{other:?}"),
        };
        handed_on(input).into_iter().map(line).collect()
    }

    #[test]
    fn handoffs_are_words() {
        let plan = json!({ "approach_summary": "Small.", "risks": [], "tasks": [{
            "id": "T1", "title": "Do", "files_to_modify": ["a.rs"], "files_to_create": ["b.rs"], "estimated_complexity": "simple",
        }], "parallel_groups": [["T1"], ["T2", "T3"]] });
        let expected = [
            "approach summary: Small.",
            "tasks (1):",
            "- T1 Do (simple): a.rs, b.rs",
            "parallel groups (2):",
            "- T1",
            "- T2, T3",
        ];
        assert_eq!(words(&plan), expected);
        let review = json!({ "issues": [{ "severity": "major", "file": "a.rs", "line": 3, "description": "Wrong." }],
            "criteria": [{ "task_id": "T1", "criterion": 1, "state": "met" }, { "task_id": "T1", "criterion": 2, "state": "unmet" }],
            "verdict": "approved", "plan_drift_detected": false });
        let expected = [
            "issues (1):",
            "- major a.rs:3: Wrong.",
            "criteria: 1 of 2 met; T1.2 unmet",
            "verdict: approved",
            "plan drift detected: false",
        ];
        assert_eq!(words(&review), expected);
        let context = json!({ "relevant_files": [{ "path": "a.rs", "summary": "The one", "relevance": "high" }] });
        assert_eq!(words(&context), ["relevant files (1):", "- a.rs: The one; relevance high"]);
    }

    #[test]
    fn anything_else_is_shown_within_bounds() {
        let mut deep = json!({ "a": "b" });
        for _ in 0..100 {
            deep = json!({ "a": deep });
        }
        assert!(words(&deep).len() < 10);
        let many = json!({ "list": vec!["x"; 500] });
        assert_eq!(words(&many).last().map(String::as_str), Some("- … 480 more"));
        assert!(words(&json!("text")).is_empty());
    }
}
