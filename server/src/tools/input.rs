//! What a model sends to a tool: its schema, and reading it with the patience that models need.

use std::any::type_name;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::coerce::{coerced, whole};
use crate::text::cut;

/// The schema that is sent to a model: plain types, closed, without keywords that providers reject.
pub(super) fn schema<I: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<I>().to_value();
    if let Some(object) = schema.as_object_mut() {
        for keyword in ["$schema", "title", "description"] {
            object.shift_remove(keyword);
        }
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
        if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
            properties.values_mut().filter_map(Value::as_object_mut).for_each(simplify);
        }
    }
    schema
}

/// An optional property is one that may be left out, so its type need not allow null.
fn simplify(property: &mut Map<String, Value>) {
    for keyword in ["default", "format", "minimum"] {
        property.shift_remove(keyword);
    }
    if let Some(kind) = property.get("type").and_then(Value::as_array).and_then(|kinds| kinds.first()).cloned() {
        property.insert("type".to_owned(), kind);
    }
}

/// Read a tool's input. What is no string may come as one ([`coerced`]), what is optional may be null, what is not known is
/// passed over.
///
/// The error names every fault.
pub(super) fn parse<I: DeserializeOwned + JsonSchema>(tool: &str, input: &Value) -> Result<I, String> {
    let schema = schema::<I>();
    let mut object = match coerced(&schema, input) {
        Value::Object(object) => object,
        Value::Null => Map::new(),
        Value::String(_) => return Err(format!("The input of {tool} must be an object, not a string.")),
        other => return Err(format!("The input of {tool} must be an object, not {}.", described(&other))),
    };
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut faults = Vec::new();
    for (name, property) in properties {
        let kind = property.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_required = required.contains(&name.as_str());
        match object.get(name) {
            None if is_required => faults.push(format!("{name} is missing; it must be {}", wanted(kind))),
            Some(Value::Null) if !is_required => {
                object.shift_remove(name);
            }
            Some(value) => match soften(kind, value) {
                Some(softened) => {
                    object.insert(name.clone(), softened);
                }
                None => faults.push(format!("{name} must be {}, not {}", wanted(kind), described(value))),
            },
            None => {}
        }
    }
    if !faults.is_empty() {
        return Err(format!("The input of {tool} is not right: {}.", faults.join("; ")));
    }
    serde_json::from_value(Value::Object(object)).map_err(|error| {
        tracing::debug!(%error, input = type_name::<I>(), "an input that fits its schema could not be read");
        format!("The input of {tool} is not right: {error}.")
    })
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

fn wanted(kind: &str) -> &'static str {
    match kind {
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
