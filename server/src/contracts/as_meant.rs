//! Values as agents write them by hand, taken as the schema of their place wants them, where they can mean one thing only.

use serde_json::{Map, Value};

/// What was taken otherwise than it stands: a JSON Pointer, and a sentence.
pub(super) type Assumed = Vec<(String, String)>;

/// The value, with everything that the schema does not want there and that can mean one thing only made that thing; and the JSON
/// Pointer to it in what was given.
pub(super) fn as_meant(schema: &Value, name: &str, value: Value) -> (Value, Assumed, String) {
    let mut assumed = Vec::new();
    let value = unwrapped(schema, name, value, &mut assumed);
    let root = assumed.first().map(|(at, _)| at.clone()).unwrap_or_default();
    let value = meant(schema, value, &root, &mut assumed);
    (value, assumed, root)
}

/// The object in an object that has nothing but it, under the handoff's own name.
fn unwrapped(schema: &Value, name: &str, value: Value, assumed: &mut Assumed) -> Value {
    match value {
        Value::Object(mut object) if object.len() == 1 && schema["properties"].get(name).is_none() => {
            match object.shift_remove(name) {
                Some(inner @ Value::Object(_)) => {
                    assumed.push((format!("/{name}"), format!("what stands in \"{name}\" was taken as the whole")));
                    inner
                }
                Some(other) => Value::Object(Map::from_iter([(name.to_owned(), other)])),
                None => Value::Object(object),
            }
        }
        other => other,
    }
}

fn meant(schema: &Value, value: Value, at: &str, assumed: &mut Assumed) -> Value {
    let value = scalar(schema, value, at, assumed);
    match value {
        Value::Object(fields) => match schema.get("properties").and_then(Value::as_object) {
            Some(known) => Value::Object(fields_meant(known, fields, at, assumed)),
            None => Value::Object(fields),
        },
        Value::Array(items) => match schema.get("items") {
            Some(schema) => {
                let item = |(index, item)| meant(schema, item, &format!("{at}/{index}"), assumed);
                Value::Array(items.into_iter().enumerate().map(item).collect())
            }
            None => Value::Array(items),
        },
        other => other,
    }
}

fn fields_meant(
    known: &Map<String, Value>,
    fields: Map<String, Value>,
    at: &str,
    assumed: &mut Assumed,
) -> Map<String, Value> {
    let mut meant_fields = Map::new();
    let names: Vec<String> = fields.keys().cloned().collect();
    for (name, value) in fields {
        let ours = snake_case(&name);
        let is_other = !known.contains_key(&name) && known.contains_key(&ours) && !names.contains(&ours);
        if is_other && !meant_fields.contains_key(&ours) {
            assumed.push((pointer(at, &name), format!("{name:?} was taken as \"{ours}\"")));
        }
        let name = if is_other { ours } else { name };
        let value = match known.get(&name) {
            Some(schema) => meant(schema, value, &pointer(at, &name), assumed),
            None => value,
        };
        meant_fields.insert(name, value);
    }
    meant_fields
}

/// A value that is none of the kinds that are wanted, as one of them.
fn scalar(schema: &Value, value: Value, at: &str, assumed: &mut Assumed) -> Value {
    let kinds = kinds(schema);
    let wants = |kind: &str| kinds.contains(&kind);
    let taken = match &value {
        Value::String(text) => {
            let text = text.trim();
            match schema.get("enum").and_then(Value::as_array) {
                Some(words) if !words.contains(&value) => {
                    words.iter().find(|word| word.as_str().is_some_and(|word| word == snake_case(text))).cloned()
                }
                Some(_) => None,
                None if wants("string") || kinds.is_empty() => None,
                None if wants("integer") => text.parse::<u64>().ok().map(Value::from),
                None if wants("boolean") => text.to_ascii_lowercase().parse::<bool>().ok().map(Value::from),
                None if wants("array") && text.is_empty() => Some(Value::Array(Vec::new())),
                None if wants("array") => Some(Value::Array(vec![value.clone()])),
                None => None,
            }
        }
        Value::Number(number) if wants("integer") && !number.is_u64() => whole(number.as_f64()),
        Value::Number(number) if wants("string") && names_something(at) => Some(Value::from(number.to_string())),
        _ => None,
    };
    match taken {
        Some(taken) => {
            assumed.push((at.to_owned(), format!("{value} was taken as {taken}")));
            taken
        }
        None => value,
    }
}

fn kinds(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether ids or versions stand here, of which a number is one: elsewhere a number in place of a text is a mistake.
fn names_something(at: &str) -> bool {
    let steps = at.rsplit('/');
    let name = steps.into_iter().find(|step| step.parse::<usize>().is_err()).unwrap_or_default();
    ["id", "task_id", "depends_on", "parallel_groups", "version"].contains(&name)
}

fn whole(number: Option<f64>) -> Option<Value> {
    let number = number.filter(|number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(number))?;
    Some(Value::from(number as u64))
}

fn pointer(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// `filesToModify`, `Files to modify` and `files-to-modify` as `files_to_modify`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut was_lower = false;
    for c in name.trim().chars() {
        if c.is_ascii_uppercase() && was_lower {
            snake.push('_');
        }
        was_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        snake.push(if matches!(c, ' ' | '-') { '_' } else { c.to_ascii_lowercase() });
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contracts::{ImplReport, PlanOutput, ReviewOutput, schema_of};

    fn told(schema: &Value, name: &str, value: Value) -> (Value, Vec<String>) {
        let (value, assumed, _) = as_meant(schema, name, value);
        (value, assumed.into_iter().map(|(at, said)| format!("{at}: {said}")).collect())
    }

    #[test]
    fn a_value_becomes_what_it_can_only_mean() {
        let schema = schema_of::<ReviewOutput>();
        let (value, said) = told(
            &schema,
            "review",
            json!({ "Verdict": "Changes Requested", "recommendedAction": "fix-and-re-review", "plan_drift_detected": "False",
                    "issues": [{ "severity": "Major", "line": "12", "end_line": 14.0, "task_id": 1, "x": "Y" }], "other": "Z" }),
        );
        assert_eq!(
            value,
            json!({ "verdict": "changes_requested", "recommended_action": "fix_and_re_review", "plan_drift_detected": false,
                    "issues": [{ "severity": "major", "line": 12, "end_line": 14, "task_id": "1", "x": "Y" }], "other": "Z" })
        );
        assert_eq!(said.len(), 9, "{said:?}");
        assert!(said.contains(&"/issues/0/severity: \"Major\" was taken as \"major\"".to_owned()), "{said:?}");

        let plan = schema_of::<PlanOutput>();
        let (value, _) = told(
            &plan,
            "plan",
            json!({ "plan": { "tasks": [{ "id": 1, "depends_on": "", "filesToModify": "a" }], "parallel_groups": [1, 2] } }),
        );
        let tasks = json!([{ "id": "1", "depends_on": [], "files_to_modify": ["a"] }]);
        assert_eq!(value["tasks"], tasks);
        assert_eq!(value["parallel_groups"], json!([1, 2]), "numbers are no groups");
    }

    #[test]
    fn what_could_mean_several_things_stays() {
        let report = schema_of::<ImplReport>();
        for value in [
            json!({ "results": [{ "status": "done", "notes": 7, "changes": "a" }], "round": "first" }),
            json!({ "results": {}, "impl_report": {} }),
            json!({ "impl_report": [] }),
            json!("a report"),
        ] {
            let (taken, said) = told(&report, "impl_report", value.clone());
            let kept = said.iter().filter(|said| !said.contains("[\"a\"]")).count();
            assert_eq!(kept, 0, "{said:?}");
            assert_eq!(taken["results"][0]["status"], value["results"][0]["status"]);
        }
    }
}
