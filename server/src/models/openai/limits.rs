//! What a model takes in one request: what the user says, then the server, then a table.

use serde_json::Value;

use super::super::limits::Limits;
use super::client::OpenAiClient;
use super::listed::{Listed, entry};

/// What is asked for, in messages.
const WHAT: &str = "the size of its window";

/// A family of models by the beginning of its name, and what each of it takes.
struct Known {
    /// Matched in order.
    prefix: &'static str,
    /// Who serves it by this name; nobody else is believed to know better.
    host: &'static str,
    window: u64,
    max_output: u32,
}

const OPENAI: &str = "api.openai.com";
const GOOGLE: &str = "generativelanguage.googleapis.com";
const DEEPSEEK: &str = "api.deepseek.com";

/// Well-known models, as of 2026-11. Source: the makers' pages of models (OpenAI "Compare models"; Google "Gemini models";
/// DeepSeek "Models & Pricing").
const KNOWN: &[Known] = &[
    known("gpt-6", OPENAI, 1_050_000, 128_000),
    known("gpt-5.6", OPENAI, 1_050_000, 128_000),
    known("gpt-5.5", OPENAI, 1_050_000, 128_000),
    known("gpt-5-mini", OPENAI, 400_000, 128_000),
    known("gpt-5.2", OPENAI, 400_000, 128_000),
    known("gpt-4o", OPENAI, 128_000, 16_384),
    known("gemini-2.5-pro", GOOGLE, 1_048_576, 65_535),
    known("gemini-2.5-flash", GOOGLE, 1_048_576, 65_535),
    known("deepseek-v4-flash", DEEPSEEK, 1_000_000, 384_000),
    known("deepseek-v4-pro", DEEPSEEK, 1_000_000, 384_000),
];

const fn known(prefix: &'static str, host: &'static str, window: u64, max_output: u32) -> Known {
    Known { prefix, host, window, max_output }
}

impl OpenAiClient {
    /// What a model takes, by its id (`openai:name`) and its name.
    pub(super) async fn limits(&self, id: &str, name: &str) -> Limits {
        let own = self.catalog.limits(id, Limits::default());
        if own.window.is_some() && own.max_output.is_some() {
            return own;
        }
        let listed = table(name);
        let is_makers = listed.is_some_and(|known| known.host == self.host());
        let table = listed.map(Known::limits).unwrap_or_default();
        if is_makers || own.window.is_some() {
            return own.or(table);
        }
        own.or(self.asked(name).await).or(table)
    }

    /// What the server says, where it says something.
    async fn asked(&self, name: &str) -> Limits {
        let listed = self.list().await.as_ref().ok().and_then(Option::as_ref);
        let entry: Option<&Listed> = listed.and_then(|models| entry(models, name));
        let is_llama = entry.is_some_and(|entry| entry.owner == "llamacpp");
        let told = entry.map(|entry| entry.limits).unwrap_or_default();
        if is_llama {
            // What is listed is shared between the conversations that it may hold at once.
            return self.props().await.or(told);
        }
        // Nobody who lists models without their windows has one beside the list but LM Studio.
        if told.window.is_none() && entry.is_some() && self.is_local_kind(entry) {
            self.lm_studio(name).await
        } else {
            told
        }
    }

    /// LM Studio lists models without saying whose they are.
    fn is_local_kind(&self, entry: Option<&Listed>) -> bool {
        !self.is_own() && entry.is_some_and(|entry| entry.owner == "organization_owner")
    }

    /// llama.cpp's server, "GET /props": the room of one conversation.
    async fn props(&self) -> Limits {
        let answer = self.server.ask(self.url_beside(&["props"]), None, WHAT).await;
        let window = answer.ok().flatten().and_then(|props| tokens(&props["default_generation_settings"]["n_ctx"]));
        Limits::of_server(window, None)
    }

    /// LM Studio's "REST API v0": the window with which a model was loaded, or could be.
    async fn lm_studio(&self, name: &str) -> Limits {
        let answer = self.server.ask(self.url_beside(&["api", "v0", "models"]), None, WHAT).await;
        let answer = answer.ok().flatten().unwrap_or_default();
        let models = answer["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let model = models.iter().find(|model| model["id"] == name);
        let windows = model.map(|model| [&model["loaded_context_length"], &model["max_context_length"]]);
        Limits::of_server(windows.and_then(|windows| windows.into_iter().find_map(tokens)), None)
    }
}

impl Known {
    fn limits(&self) -> Limits {
        Limits::of_table(self.window, self.max_output)
    }
}

/// What the table knows of a model, whoever serves it: gateways put the maker before its name.
fn table(name: &str) -> Option<&'static Known> {
    let name = name.rsplit('/').next().unwrap_or_default();
    KNOWN.iter().find(|known| {
        let rest = name.strip_prefix(known.prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.', '@', ':']))
    })
}

fn tokens(value: &Value) -> Option<u64> {
    value.as_u64().filter(|tokens| *tokens > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_knows_families_by_their_names() {
        for (name, window) in [
            ("gpt-6-sol", Some(1_050_000)),
            ("gpt-6.2-astra", Some(1_050_000)),
            ("openai/gpt-4o-mini", Some(128_000)),
            ("deepseek-v4-pro", Some(1_000_000)),
            ("gpt-60", None),
            ("my-gpt-6", None),
            ("qwen", None),
            ("", None),
        ] {
            assert_eq!(table(name).map(|known| known.window), window, "{name}");
        }
    }
}
