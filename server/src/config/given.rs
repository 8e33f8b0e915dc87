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
pub(super) fn judge(setting: &Setting, given: &mut [Given], holds: Option<&Origin>) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::config::{Loaded, Sources, TomlFile, UserFile, load};

    fn loaded(workspace: &str, user: &str, editor: serde_json::Value, env: &[(&str, &str)]) -> Loaded {
        let file = |name: &str, text: &str| TomlFile { name: name.to_owned(), text: text.to_owned() };
        let sources = Sources {
            workspace: Some(file("baton.toml", workspace)),
            user: Some(UserFile { file: file("config.toml", user), folder: "/".into() }),
            editor: Some(editor),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ..Sources::default()
        };
        load(&sources).unwrap()
    }

    /// `value state` of each, weakest layer first.
    fn fates(loaded: &Loaded, key: &str) -> Vec<String> {
        loaded.given(key).iter().map(|given| format!("{} {}", given.value, given.fate.as_str())).collect()
    }

    #[test]
    fn one_value_at_most_is_in_force_and_it_is_the_one_that_is_loaded() {
        let all = loaded(
            "keep_runs = 9\nsandbox = \"require\"\nnotify = \"a\"\n",
            "keep_runs = 7\nmax_repair_rounds = 1\n",
            json!({ "keep_runs": 5, "sandbox": "auto" }),
            &[("BATON_MAX_REPAIR_ROUNDS", "3"), ("BATON_APPROVAL", "auto")],
        );
        assert_eq!(fates(&all, "keep_runs"), ["9 capped", "7 capped", "5 in_force"]);
        assert_eq!(all.settings.keep_runs, 5);
        assert_eq!(fates(&all, "max_repair_rounds"), ["1 overridden", "3 in_force"]);
        assert_eq!(fates(&all, "sandbox"), ["require overridden", "auto in_force"]);
        assert_eq!(fates(&all, "approval"), ["auto in_force"]);
        assert_eq!(fates(&all, "notify"), ["a ignored"]);
        assert_eq!(fates(&all, "bell"), Vec::<String>::new());
        let same = loaded("keep_runs = 7\n", "keep_runs = 7\n", json!({}), &[]);
        assert_eq!(fates(&same, "keep_runs"), ["7 capped", "7 in_force"], "the user's own, where they are the same");
        let raised = loaded("keep_runs = 99\n", "", json!({}), &[]);
        assert_eq!(fates(&raised, "keep_runs"), ["99 capped"], "the default holds");
    }

    #[test]
    fn the_recorded_answers_of_the_demo_stay() {
        let demo = loaded("models.fast = \"demo:recorded\"\n", "models.fast = \"ollama:x\"\n", json!({}), &[]);
        assert_eq!(fates(&demo, "models.fast"), ["demo:recorded in_force", "ollama:x demo"]);
    }
}
