//! Values that came as strings, taken as what the schema of their place wants.
//!
//! Some models encode a list, an object, a number or a truth value of a tool's input once more. One mechanism reads them all: the
//! inputs of tools, and what agents submit, at any depth. Where the schema allows a string, a string stays one.

use serde_json::{Map, Value};

/// The value, with every string that stands where the schema allows none replaced by what it holds, if that is allowed
/// there. What cannot be taken so is left as it is, for a validator to name.
pub fn coerced(schema: &Value, value: &Value) -> Value {
    let value = unquoted(schema, value);
    match value {
        Value::Object(fields) => Value::Object(fields_coerced(schema, fields)),
        Value::Array(items) => Value::Array(match schema_of(schema, "items") {
            Some(schema) => items.iter().map(|item| coerced(schema, item)).collect(),
            None => items,
        }),
        other => other,
    }
}

fn fields_coerced(schema: &Value, fields: Map<String, Value>) -> Map<String, Value> {
    let others = schema_of(schema, "additionalProperties");
    let known = |name: &str| {
        let own = std::iter::once(schema).chain(branches(schema));
        let mut properties = own.filter_map(|schema| schema.get("properties")?.get(name));
        properties.next().or(others)
    };
    let coerced_field = |(name, value): (String, Value)| {
        let value = known(&name).map_or_else(|| value.clone(), |schema| coerced(schema, &value));
        (name, value)
    };
    fields.into_iter().map(coerced_field).collect()
}

/// A keyword's schema, of the schema itself or of one it may be instead.
fn schema_of<'a>(schema: &'a Value, keyword: &'a str) -> Option<&'a Value> {
    let mut own = std::iter::once(schema).chain(branches(schema));
    own.find_map(|schema| schema.get(keyword).filter(|found| found.is_object()))
}

fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().filter_map(|keyword| schema.get(keyword)?.as_array()).flatten()
}

/// What a string holds, where the schema allows no string but allows that.
fn unquoted(schema: &Value, value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    let allowed = types(schema);
    if allowed.is_empty() || allowed.contains(&"string") {
        return value.clone();
    }
    let text = text.trim();
    let held = allowed.iter().find_map(|kind| match *kind {
        "integer" => integer(text),
        "number" => text.parse::<f64>().ok().and_then(|_| serde_json::from_str(text).ok()).filter(Value::is_number),
        "boolean" => boolean(text),
        "null" => (text == "null").then_some(Value::Null),
        "array" => serde_json::from_str(text).ok().filter(Value::is_array),
        "object" => encoded_object(text),
        _ => None,
    });
    held.unwrap_or_else(|| value.clone())
}

/// The object that a text holds, be it encoded once or twice.
pub fn encoded_object(text: &str) -> Option<Value> {
    match serde_json::from_str(text.trim()).ok()? {
        Value::String(inner) => serde_json::from_str(inner.trim()).ok().filter(Value::is_object),
        other => Some(other).filter(Value::is_object),
    }
}

/// The types that a schema allows; none where it allows all.
fn types(schema: &Value) -> Vec<&str> {
    let mut types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() {
        return types;
    }
    let words = schema.get("enum").and_then(Value::as_array).into_iter().flatten().chain(schema.get("const"));
    for word in words {
        types.push(type_of(word));
    }
    for branch in branches(schema) {
        let of_branch = self::types(branch);
        if of_branch.is_empty() {
            // It takes anything, a string too.
            return Vec::new();
        }
        types.extend(of_branch);
    }
    types
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn boolean(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => None,
    }
}

fn integer(text: &str) -> Option<Value> {
    text.parse::<i64>().map(Value::from).ok().or_else(|| whole(text.parse().ok()?))
}

/// A number that is whole, brought into the range of line numbers.
pub(super) fn whole(number: f64) -> Option<Value> {
    const FAR: f64 = 1e15;
    #[expect(clippy::cast_possible_truncation, reason = "clamped to a range that i64 holds exactly")]
    (number.fract() == 0.0 || number.is_infinite()).then(|| Value::from(number.clamp(-FAR, FAR) as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        let issue = json!({
            "type": "object",
            "properties": {
                "file": { "type": "string" },
                "line": { "type": "integer" },
                "evidence": { "type": ["object", "null"], "properties": { "line": { "type": "integer" } } },
            },
        });
        json!({
            "type": "object",
            "properties": {
                "text": { "type": "string" },
                "maybe": { "type": ["string", "array"] },
                "any": {},
                "mode": { "enum": ["1", "2"] },
                "count": { "type": "integer" },
                "share": { "type": "number" },
                "is": { "type": "boolean" },
                "list": { "type": "array", "items": { "type": "string" } },
                "issues": { "type": "array", "items": issue },
                "either": { "anyOf": [{ "type": "object", "properties": { "n": { "type": "integer" } } }, { "type": "null" }] },
                "table": { "type": "object", "additionalProperties": { "type": "integer" } },
            },
        })
    }

    #[track_caller]
    fn check(field: &str, value: Value, expected: &Value) {
        assert_eq!(&coerced(&schema(), &json!({ field: value }))[field], expected, "{field}");
    }

    #[test]
    fn a_string_is_taken_as_what_it_holds_where_no_string_is_allowed() {
        check("list", json!("[\"a\", \"b\"]"), &json!(["a", "b"]));
        check("list", json!(" []\n"), &json!([]));
        check("count", json!("3"), &json!(3));
        check("count", json!(" -7 "), &json!(-7));
        check("count", json!("2.0"), &json!(2));
        check("share", json!("0.5"), &json!(0.5));
        check("is", json!("true"), &json!(true));
        check("is", json!("False"), &json!(false));
        check("either", json!("{\"n\": \"4\"}"), &json!({ "n": 4 }));
        check("either", json!("null"), &json!(null));
        check("table", json!("{\"a\": \"1\"}"), &json!({ "a": 1 }));
    }

    #[test]
    fn it_is_done_at_any_depth_and_for_the_whole() {
        let issue = json!({ "file": "a.rs", "line": "12", "evidence": "{\"line\": \"3\"}" });
        let expected = json!([{ "file": "a.rs", "line": 12, "evidence": { "line": 3 } }]);
        check("issues", json!([issue]), &expected);
        check("issues", json!(json!([issue]).to_string()), &expected);
        check("issues", json!([issue.to_string()]), &expected);
        let whole = json!(json!({ "issues": json!([issue]).to_string() }).to_string());
        assert_eq!(coerced(&schema(), &whole), json!({ "issues": expected }));
        let twice = json!(json!(json!({ "count": 1 }).to_string()).to_string());
        assert_eq!(coerced(&schema(), &twice), json!({ "count": 1 }));
    }

    #[test]
    fn a_string_stays_one_where_the_schema_allows_it_and_where_it_holds_something_else() {
        for (field, text) in [
            ("text", "[1]"),
            ("text", "true"),
            ("maybe", "[\"a\"]"),
            ("any", "{}"),
            ("mode", "1"),
            ("list", "none"),
            ("list", "{}"),
            ("list", ""),
            ("count", "three"),
            ("count", "2.5"),
            ("is", "yes"),
            ("share", "inf"),
            ("issues", "[{\"line\": 1}"),
            ("unknown", "[1]"),
        ] {
            check(field, json!(text), &json!(text));
        }
        check("list", json!(["[1]"]), &json!(["[1]"]));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        check("list", json!(deep), &json!(deep));
    }
}
