use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Ranges of lines as a model writes them: `15-33, 205-275`, or a list of first and last lines. Counted from 1, both included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineRanges(pub(super) Vec<(i64, i64)>);

const FORM: &str = "ranges must be first and last lines, as in \"15-33, 205-275\"";

impl LineRanges {
    fn of(value: &Value) -> Option<Vec<(i64, i64)>> {
        match value {
            Value::String(text) => match serde_json::from_str(text) {
                Ok(list @ Value::Array(_)) => Self::of(&list),
                _ => text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).map(range).collect(),
            },
            Value::Array(items) => match items.as_slice() {
                [Value::Number(first), Value::Number(last)] => Some(vec![(first.as_i64()?, last.as_i64()?)]),
                items => items.iter().map(Self::of).collect::<Option<Vec<_>>>().map(|all| all.concat()),
            },
            Value::Number(line) => line.as_i64().map(|line| vec![(line, line)]),
            _ => None,
        }
    }
}

/// `15-33`, `15`, or `15-` for all from there on.
fn range(text: &str) -> Option<(i64, i64)> {
    let text = text.replace("..", "-").replace([':', '–'], "-");
    let line = |text: &str| text.trim().parse::<i64>().ok();
    match text.split_once('-') {
        Some((first, last)) if last.trim().is_empty() => Some((line(first)?, i64::MAX)),
        Some((first, last)) => Some((line(first)?, line(last)?)),
        None => line(&text).map(|line| (line, line)),
    }
}

impl fmt::Display for LineRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{first}-{last}")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for LineRanges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(&value).map(Self).ok_or_else(|| D::Error::custom(FORM))
    }
}

impl JsonSchema for LineRanges {
    fn schema_name() -> Cow<'static, str> {
        "LineRanges".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": ["array", "string", "integer"] } })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ranges_are_read_as_models_write_them() {
        let two = Some(vec![(15, 33), (205, 275)]);
        for written in [
            json!("15-33, 205-275"),
            json!("15..33;205:275"),
            json!([[15, 33], [205, 275]]),
            json!("[[15, 33], [205, 275]]"),
            json!(["15-33", "205 - 275"]),
        ] {
            assert_eq!(LineRanges::of(&written), two, "{written}");
        }
        assert_eq!(LineRanges::of(&json!([15, 33])), Some(vec![(15, 33)]));
        assert_eq!(LineRanges::of(&json!("7, 9-")), Some(vec![(7, 7), (9, i64::MAX)]));
        assert_eq!(LineRanges::of(&json!("")), Some(Vec::new()));
        for odd in
            [json!("x"), json!("1-2-3"), json!({}), json!([["a"]]), json!([1.5, 2]), json!("99999999999999999999")]
        {
            assert_eq!(LineRanges::of(&odd), None, "{odd}");
        }
    }
}
