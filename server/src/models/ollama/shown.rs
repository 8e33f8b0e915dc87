//! What Ollama shows of a model.
//!
//! Source: Ollama's API reference, "Show model information": `POST /api/show` answers `{model_info: {"general.architecture",
//! "<architecture>.context_length"}, capabilities: ["tools", "thinking"], details: {family}, thinking: {values}}`. Older
//! versions have no `capabilities`, and only new ones `thinking`.

use serde_json::{Value, json};

use super::super::effort::Effort;

/// What is known of a model from `/api/show`; nothing of one that it does not show.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shown {
    /// The longest context it was made for, in tokens.
    pub(super) context: Option<u64>,
    /// What it can do; `None` where that is not said.
    capabilities: Option<Vec<String>>,
    /// What `think` may be, where that is said.
    thinking: Vec<Value>,
    /// Whether its thinking has levels.
    has_levels: bool,
}

/// More than any model has.
const LONGEST_CONTEXT: u64 = 1 << 32;

impl Shown {
    /// What an answer says of the model of this name.
    pub(super) fn of(name: &str, answer: &Value) -> Self {
        let texts = |list: &Value| -> Option<Vec<String>> {
            Some(list.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        };
        let family = answer["details"]["family"].as_str().unwrap_or_default();
        Self {
            context: context(&answer["model_info"]),
            capabilities: texts(&answer["capabilities"]),
            thinking: answer["thinking"]["values"].as_array().cloned().unwrap_or_default(),
            // Its models think at one of three levels, and cannot be told not to.
            has_levels: matches!(family, "gptoss" | "gpt-oss")
                || name.rsplit('/').next().unwrap_or(name).starts_with("gpt-oss"),
        }
    }

    /// Whether it is known to call no tools.
    pub(super) fn lacks_tools(&self) -> bool {
        self.capabilities.as_ref().is_some_and(|has| !has.iter().any(|one| one == "tools"))
    }

    /// What `think` says for an effort; `None` where it is left out. A model that can only be told whether to think does so
    /// from medium effort on.
    pub(super) fn think(&self, effort: Option<Effort>) -> Option<Value> {
        let effort = effort?;
        if !self.capabilities.as_ref()?.iter().any(|one| one == "thinking") {
            return None;
        }
        let level = json!(effort.as_str());
        if self.has_levels || self.thinking.contains(&level) {
            return Some(level);
        }
        let switch = json!(effort != Effort::Low);
        (self.thinking.is_empty() || self.thinking.contains(&switch)).then_some(switch)
    }
}

fn context(info: &Value) -> Option<u64> {
    let named =
        info["general.architecture"].as_str().map(|architecture| &info[format!("{architecture}.context_length")]);
    let any = || info.as_object()?.iter().find_map(|(key, value)| key.ends_with(".context_length").then_some(value));
    let length = named.filter(|length| !length.is_null()).or_else(any)?;
    length.as_u64().filter(|length| (1..=LONGEST_CONTEXT).contains(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_limit_is_that_of_its_architecture() {
        let limit = |info: Value| Shown::of("m", &json!({ "model_info": info })).context;
        assert_eq!(limit(json!({ "general.architecture": "qwen3", "qwen3.context_length": 40960 })), Some(40960));
        let two = json!({ "general.architecture": "a", "b.context_length": 1, "a.context_length": 2 });
        assert_eq!(limit(two), Some(2));
        assert_eq!(limit(json!({ "llama.context_length": 8192 })), Some(8192));
        for info in [json!(null), json!({}), json!({ "a.context_length": "many" }), json!({ "a.context_length": 0 })] {
            assert_eq!(limit(info), None);
        }
    }

    #[test]
    fn thinking_is_asked_for_in_the_words_that_the_model_has() {
        let think = |name: &str, answer: Value| {
            let shown = Shown::of(name, &answer);
            [Effort::Low, Effort::Medium, Effort::High].map(|effort| shown.think(Some(effort)).unwrap_or_default())
        };
        let thinks = json!(["completion", "tools", "thinking"]);
        let switched = [json!(false), json!(true), json!(true)];
        let levels = ["low", "medium", "high"].map(Value::from);
        assert_eq!(think("qwen3", json!({ "capabilities": thinks })), switched);
        assert_eq!(think("gpt-oss:20b", json!({ "capabilities": thinks })), levels);
        assert_eq!(think("mine", json!({ "capabilities": thinks, "details": { "family": "gptoss" } })), levels);
        let values = json!({ "capabilities": thinks, "thinking": { "values": ["low", "high", true] } });
        assert_eq!(think("new", values), [json!("low"), json!(true), json!("high")]);
        let nothing = [Value::Null, Value::Null, Value::Null];
        assert_eq!(think("always", json!({ "capabilities": thinks, "thinking": { "values": ["max"] } })), nothing);
        assert_eq!(think("llama3", json!({ "capabilities": ["tools"] })), nothing);
        assert_eq!(think("old", json!({})), nothing);
        assert_eq!(Shown::of("qwen3", &json!({ "capabilities": thinks })).think(None), None);
    }

    #[test]
    fn a_model_lacks_tools_only_where_that_is_said() {
        let lacks = |capabilities: Value| Shown::of("m", &json!({ "capabilities": capabilities })).lacks_tools();
        assert!(lacks(json!(["completion"])));
        assert!(!lacks(json!(["completion", "tools"])) && !lacks(Value::Null));
    }
}
