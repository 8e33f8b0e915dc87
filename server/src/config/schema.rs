//! The JSON Schema of settings files, made from the table, for completion and faults in editors.
//!
//! What it refuses, [`load`](super::load) refuses too, or ignores with a warning. The other way round a few things are beyond a schema: names given twice,
//! what a prompt's file holds, a number such as `2.0`, which a schema takes for a whole one, and a date, which it takes for a text.

use serde_json::{Map, Value, json};

use super::checks;
use super::dispatch;
use super::facts;
use super::hosts;
use super::kind::{Kind, PROVIDERS};
use super::phases;
use super::sinks;
use super::sources::{Layer, USER_FILE, WORKSPACE_FILE};
use super::table::{Scope, Setting, settings_table};
use crate::contracts::MAX_COMMAND_BYTES;

/// The names by which the schemas are asked for, each with the layer of its file.
pub const SETTINGS_SCHEMAS: [(&str, Layer); 2] = [("settings", Layer::Workspace), ("user-settings", Layer::User)];

/// The JSON Schema (draft 2020-12) of this layer's file: the workspace's, else the user's own. Unknown keys are refused, and so is
/// what the layer may not set.
pub fn settings_schema(layer: Layer) -> Value {
    let file = if layer == Layer::Workspace { WORKSPACE_FILE } else { USER_FILE };
    let mut properties = Map::new();
    for setting in settings_table().iter().filter(|setting| is_of_file(setting, layer)) {
        let schema = setting_schema(setting, layer);
        match setting.key.split_once('.') {
            None => {
                properties.insert(setting.key.to_owned(), schema);
            }
            Some((table, key)) => {
                let table = properties
                    .entry(table)
                    .or_insert_with(|| json!({ "type": "object", "additionalProperties": false, "properties": {} }));
                table["properties"][key] = schema;
            }
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Baton: {file}"),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Whether the file of this layer may hold the setting.
fn is_of_file(setting: &Setting, layer: Layer) -> bool {
    match setting.scope {
        Scope::Start => false,
        Scope::UserFile | Scope::Users | Scope::OwnMachine { .. } => layer.is_users(),
        Scope::All | Scope::UserFor(_) | Scope::Lowers | Scope::Files => true,
    }
}

fn setting_schema(setting: &Setting, layer: Layer) -> Value {
    let mut schema = kind_schema(setting, layer);
    let hint = match setting.scope {
        Scope::Lowers if !layer.is_users() => " A workspace may lower this limit, not raise it.".to_owned(),
        Scope::UserFor(value) if !layer.is_users() => format!(" Only your own {USER_FILE} may set {value}."),
        _ => String::new(),
    };
    schema["description"] = json!(format!("{}{hint}", setting.doc));
    if let Some(default) = default(setting) {
        schema["default"] = default;
    }
    schema
}

fn kind_schema(setting: &Setting, layer: Layer) -> Value {
    match &setting.kind {
        Kind::Whole { min, max, .. } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Number { .. } => json!({ "type": "number", "minimum": 0 }),
        Kind::Limit { .. } => json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "none" }] }),
        Kind::Word { words, .. } => {
            let is_allowed = |word: &&&str| match setting.scope {
                Scope::UserFor(value) => layer.is_users() || **word != value,
                _ => true,
            };
            json!({ "type": "string", "enum": words.iter().filter(is_allowed).collect::<Vec<_>>() })
        }
        Kind::Model { .. } => json!({
            "type": "string",
            "pattern": format!("^(none|({}):[^\\s\\u0000-\\u001f\\u007f-\\u009f]+)$", PROVIDERS.join("|")),
        }),
        // Inside the workspace, and not in git's folder.
        Kind::Folder { .. } => json!({
            "type": "string",
            "minLength": 1,
            "pattern": r"^(?![/\\~])(?!([^/]*/)*(\.\.|\.[gG][iI][tT])(/|$))",
        }),
        Kind::Command { .. } => json!({ "type": "string", "pattern": "\\S", "maxLength": MAX_COMMAND_BYTES }),
        Kind::Hosts { .. } => hosts::schema(),
        Kind::Checks { .. } => checks::schema(),
        Kind::Phases { .. } => phases::schema(),
        Kind::Sinks { .. } => sinks::schema(),
        Kind::Dispatch { .. } => dispatch::schema(),
        Kind::Facts { .. } => facts::schema(),
    }
}

/// The default as a value; `None` for a list, which is empty where nobody sets it.
fn default(setting: &Setting) -> Option<Value> {
    match setting.kind {
        Kind::Whole { .. } | Kind::Number { .. } => serde_json::from_str(setting.default).ok(),
        Kind::Limit { .. } | Kind::Word { .. } | Kind::Model { .. } | Kind::Folder { .. } | Kind::Dispatch { .. } => {
            Some(json!(setting.default))
        }
        Kind::Command { .. }
        | Kind::Hosts { .. }
        | Kind::Checks { .. }
        | Kind::Phases { .. }
        | Kind::Sinks { .. }
        | Kind::Facts { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::Value as Toml;

    use super::super::load::load;
    use super::super::sources::{Sources, TomlFile, UserFile};
    use super::*;

    /// As the language servers for TOML hand a file to a schema: a date is a text.
    fn as_json(value: Toml) -> Value {
        match value {
            Toml::Datetime(date) => json!(date.to_string()),
            Toml::Array(items) => items.into_iter().map(as_json).collect(),
            Toml::Table(table) => table.into_iter().map(|(key, value)| (key, as_json(value))).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }

    fn is_valid(layer: Layer, text: &str) -> bool {
        let value = as_json(Toml::Table(text.parse().unwrap()));
        jsonschema::validator_for(&settings_schema(layer)).unwrap().is_valid(&value)
    }

    fn is_loaded(layer: Layer, text: &str, folder: &Path) -> Result<(), String> {
        let file = TomlFile { name: "f.toml".to_owned(), text: text.to_owned() };
        let sources = match layer {
            Layer::Workspace => Sources { workspace: Some(file), ..Sources::default() },
            _ => Sources { user: Some(UserFile { file, folder: folder.to_owned() }), ..Sources::default() },
        };
        load(&sources).map(|_| ()).map_err(|errors| errors.to_string())
    }

    /// Texts of a file, and whether the workspace's and the user's may hold them.
    const CASES: &[(&str, bool, bool)] = &[
        ("", true, true),
        ("max_parallel_tasks = 64", true, true),
        ("max_parallel_tasks = 65", false, false),
        ("max_parallel_tasks = 0", false, false),
        ("max_parallel_tasks = 2.5", false, false),
        ("max_parallel_tasks = \"2\"", false, false),
        ("keep_runs = 4294967295", true, true),
        ("keep_runs = 4294967296", false, false),
        ("max_repair_rounds = 0", true, true),
        ("max_repair_rounds = -1", false, false),
        ("context_staleness_hours = 0.5", true, true),
        ("context_staleness_hours = -0.5", false, false),
        ("budget_usd = inf", false, false),
        ("budget_usd = 0", true, true),
        ("budget_tokens = 1", true, true),
        ("budget_tokens = \"none\"", true, true),
        ("budget_tokens = 0", false, false),
        ("budget_tokens = \"many\"", false, false),
        ("approval = \"ask\"", true, true),
        ("approval = \"auto\"", false, true),
        ("approval = \"aut\"", false, false),
        ("sandbox = \"require\"", true, true),
        ("sandbox = \"off\"", false, true),
        ("checkpoint = true", false, false),
        ("review_validation = \"off\"", true, true),
        ("effort.fast = \"high\"", true, true),
        ("effort.powerful = \"max\"", false, false),
        ("effort.quick = \"low\"", false, false),
        ("effort = \"low\"", false, false),
        ("models.fast = \"ollama:qwen2.5-coder:7b\"", true, true),
        ("models.fast = \"none\"", true, true),
        ("models.fast = \"gemini:x\"", false, false),
        ("models.fast = \"claude\"", false, false),
        ("models.fast = \"openai:\"", false, false),
        ("models.fast = \"openai:a b\"", false, false),
        ("[models]\nquick = \"openai:a\"", false, false),
        ("models = []", false, false),
        ("memory_dir = \".baton/memory\"", true, true),
        ("memory_dir = \"a/b\"", true, true),
        ("memory_dir = \"\"", false, false),
        ("memory_dir = \"../x\"", false, false),
        ("memory_dir = \"a/../../x\"", false, false),
        ("memory_dir = \"/x\"", false, false),
        ("memory_dir = \"sub/.GIT/x\"", false, false),
        ("memory_dir = \".github\"", true, true),
        ("memory_dir = 7", false, false),
        ("provider = \"openai\"", false, false),
        ("colour = 1", false, false),
        ("base_url = \"https://x\"", false, false),
        ("allow_http_hosts = [\"gpu.lan\", \"10.0.0.7:8080\"]", false, true),
        ("allow_http_hosts = [\"http://gpu.lan\"]", false, false),
        ("allow_http_hosts = \"gpu.lan\"", false, false),
        ("checks = []", true, true),
        ("[[checks]]\nname = \"a\"\ncommand = \"a\"", true, true),
        (
            "[[checks]]\nname = \"a\"\ncommand = \"a\"\ntimeout_s = 1\nnetwork = true\ntry = false\nsecrets = false\n\
             paths = [\"*.rs\"]",
            true,
            true,
        ),
        ("[[checks]]\nname = \"a\"", false, false),
        ("[[checks]]\nname = \" \"\ncommand = \"a\"", false, false),
        ("[[checks]]\nname = \"a\"\ncommand = \"a\"\ncomand = \"a\"", false, false),
        ("[[checks]]\nname = \"a\"\ncommand = \"a\"\ntimeout_s = 604801", false, false),
        ("[[checks]]\nname = \"a\"\ncommand = \"a\"\nnetwork = \"true\"", false, false),
        ("[[checks]]\nname = \"a\"\ncommand = \"a\"\npaths = \"*.rs\"", false, false),
        ("[[checks]]\nname = \"a\"\ncommand = [\"a\"]", false, false),
        ("checks = [\"cargo test\"]", false, false),
        ("[checks]\ntest = \"cargo test\"", false, false),
        ("[[phases]]\nname = \"security\"\nafter = \"implement\"\nprompt = \"p.md\"", false, true),
        ("[[phases]]\nname = \"Security\"\nafter = \"implement\"\nprompt = \"p.md\"", false, false),
        ("[[phases]]\nname = \"review\"\nafter = \"implement\"\nprompt = \"p.md\"", false, false),
        ("[[phases]]\nname = \"s\"\nafter = \"implement\"\nprompt = \"p.md\"\ntier = \"quick\"", false, false),
        ("[[phases]]\nname = \"s\"\nafter = \"implement\"", false, false),
        ("[[phases]]\nname = \"s\"\nafter = \"implement\"\nprompt = \"p.md\"\ncommand = \"x\"", false, false),
        ("[[model_facts]]\nname = \"a\"\nwindow = 32768\nas_of = 2026-11-27", false, true),
        ("[[model_facts]]\nname = \"a\"\ninput = 0.1\noutput = 1\ncache_read = 0\nas_of = \"2026-11\"", false, true),
        ("[[model_facts]]\nname = \"a\"\nmax_output = 1", false, true),
        ("[[model_facts]]\nname = \"a\"", false, false),
        ("[[model_facts]]\nname = \"a\"\nas_of = \"2026\"", false, false),
        ("[[model_facts]]\nname = \"a\"\ninput = 1", false, false),
        ("[[model_facts]]\nname = \"a\"\nwindow = 1\ncache_read = 1", false, false),
        ("[[model_facts]]\nname = \"a\"\ninput = -1\noutput = 1", false, false),
        ("[[model_facts]]\nname = \"a\"\ninput = nan\noutput = 1", false, false),
        ("[[model_facts]]\nname = \"a b\"\nwindow = 1", false, false),
        ("[[model_facts]]\nname = \"a\"\nwindow = 0", false, false),
        ("[[model_facts]]\nname = \"a\"\nwindow = 1\nas_of = \"soon\"", false, false),
        ("[[sinks]]\nurl = \"https://events.example.org/x\"", false, true),
        ("[[sinks]]\nurl = \"exec: forward --all\"", false, true),
        ("[[sinks]]\nurl = \"amqp://x\"", false, false),
        ("[[sinks]]\nurl = \"exec:\"", false, false),
        ("[[sinks]]\nurl = 1", false, false),
        ("[[sinks]]\nurl = \"exec:a\"\ntoken = \"x\"", false, false),
        ("[[sinks]]\nkind = \"exec\"", false, false),
        ("sinks = \"exec:a\"", false, false),
        ("sinks = []", false, true),
        ("dispatch = \"nats://127.0.0.1:4222\"", false, true),
        ("dispatch = \"tls://me:x@bus.example.org/?tag=gpu\"", false, true),
        ("dispatch = \"none\"", false, true),
        ("dispatch = \"\"", false, false),
        ("dispatch = \"http://127.0.0.1\"", false, false),
        ("dispatch = \"nats:127.0.0.1\"", false, false),
        ("dispatch = \"nats://127.0.0.1/x\"", false, false),
        ("dispatch = \"nats://127.0.0.1?tag=GPU\"", false, false),
        ("dispatch = \"nats://127.0.0.1?tags=a\"", false, false),
        ("dispatch = [\"nats://127.0.0.1\"]", false, false),
        ("[[model_facts]]\nwindow = 1", false, false),
        ("[[model_facts]]\nname = \"a\"\nwindw = 1", false, false),
    ];

    #[test]
    fn the_schema_refuses_what_is_refused_when_it_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("p.md"), "Look for holes.").unwrap();
        for (text, of_workspace, of_user) in CASES {
            for (layer, expected) in [(Layer::Workspace, of_workspace), (Layer::User, of_user)] {
                let loaded = is_loaded(layer, text, folder.path());
                assert_eq!(loaded.is_ok(), *expected, "{layer:?} is read otherwise: {text}\n{loaded:?}");
                assert_eq!(is_valid(layer, text), *expected, "the schema of {layer:?} differs: {text}");
            }
        }
    }

    #[test]
    fn every_setting_of_a_file_is_described_and_the_schema_is_one() {
        for (_, layer) in SETTINGS_SCHEMAS {
            let schema = settings_schema(layer);
            assert!(jsonschema::meta::is_valid(&schema));
            for setting in settings_table() {
                let found = schema.pointer(&format!("/properties/{}", setting.key.replace('.', "/properties/")));
                assert_eq!(found.is_some(), is_of_file(setting, layer), "{}", setting.key);
                let Some(found) = found else { continue };
                assert!(
                    found["description"].as_str().is_some_and(|text| text.starts_with(setting.doc)),
                    "{}",
                    setting.key
                );
            }
            assert_eq!(schema["properties"]["keep_runs"]["default"], 20);
            assert_eq!(schema["properties"]["effort"]["properties"]["fast"]["default"], "low");
        }
    }

    #[test]
    fn tables_in_lists_have_the_fields_that_are_read() {
        let fields = |schema: &Value| -> Vec<String> {
            schema["items"]["properties"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(fields(&checks::schema()), checks::FIELDS);
        assert_eq!(fields(&phases::schema()), phases::FIELDS);
        assert_eq!(fields(&facts::schema()), facts::FIELDS);
        assert_eq!(fields(&sinks::schema()), sinks::FIELDS);
    }
}
