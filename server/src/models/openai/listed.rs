//! A model as the server lists it.
//!
//! Source: OpenAI's API reference, "List models": `GET /models` answers `{data: [{id, owned_by}]}`. Others say more of
//! each: OpenRouter `context_length` and `top_provider`, vLLM `max_model_len`, Groq `context_window`, Mistral
//! `max_context_length` and `aliases`, llama.cpp `meta` and `aliases`.

use serde_json::Value;

use super::super::limits::Limits;

/// A model as the server lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) id: String,
    aliases: Vec<String>,
    /// Whose software serves it: `vllm`, `llamacpp`.
    pub(super) owner: String,
    pub(super) limits: Limits,
}

impl Listed {
    pub(super) fn of(entry: &Value) -> Option<Self> {
        let id = entry["id"].as_str()?.to_owned();
        let aliases = entry["aliases"].as_array().map(Vec::as_slice).unwrap_or_default();
        let aliases = aliases.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let owner = entry["owned_by"].as_str().unwrap_or_default().to_owned();
        Some(Self { id, aliases, owner, limits: limits(entry) })
    }

    /// Whether it goes by this name: Google lists `models/…`, OpenRouter serves `…:free` and `…:nitro` too.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let bare = |id: &str| id.strip_prefix("models/").unwrap_or(id).to_owned();
        let variant_of = name.split_once(':').map_or(name, |(model, _)| model);
        let same = |id: &str| bare(id) == bare(name) || (id.contains('/') && id == variant_of);
        same(&self.id) || self.aliases.iter().any(|alias| same(alias))
    }
}

/// What an entry says of what the model takes.
fn limits(entry: &Value) -> Limits {
    let top = &entry["top_provider"];
    let number = |value: &Value| value.as_u64().filter(|tokens| *tokens > 0);
    // A window that a model was trained for is more than what a server may have room for.
    let windows = [&entry["max_model_len"], &entry["meta"]["n_ctx"], &top["context_length"], &entry["context_length"]];
    let others = [&entry["context_window"], &entry["max_context_length"], &entry["meta"]["n_ctx_train"]];
    let outputs = [&top["max_completion_tokens"], &entry["max_completion_tokens"]];
    let max_output = outputs.into_iter().find_map(number).map(|tokens| u32::try_from(tokens).unwrap_or(u32::MAX));
    Limits::of_server(windows.into_iter().chain(others).find_map(number), max_output)
}

/// The entry of a model. Where there is a single one, a small server answers with it to any name.
pub(super) fn entry<'a>(models: &'a [Listed], name: &str) -> Option<&'a Listed> {
    let only = || models.first().filter(|model| models.len() == 1 && model.owner != "vllm");
    models.iter().find(|model| model.is_named(name)).or_else(only)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listed(entry: &Value) -> Listed {
        Listed::of(entry).expect("an entry with a name")
    }

    #[test]
    fn the_window_is_read_wherever_a_server_puts_it() {
        for (entry, window, max_output) in [
            (json!({ "id": "m", "max_model_len": 8192, "owned_by": "vllm" }), Some(8192), None),
            (
                json!({ "id": "m", "context_length": 200_000,
                    "top_provider": { "context_length": 128_000, "max_completion_tokens": 16_384 } }),
                Some(128_000),
                Some(16_384),
            ),
            (
                json!({ "id": "m", "context_length": 200_000, "top_provider": { "context_length": null } }),
                Some(200_000),
                None,
            ),
            (json!({ "id": "m", "context_window": 131_072, "max_completion_tokens": 8192 }), Some(131_072), Some(8192)),
            (json!({ "id": "m", "max_context_length": 32_768 }), Some(32_768), None),
            (json!({ "id": "m", "meta": { "n_ctx": 16_384, "n_ctx_train": 32_768 } }), Some(16_384), None),
            (json!({ "id": "m", "meta": { "n_ctx_train": 32_768 } }), Some(32_768), None),
            (json!({ "id": "m", "context_length": 0, "max_model_len": "8192", "meta": [] }), None, None),
        ] {
            assert_eq!(listed(&entry).limits, Limits::of_server(window, max_output), "{entry}");
        }
    }

    #[test]
    fn a_model_goes_by_its_name_its_aliases_and_its_variants() {
        let model = listed(&json!({ "id": "models/gemini-x", "aliases": ["g-latest"] }));
        assert!(["gemini-x", "models/gemini-x", "g-latest"].iter().all(|name| model.is_named(name)));
        assert!(!model.is_named("gemini") && !model.is_named("gemini-x:free"));
        assert!(listed(&json!({ "id": "qwen/qwen3" })).is_named("qwen/qwen3:free"));
        let (one, vllm) = (
            [listed(&json!({ "id": "a.gguf", "owned_by": "llamacpp" }))],
            [listed(&json!({ "id": "a", "owned_by": "vllm" }))],
        );
        assert!(entry(&one, "qwen").is_some() && entry(&vllm, "qwen").is_none());
    }
}
