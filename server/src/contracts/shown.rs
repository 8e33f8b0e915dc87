//! JSON for clients and programs, with every text in it safe to show.

use serde_json::Value;

use super::repo_path::RepoPath;
use crate::text::{encoded, revealed, safe_text};

/// What names an issue, and comes back with a command.
const IDS: [&str; 3] = ["id", "ids", "issues"];
/// What names a file.
const PATHS: [&str; 3] = ["path", "file", "files"];
/// Commands that a person lets run: nothing in them is hidden.
const COMMAND: &str = "command";
/// What such a command was.
const COMMAND_BEFORE: &str = "before";
/// Contents of files, and differences between them, which are shown in an editor or applied: they stay byte for byte.
const CONTENTS: [&str; 3] = ["before", "after", "diff"];

/// The value with every text in it safe to show. An id in which something is unsafe is encoded, so that it comes back as it
/// was ([`from_encoded`](crate::text::from_encoded)); so is a path that no file of a workspace can have, and any other path
/// stays one. Contents of files are left as they are.
pub fn safe_values(value: Value) -> Value {
    safe(value, "")
}

/// A value at a field, or in a list at that field.
fn safe(value: Value, field: &str) -> Value {
    match value {
        Value::String(text) if IDS.contains(&field) => Value::String(encoded(&text).into_owned()),
        Value::String(text) if PATHS.contains(&field) => match RepoPath::parse(&text) {
            Ok(_) => Value::String(text),
            Err(_) => Value::String(encoded(&text).into_owned()),
        },
        Value::String(text) if field == COMMAND => Value::String(revealed(&text)),
        Value::String(text) if CONTENTS.contains(&field) => Value::String(text),
        Value::String(text) => Value::String(safe_text(&text)),
        Value::Array(values) => values.into_iter().map(|value| safe(value, field)).collect(),
        Value::Object(fields) => {
            let has_command = fields.contains_key(COMMAND);
            let safe_field = |(name, value): (String, Value)| {
                let field = if has_command && name == COMMAND_BEFORE { COMMAND } else { &name };
                let value = safe(value, field);
                (name, value)
            };
            fields.into_iter().map(safe_field).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::from_encoded;

    #[test]
    fn texts_are_made_safe_names_stay_usable_and_contents_stay_what_they_are() {
        let odd = "a\u{202e}b\u{1b}[2J";
        let value = json!({
            "task": format!("{odd}\n\tc"), "id": odd, "ids": [odd, "i1"], "path": odd, "files": ["src/\u{200d}.rs", odd],
            "diff": odd, "list": [{ "before": odd, "after": null, "title": odd, "file": "src/a.rs" }], "n": 1, "is": true
        });
        let shown = r"a\u{202e}b\u{1b}[2J";
        assert_eq!(from_encoded(shown), odd);
        let expected = json!({
            "task": "ab\n\tc", "id": shown, "ids": [shown, "i1"], "path": shown, "files": ["src/\u{200d}.rs", shown],
            "diff": odd, "list": [{ "before": odd, "after": null, "title": "ab", "file": "src/a.rs" }], "n": 1, "is": true
        });
        assert_eq!(safe_values(value), expected);
        let check = json!({ "name": odd, "command": "rm x\u{1b}[8m\r\ny", "before": "a\u{202e}" });
        let expected = json!({ "name": "ab", "command": "rm x\\u{1b}[8m\\r\ny", "before": "a\\u{202e}" });
        assert_eq!(safe_values(check), expected, "nothing in a command is hidden");
    }
}
