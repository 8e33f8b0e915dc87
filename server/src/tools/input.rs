//! What a model sends to a tool: its schema, and reading it with the patience that models need.

use std::any::type_name;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::coerce::{coerced, whole};
use crate::text::cut;

/// The schema that is sent to a model: plain types, closed, without keywords that providers reject. It requires `asked_for` too,
/// which may be left out all the same.
pub(super) fn schema<I: JsonSchema>(asked_for: &[&str]) -> Value {
    let mut schema = forgiving::<I>();
    let mut required = required(&schema);
    required.extend(asked_for);
    let names = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    // In the order of the fields, in which a model writes them.
    let ordered: Vec<Value> =
        names.filter(|name| required.contains(&name.as_str())).map(|name| name.as_str().into()).collect();
    if !asked_for.is_empty() {
        schema["required"] = ordered.into();
    }
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    properties.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut).for_each(simplify);
    schema
}

/// An input with all that is required, each field with what it is: `{"path": (a string) The file., …}`.
pub(super) fn form<I: JsonSchema>(asked_for: &[&str]) -> String {
    let schema = schema::<I>(asked_for);
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let field = |name: &str| {
        let about = properties.get(name).and_then(|property| property.get("description")).and_then(Value::as_str);
        let wanted = properties.get(name).map_or("a string", |property| wanted(&kinds(property)));
        format!("\"{name}\": <{wanted}: {}>", about.unwrap_or_default().trim_end_matches('.'))
    };
    let fields: Vec<String> = required(&schema).into_iter().map(field).collect();
    format!("{{{}}}", fields.join(", "))
}

fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The schema that an input is held against: a property may have several types, the first of which is its own.
fn forgiving<I: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<I>().to_value();
    if let Some(object) = schema.as_object_mut() {
        for keyword in ["$schema", "title", "description"] {
            object.shift_remove(keyword);
        }
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}

/// An optional property is one that may be left out, so its type need not allow null.
fn simplify(property: &mut Map<String, Value>) {
    for keyword in ["default", "format", "minimum"] {
        property.shift_remove(keyword);
    }
    if let Some(kind) = property.get("type").and_then(Value::as_array).and_then(|kinds| kinds.first()).cloned() {
        if kind != "array" {
            property.shift_remove("items");
        }
        property.insert("type".to_owned(), kind);
    }
}

/// Read a tool's input. What is no string may come as one ([`coerced`]); what is optional may be null, or empty where that
/// is no value, and so may what is not known. Anything else that is not known is a fault, for it was meant to change the
/// answer.
///
/// The error names every fault.
pub(super) fn parse<I: DeserializeOwned + JsonSchema>(tool: &str, input: &Value) -> Result<I, String> {
    let schema = forgiving::<I>();
    let mut object = match coerced(&schema, input) {
        Value::Object(object) => object,
        Value::Null => Map::new(),
        Value::String(_) => return Err(format!("The input of {tool} must be an object, not a string.")),
        other => return Err(format!("The input of {tool} must be an object, not {}.", described(&other))),
    };
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required = required(&schema);
    let mut faults = Vec::new();
    for (name, property) in properties {
        let kinds = kinds(property);
        let is_required = required.contains(&name.as_str());
        match object.get(name) {
            None if is_required => faults.push(format!("{name} is missing; it must be {}", wanted(&kinds))),
            Some(value) if !is_required && is_nothing(value, &kinds) => {
                object.shift_remove(name);
            }
            Some(value) => match kinds.iter().find_map(|kind| soften(kind, value)) {
                Some(softened) => {
                    object.insert(name.clone(), softened);
                }
                None => faults.push(format!("{name} must be {}, not {}", wanted(&kinds), described(value))),
            },
            None => {}
        }
    }
    let known: Vec<&str> = properties.keys().map(String::as_str).collect();
    let unknown = unknown(&mut object, &known);
    if faults.is_empty() && unknown.is_empty() {
        return serde_json::from_value(Value::Object(object)).map_err(|error| {
            tracing::debug!(%error, input = type_name::<I>(), "an input that fits its schema could not be read");
            format!("The input of {tool} is not right: {error}.")
        });
    }
    let known = match (unknown.is_empty(), known.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(" {tool} has no fields."),
        (false, false) => format!(" The fields of {tool} are: {}.", known.join(", ")),
    };
    faults.extend(unknown);
    Err(format!("The input of {tool} is not right: {}.{known}", faults.join("; ")))
}

/// Takes what is not known out of an input, and says of each field that holds something what may have been meant.
fn unknown(object: &mut Map<String, Value>, known: &[&str]) -> Vec<String> {
    const MOST: usize = 10;
    let names: Vec<String> = object.keys().filter(|name| !known.contains(&name.as_str())).cloned().collect();
    let mut faults = Vec::new();
    for name in names {
        if object.shift_remove(&name).is_none_or(|value| is_nothing(&value, &[])) || faults.len() == MOST {
            continue;
        }
        // One that is given already is not what is meant.
        let free: Vec<&str> = known.iter().copied().filter(|known| !object.contains_key(*known)).collect();
        let meant = likely(&name, &free).map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
        faults.push(format!("there is no field {}{meant}", cut(&name, 60)));
    }
    faults
}

/// Names that other tools have for what is a field here.
const ALSO_CALLED: &[(&str, &[&str])] = &[
    ("path", &["file", "file_path", "filename", "dir", "directory", "folder", "target_file"]),
    ("pattern", &["query", "regex", "regexp", "search", "q", "text"]),
    ("glob", &["include", "exclude", "type", "file_pattern", "globs", "files"]),
    ("context", &["-A", "-B", "-C", "before", "after", "context_lines", "lines_around"]),
    ("mode", &["output_mode", "output", "-l", "-c", "count", "files_with_matches"]),
    ("start_line", &["offset", "from", "first_line", "line", "view_range"]),
    ("end_line", &["limit", "to", "last_line", "view_range"]),
    ("old_text", &["old_string", "old_str", "search", "find"]),
    ("new_text", &["new_string", "new_str", "replace", "replacement", "content"]),
    ("content", &["contents", "text", "file_text", "new_text"]),
    ("from", &["source", "old_path", "src"]),
    ("to", &["destination", "new_path", "dest", "target"]),
    ("at", &["commit", "revision", "rev", "ref"]),
];

/// The field that a name was likely meant for.
fn likely<'a>(name: &str, fields: &[&'a str]) -> Option<&'a str> {
    const ALIKE: f64 = 0.7;
    const LONGEST: usize = 60;
    if name.len() > LONGEST {
        return None;
    }
    let plain = |name: &str| name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let other = ALSO_CALLED.iter().filter(|(_, names)| names.contains(&name)).map(|(field, _)| field);
    let same = |field: &&&str| plain(field) == plain(name);
    let alike = |field: &&str| strsim::normalized_damerau_levenshtein(&plain(field), &plain(name));
    let first = fields.iter().find(same).or_else(|| fields.iter().find(|field| other.clone().any(|o| &o == field)));
    let nearest = || fields.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|field| alike(field) >= ALIKE);
    first.or_else(nearest).copied()
}

/// The types that a property may have, its own first.
fn kinds(property: &Value) -> Vec<&str> {
    match property.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        _ => vec![""],
    }
}

/// Whether a value says nothing: null, or what is empty where that is no value of its kind.
fn is_nothing(value: &Value, kinds: &[&str]) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() && !kinds.contains(&"string"),
        Value::Array(items) => items.is_empty() && !kinds.contains(&"array"),
        Value::Object(fields) => fields.is_empty() && !kinds.contains(&"object"),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The value as the schema wants it, if it can be taken for that.
fn soften(kind: &str, value: &Value) -> Option<Value> {
    match (kind, value) {
        ("integer", Value::Number(number)) => {
            Some(number.as_i64().map_or_else(|| whole(number.as_f64()?), |n| Some(n.into()))?)
        }
        ("number", Value::Number(_))
        | ("boolean", Value::Bool(_))
        | ("string", Value::String(_))
        | ("array", Value::Array(_))
        | ("object", Value::Object(_))
        | ("", _) => Some(value.clone()),
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        _ => None,
    }
}

fn wanted(kinds: &[&str]) -> &'static str {
    match kinds.first().copied().unwrap_or_default() {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "a string",
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => cut(&other.to_string(), 60).into_owned(),
    }
}
