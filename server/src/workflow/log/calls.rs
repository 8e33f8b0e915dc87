//! A call of a tool in one line, and what it changes as a small diff.

use serde_json::Value;

use super::blocks::first_lines;
use crate::text;
use crate::workspace::{changed_lines, counts};

/// Most lines of a diff that are shown.
const SHOWN: usize = 30;
/// Most characters of a call.
const WIDEST: usize = 200;

/// `read_file src/a.rs 10–40`, `edit_file src/a.rs (-3 +5)`. A tool that is not known here is shown with its input.
pub(super) fn call_line(name: &str, input: &Value) -> String {
    let of = |field: &str| input[field].as_str().unwrap_or_default();
    let path = || of("path");
    let words = match name {
        "read_file" => {
            let at = if of("at").is_empty() { String::new() } else { format!("at {}", of("at")) };
            joined([path(), &ranges(input), &at])
        }
        "edit_file" => {
            let (added, removed) = edit_counts(input);
            let everywhere = if input["replace_all"] == true { "everywhere" } else { "" };
            joined([path(), &range(input), everywhere, &format!("(-{removed} +{added})")])
        }
        "write_file" => joined([path(), &format!("(+{})", lines_in(of("content")))]),
        "move_file" => format!("{} → {}", of("from"), of("to")),
        "search" => {
            let place = if path().is_empty() { String::new() } else { format!("in {}", path()) };
            joined([&format!("\"{}\"", of("pattern")), &place, &plain(&input["glob"]), of("mode")])
        }
        "delete_file" | "list_files" | "outline" | "log" | "read_diff" | "try_check" => {
            let since = if of("since").is_empty() { String::new() } else { format!("since {}", of("since")) };
            joined([path(), &plain(&input["glob"]), of("name"), &since])
        }
        name if name.starts_with("submit_") => String::new(),
        _ if input.as_object().is_some_and(serde_json::Map::is_empty) => String::new(),
        _ => input.to_string(),
    };
    text::short_line(&joined([name, &words]), WIDEST)
}

/// What an edit changes, as lines of a diff; `None` for a call that edits nothing.
pub(super) fn edit_diff(name: &str, input: &Value) -> Option<String> {
    let of = |field: &str| input[field].as_str();
    let added = |text: &str| text.lines().map(|line| format!("+{line}")).collect::<Vec<_>>().join("\n");
    let diff = match (name, of("old_text")) {
        ("write_file", _) => added(of("content")?),
        ("edit_file", Some(old)) => diff_lines(old, of("new_text").unwrap_or_default()),
        ("edit_file", None) => added(of("new_text")?),
        _ => return None,
    };
    Some(first_lines(&diff, SHOWN))
}

fn joined<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A text as it is, a list with commas between; nothing of what is missing.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `10–40`, of a call with `start_line` and `end_line`.
fn range(input: &Value) -> String {
    match (input["start_line"].as_i64(), input["end_line"].as_i64()) {
        (None, None) => String::new(),
        (start, None) => format!("{}–", start.unwrap_or(1)),
        (start, Some(end)) => format!("{}–{end}", start.unwrap_or(1)),
    }
}

fn ranges(input: &Value) -> String {
    let one = |range: &Value| match range.as_array().map(Vec::as_slice) {
        Some([first, last]) => format!("{first}–{last}"),
        _ => plain(range),
    };
    match &input["ranges"] {
        Value::Array(ranges) => ranges.iter().map(one).collect::<Vec<_>>().join(", "),
        Value::Null => range(input),
        other => plain(other),
    }
}

/// Lines added and removed.
fn edit_counts(input: &Value) -> (u64, u64) {
    let new = input["new_text"].as_str().unwrap_or_default();
    match (input["old_text"].as_str(), input["start_line"].as_i64(), input["end_line"].as_i64()) {
        (Some(old), ..) => {
            let (added, removed) = counts(Some(old.as_bytes()), Some(new.as_bytes()));
            (added.into(), removed.into())
        }
        (None, Some(start), Some(end)) => {
            let removed = end.saturating_sub(start).saturating_add(1).max(0);
            (lines_in(new), removed.unsigned_abs())
        }
        _ => (lines_in(new), 0),
    }
}

fn lines_in(text: &str) -> u64 {
    text.lines().count() as u64
}

/// Two texts as one: the lines that stay, those that go and those that come.
fn diff_lines(old: &str, new: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut lines: Vec<String> = Vec::new();
    let push = |lines: &mut Vec<String>, mark: char, of: &[&str]| {
        lines.extend(of.iter().map(|line| format!("{mark}{line}")));
    };
    let within = |range: std::ops::Range<usize>, of: &[&str]| range.start.min(of.len())..range.end.min(of.len());
    let mut at = 0;
    for (gone, come) in changed_lines(Some(old.as_bytes()), Some(new.as_bytes())) {
        let (gone, come) = (within(gone, &before), within(come, &after));
        push(&mut lines, ' ', before.get(at..gone.start).unwrap_or_default());
        push(&mut lines, '-', before.get(gone.clone()).unwrap_or_default());
        push(&mut lines, '+', after.get(come).unwrap_or_default());
        at = gone.end;
    }
    push(&mut lines, ' ', before.get(at..).unwrap_or_default());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_one_readable_line() {
        for (name, input, line) in [
            ("read_file", json!({ "path": "src/a.rs", "start_line": 10, "end_line": 40 }), "read_file src/a.rs 10–40"),
            (
                "read_file",
                json!({ "path": "a", "ranges": [[1, 5], [9, 12]], "at": "HEAD" }),
                "read_file a 1–5, 9–12 at HEAD",
            ),
            ("read_file", json!({ "path": "a", "start_line": 7 }), "read_file a 7–"),
            (
                "edit_file",
                json!({ "path": "a", "old_text": "1\n2\n3", "new_text": "1\ntwo\n3\n4" }),
                "edit_file a (-2 +3)",
            ),
            (
                "edit_file",
                json!({ "path": "a", "start_line": 3, "end_line": 2, "new_text": "x\n" }),
                "edit_file a 3–2 (-0 +1)",
            ),
            (
                "edit_file",
                json!({ "path": "a", "start_line": i64::MIN, "end_line": i64::MAX }),
                &format!("edit_file a {}–{} (-{} +0)", i64::MIN, i64::MAX, i64::MAX),
            ),
            ("write_file", json!({ "path": "a", "content": "1\n2\n" }), "write_file a (+2)"),
            ("move_file", json!({ "from": "a", "to": "b" }), "move_file a → b"),
            (
                "search",
                json!({ "pattern": "a\"b", "path": "src", "glob": ["*.rs", "!x"] }),
                r#"search "a"b" in src *.rs, !x"#,
            ),
            ("list_files", json!({}), "list_files"),
            ("read_diff", json!({ "since": "review" }), "read_diff since review"),
            ("try_check", json!({ "name": "test" }), "try_check test"),
            ("submit_plan", json!({ "tasks": [] }), "submit_plan"),
            ("tool_of_theirs", json!({ "a": 1 }), "tool_of_theirs {\"a\":1}"),
            ("read_file", json!("no object"), "read_file"),
            ("read_file", json!({ "path": "a\u{1b}[31m\nb" }), "read_file a b"),
        ] {
            assert_eq!(call_line(name, &input), line);
        }
        assert_eq!(call_line("x", &json!("y".repeat(900))).chars().count(), WIDEST + 1);
    }

    #[test]
    fn an_edit_is_a_small_diff() {
        let edit = json!({ "path": "a", "old_text": "1\n2\n3\n", "new_text": "1\ntwo\n3\n4\n" });
        assert_eq!(edit_diff("edit_file", &edit).as_deref(), Some(" 1\n-2\n+two\n 3\n+4"));
        let lines = json!({ "path": "a", "start_line": 1, "end_line": 1, "new_text": "x\ny\n" });
        assert_eq!(edit_diff("edit_file", &lines).as_deref(), Some("+x\n+y"));
        let long = json!({ "path": "a", "content": "x\n".repeat(99) });
        assert!(edit_diff("write_file", &long).is_some_and(|diff| diff.ends_with("\n… 69 more lines")));
        assert_eq!(edit_diff("read_file", &edit), None);
        for odd in [json!({}), json!({ "old_text": 1, "new_text": 2 }), json!({ "old_text": "a\0b", "new_text": "c" })]
        {
            let _ = edit_diff("edit_file", &odd);
        }
    }
}
