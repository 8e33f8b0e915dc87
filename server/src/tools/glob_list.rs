use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::error::{ToolError, sentence};
use crate::workspace::Globs;

/// Patterns for files as a model writes them: in one text, or in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GlobList(Vec<String>);

impl GlobList {
    /// What they choose; `None` if there are none.
    ///
    /// # Errors
    /// The first one that is not valid, in words for a model.
    pub(super) fn globs(list: Option<&Self>) -> Result<Option<Globs>, ToolError> {
        let texts = || list.into_iter().flat_map(|list| &list.0).map(String::as_str);
        if texts().all(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        Globs::parse(texts()).map(Some).map_err(|error| sentence(&error).into())
    }
}

impl fmt::Display for GlobList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl<'de> Deserialize<'de> for GlobList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            List(Vec<String>),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            // A list that came as a string; what is in brackets otherwise is a pattern.
            Written::Text(text) => serde_json::from_str(&text).unwrap_or_else(|_| vec![text]),
            Written::List(list) => list,
        }))
    }
}

impl JsonSchema for GlobList {
    fn schema_name() -> Cow<'static, str> {
        "GlobList".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": { "type": "string" } })
    }
}
