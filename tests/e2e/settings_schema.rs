//! The JSON Schema of settings files: what `baton schema settings` prints is what the editors are given, and the examples of the
//! documents are valid by it.
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::path::Path;

use baton::config::{
    Layer, NOT_SETTINGS, SETTINGS_SCHEMAS, Sources, TomlFile, UserFile, load, settings_schema, settings_table,
};
use expect_test::expect_file;
use serde_json::{Value, json};

use crate::support::editors::in_repository;
use crate::support::session::Session;

#[test]
fn the_schemas_that_editors_have_are_those_of_the_server() {
    let session = Session::new("");
    for (name, layer) in SETTINGS_SCHEMAS {
        let printed = session.baton(["schema", name]).run().expect(0).stdout;
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), settings_schema(layer), "{name}");
        for editor in ["vscode", "neovim"] {
            // To write them anew: UPDATE_EXPECT=1 cargo test --test e2e settings_schema::
            expect_file![in_repository(&format!("editors/{editor}/schemas/{name}.json"))].assert_eq(&printed);
        }
    }
    session.baton(["schema", "setting"]).run().expect(2).reports("settings");
}

#[test]
fn vs_code_names_a_schema_that_is_there_for_each_settings_file() {
    let package = std::fs::read_to_string(in_repository("editors/vscode/package.json")).unwrap();
    let package: Value = serde_json::from_str(&package).unwrap();
    let named = package["contributes"]["tomlValidation"].as_array().unwrap();
    assert_eq!(named.len(), SETTINGS_SCHEMAS.len());
    for (schema, (name, _)) in named.iter().zip(SETTINGS_SCHEMAS) {
        assert_eq!(schema["url"], format!("./schemas/{name}.json"));
        assert!(in_repository(&format!("editors/vscode/schemas/{name}.json")).is_file(), "{name}");
    }
}

/// As the language servers for TOML hand a file to a schema: a date is a text.
fn as_json(value: toml::Value) -> Value {
    match value {
        toml::Value::Datetime(date) => json!(date.to_string()),
        toml::Value::Array(items) => items.into_iter().map(as_json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, as_json(value))).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

#[test]
fn the_examples_of_the_documents_are_valid_and_are_read() {
    let pages =
        ["docs/settings.md", "docs/checks.md"].map(|page| std::fs::read_to_string(in_repository(page)).unwrap());
    let pages = pages.concat();
    let examples: Vec<&str> = pages.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("prompts")).unwrap();
    std::fs::write(folder.path().join("prompts/security.md"), "Look for holes.").unwrap();
    for example in &examples {
        let layer = if example.starts_with("# baton.toml\n") { Layer::Workspace } else { Layer::User };
        let value = as_json(toml::Value::Table(example.parse().unwrap()));
        let schema = jsonschema::validator_for(&settings_schema(layer)).unwrap();
        let faults: Vec<String> = schema.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?} in:\n{example}");
        let loaded = load(&sources(layer, example, folder.path()));
        assert!(loaded.is_ok(), "{}", loaded.unwrap_err());
    }
    assert!(examples.len() >= 3, "{examples:?}");
}

#[test]
fn the_page_of_settings_lists_every_setting_and_every_variable_in_a_table() {
    let page = std::fs::read_to_string(in_repository("docs/settings.md")).unwrap();
    let rows = |after: &str| -> String {
        let rest = page.split_once(after).unwrap().1;
        let rows = rest.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
        rows.take_while(|line| line.starts_with('|')).map(|row| row.split('|').nth(1).unwrap()).collect()
    };
    let settings = rows("# Settings\n");
    for setting in settings_table() {
        assert!(settings.contains(&format!("`{}`", setting.key)), "{} is not in the table of settings", setting.key);
    }
    let variables = rows("\n## Environment\n");
    let of_providers = [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "OPENAI_MODEL",
        "OLLAMA_HOST",
        "OLLAMA_MODEL",
        "OLLAMA_NUM_PARALLEL",
        "HTTPS_PROXY",
        "NO_PROXY",
    ];
    for variable in NOT_SETTINGS.into_iter().chain(of_providers) {
        assert!(variables.contains(&format!("`{variable}`")), "{variable} is not in the table of variables");
    }
}

fn sources(layer: Layer, text: &str, folder: &Path) -> Sources {
    let file = TomlFile { name: "settings.md".to_owned(), text: text.to_owned() };
    match layer {
        Layer::Workspace => Sources { workspace: Some(file), ..Sources::default() },
        _ => Sources { user: Some(UserFile { file, folder: folder.to_owned() }), ..Sources::default() },
    }
}
