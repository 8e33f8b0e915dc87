use serde_json::{Value, json};

use super::surrogates;

/// Levels of a tool's input, far more than any tool has. Readers of JSON bound its depth, and the input goes on into
/// requests and journals, where it stands deeper.
const MOST_NESTED: usize = 64;

/// The input of a tool call from the text that a model wrote: an object. Nothing at all is an empty one, and an object
/// that was encoded twice is itself. Anything else comes as a text, the one that the model wrote, and is no input: whoever
/// carries out the call sends it back as a fault.
pub(in crate::models) fn tool_input(text: &str) -> Value {
    if text.trim().is_empty() {
        return json!({});
    }
    let read = surrogates::parse(text).ok().and_then(object);
    read.unwrap_or_else(|| Value::String(surrogates::join(text.to_owned())))
}

/// The same of a value: some servers hand on what the model wrote as JSON.
pub(in crate::models) fn tool_input_of(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::String(text) => tool_input(text),
        other => object(other.clone()).unwrap_or_else(|| Value::String(other.to_string())),
    }
}

fn object(value: Value) -> Option<Value> {
    let mut value = match value {
        // Some models encode the input twice; sent back so, an API would refuse it.
        Value::String(inner) => surrogates::parse(&inner).ok()?,
        other => other,
    };
    if !value.is_object() || is_deeper(&value, MOST_NESTED) {
        return None;
    }
    surrogates::join_in(&mut value);
    Some(value)
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(inner) = levels.checked_sub(1) else { return value.is_array() || value.is_object() };
    match value {
        Value::Array(list) => list.iter().any(|value| is_deeper(value, inner)),
        Value::Object(object) => object.values().any(|value| is_deeper(value, inner)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_taken_however_it_is_wrapped() {
        for text in [r#"{"a":1}"#, r#" {"a":1} "#, r#""{\"a\":1}""#] {
            assert_eq!(tool_input(text), json!({ "a": 1 }), "{text}");
        }
        assert_eq!(tool_input(" "), json!({}));
        assert_eq!(tool_input_of(&Value::Null), json!({}));
        assert_eq!(tool_input_of(&json!("{\"a\":1}")), json!({ "a": 1 }));
    }

    #[test]
    fn what_is_no_object_stays_the_text_that_the_model_wrote() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        for text in [r#"{"a":"#, "[1]", "7", "read it", r#""read it""#, deep.as_str()] {
            assert_eq!(tool_input(text), json!(text), "{text}");
        }
        assert_eq!(tool_input_of(&json!([1])), json!("[1]"));
    }
}
