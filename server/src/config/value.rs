//! Values before they are settings: one tree for TOML, JSON and the environment, with the place of each part.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Location};
use crate::contracts::{MAX_FAULTS, MAX_SETTINGS, Position};
use crate::text;

/// A value as its layer gives it, with the place of each part.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) raw: Raw,
    pub(super) place: Location,
}

/// What TOML, JSON and the environment have in common.
#[derive(Debug, Clone)]
pub(super) enum Raw {
    Text(String),
    /// The text of an environment variable or a flag, which may also be read as a number.
    Loose(String),
    Whole(i128),
    Number(f64),
    Truth(bool),
    /// A date or a time, as it stands in TOML.
    Date(String),
    List(Vec<Node>),
    Table(Vec<(String, Location, Node)>),
    /// A value of a kind that no setting has, with the name of that kind.
    Other(&'static str),
}

/// Characters of a wrong value that a message repeats.
const MAX_REPEATED: usize = 60;

impl Node {
    /// The tree of a TOML text.
    ///
    /// # Errors
    /// The faults of syntax, each with its place, up to [`MAX_FAULTS`]; or that there are more than [`MAX_SETTINGS`] values.
    pub(super) fn from_toml(source: &str, text: &str) -> Result<Self, Vec<(Location, String)>> {
        let text = text.trim_start_matches('\u{feff}');
        let at = |offset: usize| Location { source: source.to_owned(), position: Some(Position::of(text, offset)) };
        let (table, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            let mut faults: Vec<_> = errors
                .iter()
                .take(MAX_FAULTS)
                .map(|error| {
                    (
                        at(error.span().map_or(0, |span| span.start)),
                        format!("this is not TOML: {}", text::safe_line(error.message())),
                    )
                })
                .collect();
            faults.sort();
            return Err(faults);
        }
        if values_in(table.get_ref().values().map(Spanned::get_ref)) > MAX_SETTINGS {
            return Err(vec![(at(0), format!("it has more than {MAX_SETTINGS} values; settings do not"))]);
        }
        Ok(Self { raw: toml_table(table.get_ref(), &at), place: at(0).whole() })
    }

    /// The tree of editor settings. `null` is what editors send for a setting that is not set.
    pub(super) fn from_json(key: &str, value: &serde_json::Value) -> Option<Self> {
        use serde_json::Value;
        let raw = match value {
            Value::Null => return None,
            Value::Bool(truth) => Raw::Truth(*truth),
            Value::Number(number) => match number.as_i128() {
                Some(whole) => Raw::Whole(whole),
                None => number.as_f64().map_or(Raw::Other("a number"), Raw::Number),
            },
            Value::String(text) => Raw::Text(text.clone()),
            Value::Array(items) => Raw::List(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(i, item)| Self::from_json(&format!("{key}[{i}]"), item))
                    .collect(),
            ),
            Value::Object(fields) => Raw::Table(
                fields
                    .iter()
                    .filter_map(|(name, value)| {
                        let name = printable(name);
                        let child = Self::from_json(&format!("{key}.{name}"), value)?;
                        Some((name, child.place.clone(), child))
                    })
                    .collect(),
            ),
        };
        Some(Self { raw, place: Location::named(format!("editor setting {key}")) })
    }

    /// A value of the environment or a flag.
    pub(super) fn loose(source: &str, text: &str) -> Self {
        Self { raw: Raw::Loose(text.to_owned()), place: Location::named(source) }
    }

    /// The value as a user would write it, without quotes.
    pub(super) fn bare(&self) -> String {
        match &self.raw {
            Raw::Loose(text) => text.clone(),
            _ => self.to_string(),
        }
    }

    /// The value on one line, as people read it who know the setting: without quotes, of a list its entries or their names.
    pub(super) fn summary(&self) -> String {
        match &self.raw {
            Raw::Text(text) | Raw::Loose(text) | Raw::Date(text) => text::short_line(text, MAX_REPEATED),
            Raw::List(items) if items.is_empty() => "none".to_owned(),
            Raw::List(items) => {
                let names: Vec<String> =
                    items.iter().map(|item| item.field("name").unwrap_or(item).summary()).collect();
                names.join(", ")
            }
            _ => self.to_string(),
        }
    }

    /// The value as JSON. What stands in the environment or in a flag is a text there, and a number where it reads as one.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.raw {
            Raw::Text(text) | Raw::Date(text) => Value::String(text.clone()),
            Raw::Loose(text) => match (self.as_whole().and_then(|whole| i64::try_from(whole).ok()), self.as_number()) {
                (Some(whole), _) => whole.into(),
                (None, Some(number)) => number.into(),
                (None, None) => Value::String(text.clone()),
            },
            Raw::Whole(whole) => i64::try_from(*whole).map_or(Value::Null, Value::from),
            Raw::Number(number) => (*number).into(),
            Raw::Truth(truth) => (*truth).into(),
            Raw::List(items) => items.iter().map(Self::to_json).collect(),
            Raw::Table(fields) => {
                Value::Object(fields.iter().map(|(name, _, node)| (name.clone(), node.to_json())).collect())
            }
            Raw::Other(_) => Value::Null,
        }
    }

    /// An error about this value of a setting; `what` follows the setting's name.
    pub(super) fn refuse(&self, key: &str, what: impl fmt::Display) -> ConfigError {
        ConfigError { place: self.place.clone(), setting: key.to_owned(), message: format!("{key} {what}") }
    }

    /// The value of this name in a table.
    pub(super) fn field(&self, key: &str) -> Option<&Self> {
        let Raw::Table(fields) = &self.raw else { return None };
        fields.iter().find(|(name, _, _)| name == key).map(|(_, _, node)| node)
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.raw {
            Raw::Text(text) | Raw::Loose(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_whole(&self) -> Option<i128> {
        match &self.raw {
            Raw::Whole(whole) => Some(*whole),
            Raw::Loose(text) => text.replace('_', "").parse().ok(),
            _ => None,
        }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        match &self.raw {
            Raw::Whole(whole) => Some(*whole as f64),
            Raw::Number(number) => Some(*number),
            Raw::Loose(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A truth value. The texts `true` and `false` are none: in quotes they would be a slip that nobody sees.
    pub(super) fn as_truth(&self) -> Option<bool> {
        match &self.raw {
            Raw::Truth(truth) => Some(*truth),
            _ => None,
        }
    }
}

impl fmt::Display for Node {
    /// The value as a message repeats it: short, one line, no control characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.raw {
            Raw::Text(text) | Raw::Loose(text) => {
                let short = text::head(text, MAX_REPEATED);
                write!(f, "{short:?}")?;
                if short.len() < text.len() { f.write_str("…") } else { Ok(()) }
            }
            Raw::Whole(whole) => write!(f, "{whole}"),
            Raw::Number(number) => write!(f, "{number:?}"),
            Raw::Truth(truth) => write!(f, "{truth}"),
            Raw::Date(_) => f.write_str("a date"),
            Raw::List(_) => f.write_str("a list"),
            Raw::Table(_) => f.write_str("a table"),
            Raw::Other(name) => f.write_str(name),
        }
    }
}

/// Count the values, nested ones included; the count stops once it is more than [`MAX_SETTINGS`].
fn values_in<'a, 'i: 'a>(values: impl Iterator<Item = &'a DeValue<'i>>) -> usize {
    let mut open: Vec<&DeValue<'_>> = values.take(MAX_SETTINGS + 1).collect();
    let mut count = 0;
    while let Some(value) = open.pop() {
        count += 1;
        let room = (MAX_SETTINGS + 1).saturating_sub(count + open.len());
        match value {
            DeValue::Array(items) => open.extend(items.iter().map(Spanned::get_ref).take(room)),
            DeValue::Table(table) => open.extend(table.values().map(Spanned::get_ref).take(room)),
            _ => {}
        }
    }
    count
}

fn toml_table(table: &DeTable<'_>, at: &dyn Fn(usize) -> Location) -> Raw {
    let entries = table.iter().map(|(key, value)| {
        let node = toml_node(value, at);
        (printable(key.get_ref()), at(key.span().start), node)
    });
    Raw::Table(entries.collect())
}

fn toml_node(value: &Spanned<DeValue<'_>>, at: &dyn Fn(usize) -> Location) -> Node {
    let raw = match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Raw::Other("a number beyond all bounds"), Raw::Whole),
        DeValue::Float(float) => float.as_str().parse().map_or(Raw::Other("a number"), Raw::Number),
        DeValue::Boolean(truth) => Raw::Truth(*truth),
        DeValue::Datetime(date) => Raw::Date(date.to_string()),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| toml_node(item, at)).collect()),
        DeValue::Table(table) => toml_table(table, at),
    };
    Node { raw, place: at(value.span().start) }
}

/// A key made safe to show: a quoted key may hold anything, terminal controls included.
fn printable(key: &str) -> String {
    text::escaped(text::head(key, MAX_REPEATED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_values_than_settings_have_are_one_fault() {
        let keys = |n: usize| (0..n).map(|n| format!("k{n} = 1\n")).collect::<String>();
        let list = |n: usize| format!("checks = [{}0]\n", "0,".repeat(n));
        assert!(Node::from_toml("baton.toml", &keys(MAX_SETTINGS)).is_ok());
        for text in [
            keys(100_000),
            list(500_000),
            format!("a.b = [{{c = {}]}}]", list(500_000).trim_start_matches("checks = ").trim_end_matches("]\n")),
        ] {
            let faults = Node::from_toml("baton.toml", &text).unwrap_err();
            assert_eq!(faults.len(), 1);
            assert_eq!(faults[0].1, "it has more than 2000 values; settings do not");
        }
    }
}
