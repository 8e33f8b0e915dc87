//! What the layers give each setting, and what became of each value.

use super::sources::{Layer, Origin};
use super::table::{Scope, Setting};

/// A value that a layer gives a setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The layer, and where in it.
    pub origin: Origin,
    /// The value on one line, safe to show; of a list the names.
    pub value: String,
    /// The whole value.
    pub whole: serde_json::Value,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a value that a layer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It holds.
    InForce,
    /// A stronger layer has another one.
    Overridden,
    /// The setting is a limit, and of a workspace's or an editor's value and the user's the smaller one holds.
    Capped,
    /// The recorded answers of the demo, which the workspace names, stay.
    Demo,
    /// This layer may not set it.
    Ignored,
}

impl Fate {
    /// The word for it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Overridden => "overridden",
            Self::Capped => "capped",
            Self::Demo => "demo",
            Self::Ignored => "ignored",
        }
    }
}

/// Judge the values that a setting is given, now that it is known which of them holds: the one of that origin, or none, where
/// the default holds. Weakest layer first.
pub(super) fn judge(setting: &Setting, given: &mut Vec<Given>, holds: Option<&Origin>) {
    given.sort_by_key(|one| one.origin.layer);
    let layer = holds.map_or(Layer::Default, |origin| origin.layer);
    for one in given.iter_mut().filter(|one| one.fate != Fate::Ignored) {
        one.fate = if holds == Some(&one.origin) {
            Fate::InForce
        } else if setting.scope == Scope::Lowers && layer < Layer::Environment {
            Fate::Capped
        } else if setting.is_model() && layer < one.origin.layer {
            Fate::Demo
        } else {
            Fate::Overridden
        };
    }
}
