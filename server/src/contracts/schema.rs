use jiff::Timestamp;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::as_meant::as_meant;
use super::fault::{Fault, JsonText, Position};
use super::limits::{MAX_FAULTS, over_limit};
use super::plain_json::plain_json;
use crate::text;

/// A JSON file that one phase, or the gate, hands to what comes after it.
pub trait Handoff: Serialize + DeserializeOwned + JsonSchema {
    /// Its name for `baton schema`.
    const NAME: &'static str;
    /// Its file in the memory folder.
    const FILE: &'static str;
    /// Properties that the server fills and a model is never asked for; a dot goes into an object, or the items of a list.
    const SERVER_FILLED: &'static [&'static str];

    /// The JSON of another tool with what it left out, where that follows from the rest; `assume` is told what was filled
    /// in, with a JSON Pointer.
    fn complete(value: Value, assume: &mut dyn FnMut(String, String)) -> Value {
        let _ = assume;
        value
    }
}

/// What was taken otherwise than it stands in a text, each at its place: `code` is `schema`.
pub type Assumptions = Vec<Fault>;

/// Read a handoff from its text. What another tool wrote otherwise than the schema wants it is taken where it can mean one
/// thing only; [`read_noted`] tells what that was.
///
/// # Errors
/// All faults of syntax and shape, each at its place, up to [`MAX_FAULTS`]. Rules that need more than the text (those of a plan) are
/// checked by [`check_plan`](super::check_plan).
pub fn read<T: Handoff>(text: &str) -> Result<T, Vec<Fault>> {
    read_noted(text).map(|(handoff, _)| handoff)
}

/// The same, with what was taken otherwise than it stands, up to [`MAX_FAULTS`].
///
/// # Errors
/// As [`read`].
pub fn read_noted<T: Handoff>(text: &str) -> Result<(T, Assumptions), Vec<Fault>> {
    // Editors on Windows may write a byte order mark; it is not part of the JSON, and no column counts it.
    let text = text.trim_start_matches('\u{feff}');
    let plain = plain_json(text);
    if let Some((at, message)) = over_limit(plain.plain.as_bytes()) {
        return Err(vec![Fault::at(text, at, message)]);
    }
    let value: Value = match serde_json::from_str(&plain.parsed) {
        Ok(value) => value,
        // A quotation mark that is missing shows as a line break inside of a text; where the JSON does not end well, it is that
        // text which is at fault, not what comes after it.
        Err(_) => return Err(vec![syntax_fault(text, &plain.with_first_break(text))]),
    };
    let mut notes: Assumptions =
        plain.notes.iter().map(|(at, note)| Fault::at(text, *at, (*note).to_owned())).collect();
    if let Ok(handoff) = parse(value.clone()) {
        return Ok((handoff, notes));
    }
    let (value, meant, root) = as_meant(&schema_of::<T>(), T::NAME, value);
    // What was filled in says more than what was only written otherwise, and is told first.
    let mut assumed = Vec::new();
    let value = T::complete(value, &mut |at, said| assumed.push((format!("{root}{at}"), said)));
    let json = JsonText::new(text);
    let at_place = |fault: Fault| json.fault(fault.code, format!("{root}{}", fault.pointer), fault.message);
    match parse(value) {
        Ok(handoff) => {
            let at_place = |(at, said): (String, String)| json.fault("schema", at, bounded(&said));
            let mut told: Assumptions = assumed.into_iter().map(at_place).collect();
            told.append(&mut notes);
            told.extend(meant.into_iter().map(at_place));
            told.truncate(MAX_FAULTS);
            Ok((handoff, told))
        }
        // Only what then is still wrong is to be mended.
        Err(left) => Err(left.into_iter().map(at_place).collect()),
    }
}

/// The JSON of a text as [`read`] takes it; `None` of one that is none, or is beyond the limits.
pub fn json_value(text: &str) -> Option<Value> {
    let plain = plain_json(text.trim_start_matches('\u{feff}'));
    over_limit(plain.plain.as_bytes()).is_none().then(|| serde_json::from_str(&plain.parsed).ok()).flatten()
}

/// Read a handoff from a JSON value: a model's tool input. Positions are all the start; pointers say where.
///
/// # Errors
/// All faults of shape.
pub fn parse<T: Handoff>(value: Value) -> Result<T, Vec<Fault>> {
    let shape = schema_of::<T>();
    let fault = |pointer: String, message: String| Fault {
        code: "schema",
        message,
        pointer,
        span: 0..0,
        position: Position { line: 1, column: 1 },
    };
    match jsonschema::validator_for(&shape) {
        Ok(validator) => {
            let faults: Vec<Fault> = validator
                .iter_errors(&value)
                .take(MAX_FAULTS)
                .map(|error| fault(error.instance_path().as_str().to_owned(), bounded(&message_of(&error))))
                .collect();
            if !faults.is_empty() {
                return Err(faults);
            }
        }
        // A derived schema always compiles; were it not so, serde below still checks the shape.
        Err(error) => tracing::error!(schema = T::NAME, %error, "schema does not compile"),
    }
    serde_json::from_value(value).map_err(|error| vec![fault(String::new(), error.to_string())])
}

/// The schema of what a model submits: the handoff without what the server fills, in the form that strict tools
/// want (objects closed, no bounds, no references). Models write the properties in the order of the struct.
///
/// Source: Anthropic's structured outputs, "JSON Schema limitations" and "Property ordering".
pub fn submit_schema<T: Handoff>() -> Value {
    let mut schema = schema_of::<T>();
    for path in T::SERVER_FILLED {
        remove_property(&mut schema, path);
    }
    close(&mut schema);
    schema
}

/// The JSON Schema of a type (draft 2020-12).
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    flatten_enums(&mut schema);
    schema
}

fn flatten_enums(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            flatten_enum(object);
            object.values_mut().for_each(flatten_enums);
        }
        Value::Array(items) => items.iter_mut().for_each(flatten_enums),
        _ => {}
    }
}

fn remove_property(schema: &mut Value, path: &str) {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(rest) = rest else {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            // The others keep their order, in which a model writes them.
            properties.shift_remove(name);
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|entry| entry != name);
        }
        return;
    };
    let items = format!("/properties/{name}/items");
    let inner = if schema.pointer(&items).is_some() { items } else { format!("/properties/{name}") };
    if let Some(inner) = schema.pointer_mut(&inner) {
        remove_property(inner, rest);
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            require_what_can_be_empty(object);
            for keyword in ["$schema", "title", "format", "minimum", "maximum", "default"] {
                // Inside `properties` these are names of the handoff, not keywords.
                object.shift_remove(keyword);
            }
            // What is optional is left out; null is for files that other tools write, and for an object there is none of.
            if let Some(Value::Array(types)) = object.get_mut("type")
                && !types.iter().any(|name| name == "object")
            {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            for (key, child) in object.iter_mut() {
                match (key.as_str(), child) {
                    ("properties", Value::Object(properties)) => close_properties(properties),
                    (_, child) => close(child),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Strict tools have what is required written first, whatever the order of the properties. So all is required that has
/// a way to say nothing: an empty list or text, a default, null in place of an object. What is left optional comes last.
fn require_what_can_be_empty(object: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = object.get("properties") else { return };
    let listed = object.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let has_type = |property: &Value, wanted: &str| match property.get("type") {
        Some(Value::Array(types)) => types.iter().any(|name| name == wanted),
        one => one.is_some_and(|name| name == wanted),
    };
    let can_be_empty = |property: &Value| {
        let default = property.get("default").is_some_and(|default| !default.is_null());
        default || has_type(property, "array") || has_type(property, "object")
    };
    let is_required =
        |(name, property): &(&String, &Value)| listed.iter().any(|one| one == *name) || can_be_empty(property);
    let required: Vec<Value> =
        properties.iter().filter(is_required).map(|(name, _)| Value::from(name.as_str())).collect();
    object.insert("required".to_owned(), Value::Array(required));
}

/// A documented enum is derived as a union of constants; a plain enum says the same, needs no union, and a validator
/// that misses a word in it names those there are. What each word means goes to the description.
fn flatten_enum(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("oneOf") else { return };
    let word = |variant: &Value| variant.get("const").and_then(Value::as_str).map(str::to_owned);
    let Some(words) = variants.iter().map(word).collect::<Option<Vec<String>>>() else { return };
    let meaning = |variant: &Value| variant.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let meanings: Vec<String> =
        words.iter().zip(variants).map(|(word, variant)| format!("{word}: {}", meaning(variant))).collect();
    let what = object.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{what} {}", meanings.join(" ")).trim().to_owned();
    object.shift_remove("oneOf");
    object.insert("type".to_owned(), Value::from("string"));
    object.insert("enum".to_owned(), Value::from(words));
    object.insert("description".to_owned(), Value::from(description));
}

fn close_properties(properties: &mut Map<String, Value>) {
    properties.values_mut().for_each(close);
}

/// The fault of a text that is no JSON; `plain` is the same without what is passed over.
fn syntax_fault(text: &str, plain: &str) -> Fault {
    let Err(error) = serde_json::from_str::<Value>(plain) else {
        return Fault::at(text, 0, "not valid JSON".to_owned());
    };
    let start = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let offset = match error.column() {
        // A line break is at fault, and the parser has counted it already.
        0 if !error.is_eof() => start.saturating_sub(1),
        column => (start + column.saturating_sub(1)).min(text.len()),
    };
    let offset = text.floor_char_boundary(offset);
    let end = text[offset..].chars().next().map_or(offset, |c| offset + c.len_utf8());
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Fault {
        code: "schema",
        message: format!("not valid JSON: {message}"),
        pointer: String::new(),
        span: offset..end,
        position: Position::of(text, offset),
    }
}

/// The validator's message, but with all words of an enum: it names only some where there are many.
fn message_of(error: &ValidationError<'_>) -> String {
    let ValidationErrorKind::Enum { options } = error.kind() else { return error.to_string() };
    let words: Vec<String> = options.as_array().into_iter().flatten().map(Value::to_string).collect();
    format!("{} is not one of {}", error.instance(), words.join(", "))
}

/// A validator quotes the value at fault, which may be as long as a file.
fn bounded(message: &str) -> String {
    text::cut_middle(message, 300, 80).into_owned()
}

pub(super) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Other tools write all kinds of things for a time; what is not RFC 3339 counts as missing, and the server fills it.
pub(super) fn lenient_timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::{BaseReview, ContextOutput, Findings, PlanOutput, ReviewOutput, TaskResult};

    /// The properties in the order in which a strict tool has them written: what is required, then what is optional (`?`);
    /// those of an object, or of a list's items, in brackets.
    fn written(schema: &Value) -> String {
        let object = if schema["items"].is_object() { &schema["items"] } else { schema };
        let Some(properties) = object["properties"].as_object() else { return String::new() };
        let is_required = |name: &str| object["required"].as_array().unwrap().iter().any(|one| one == name);
        let (first, last): (Vec<_>, Vec<_>) = properties.iter().partition(|(name, _)| is_required(name));
        let name = |(name, property): (&String, &Value)| match written(property).as_str() {
            "" => name.to_owned(),
            inner => format!("{name}({inner})"),
        };
        let optional = last.into_iter().map(|property| name(property) + "?");
        first.into_iter().map(name).chain(optional).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_model_writes_findings_before_the_verdict_and_reasons_before_the_decision() {
        const ISSUES: &str = "issues(file line description severity end_line? quote? suggested_fix? task_id?)";
        assert_eq!(
            written(&submit_schema::<ContextOutput>()),
            "task_description relevant_files(path summary relevance ranges) dependencies(name version usage) existing_patterns \
             constraints files_in_scope files_out_of_scope size?"
        );
        let quick = submit_schema::<crate::contracts::QuickOutput>();
        let parts = |name: &str| written(&quick["properties"][name]);
        assert_eq!(parts("plan"), written(&submit_schema::<PlanOutput>()), "a quick plan is a plan");
        let context = written(&submit_schema::<ContextOutput>());
        assert_eq!(format!("{} size?", parts("context")), context, "and a context");
        assert_eq!(written(&quick).split('(').next(), Some("context"));
        assert_eq!(
            written(&submit_schema::<PlanOutput>()),
            "approach_summary risks tasks(id title description files_to_modify files_to_create files_to_delete depends_on \
             acceptance_criteria estimated_complexity) parallel_groups questions"
        );
        assert_eq!(written(&submit_schema::<TaskResult>()), "changes(path summary) notes blockers status");
        assert_eq!(written(&submit_schema::<Findings>()), format!("{ISSUES} summary"));
        let review = format!(
            "answers(id state) {ISSUES} criteria(task_id criterion evidence(check? file? line? quote?) state) drift_details \
             plan_drift_detected summary verdict recommended_action"
        );
        assert_eq!(written(&submit_schema::<ReviewOutput>()), review);
        assert_eq!(written(&submit_schema::<BaseReview>()), review);
        let evidence = &submit_schema::<ReviewOutput>()["properties"]["criteria"]["items"]["properties"]["evidence"];
        assert_eq!(evidence["type"], serde_json::json!(["object", "null"]), "there may be none");
    }

    #[test]
    fn what_a_model_leaves_out_is_taken_all_the_same() {
        let result: TaskResult = parse(serde_json::json!({ "status": "completed" })).unwrap();
        assert!(result.changes.is_empty() && result.notes.is_empty() && result.blockers.is_empty());
    }
}
