use std::borrow::Cow;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::schema::{Handoff, lenient_timestamp};

/// `dismissed.json`: the issues the user dismissed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Dismissed(pub Vec<Dismissal>);

/// One issue the user dismissed. The id alone, as files from before there were reasons have it, is read too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Entry")]
pub struct Dismissal {
    /// The issue's id.
    pub id: String,
    /// Why, in the user's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// When. Where the file does not say, a memory folder fills in when the file was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// An entry as it may stand in the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Id(String),
    Whole {
        id: String,
        #[serde(default)]
        because: Option<String>,
        #[serde(default, deserialize_with = "lenient_timestamp")]
        at: Option<Timestamp>,
    },
}

impl Dismissed {
    /// Whether the issue of this id was dismissed.
    pub fn has(dismissed: &[Dismissal], issue: &str) -> bool {
        dismissed.iter().any(|dismissal| dismissal.id == issue)
    }
}

impl From<Entry> for Dismissal {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Id(id) => Self { id, because: None, at: None },
            Entry::Whole { id, because, at } => Self { id, because, at },
        }
    }
}

/// An issue that was dismissed without a reason, nobody knows when.
impl From<&str> for Dismissal {
    fn from(id: &str) -> Self {
        Self { id: id.to_owned(), because: None, at: None }
    }
}

/// Written by hand: of a union, a validator says only that none of its parts fits.
impl JsonSchema for Dismissal {
    fn schema_name() -> Cow<'static, str> {
        "Dismissal".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An issue the user dismissed: its id, alone or with the reason and the time.",
            "type": ["string", "object"],
            "properties": {
                "id": { "description": "The issue's id.", "type": "string" },
                "because": { "description": "Why, in the user's words.", "type": ["string", "null"] },
                "at": { "description": "When, as RFC 3339.", "type": ["string", "null"] }
            },
            "required": ["id"]
        })
    }
}

impl Handoff for Dismissed {
    const NAME: &'static str = "dismissed";
    const FILE: &'static str = "dismissed.json";
    const SERVER_FILLED: &'static [&'static str] = &[];
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contracts::read;

    #[test]
    fn an_id_stands_alone_or_with_its_reason_and_time() {
        let text = r#"["a", {"id": "b", "because": "as meant", "at": "2026-11-23T12:00:00Z", "more": 1}, {"id": "c"},
            {"id": "d", "because": null, "at": null}]"#;
        let Dismissed(all) = read(text).unwrap();
        assert_eq!(all[0], "a".into());
        assert_eq!(all[1].because.as_deref(), Some("as meant"));
        assert_eq!(all[1].at, Some("2026-11-23T12:00:00Z".parse().unwrap()));
        assert_eq!(all[2..], ["c".into(), "d".into()]);
        assert!(Dismissed::has(&all, "b") && !Dismissed::has(&all, "e"));
        let written = json!([{ "id": "a" }, { "id": "b", "because": "as meant", "at": "2026-11-23T12:00:00Z" }]);
        assert_eq!(json!(all[..2]), written);
    }

    #[test]
    fn what_is_no_dismissal_is_a_fault_at_its_place() {
        let faults = read::<Dismissed>("[\n  5,\n  { \"because\": \"x\" }\n]").unwrap_err();
        let places: Vec<(u32, &str)> =
            faults.iter().map(|fault| (fault.position.line, fault.message.as_str())).collect();
        assert_eq!(places, [(2, "5 is not of types \"string\", \"object\""), (3, "\"id\" is a required property")]);
    }
}
