//! The VS Code client and the server agree on settings, commands and version. What the client does is tested beside it,
//! in `editors/vscode/tests`.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::editors::in_repository;
use crate::support::lsp_client::LspClient;
use baton::config::{Scope, Setting, settings_table};
use serde_json::{Map, Value, json};

/// The package as VS Code reads it, with the words of package.nls.json.
fn package() -> Value {
    let mut package = json_of("package.json");
    put_words(&mut package, &json_of("package.nls.json"));
    package
}

fn json_of(file: &str) -> Value {
    let text = std::fs::read_to_string(in_repository("editors/vscode").join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// `%commands.plan.title%` becomes what that key says.
fn put_words(value: &mut Value, words: &Value) {
    match value {
        Value::String(text) => {
            if let Some(key) = text.strip_prefix('%').and_then(|rest| rest.strip_suffix('%')) {
                *value = words[key].clone();
                assert!(value.is_string(), "package.nls.json has no such key");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put_words(item, words)),
        Value::Object(fields) => fields.values_mut().for_each(|field| put_words(field, words)),
        _ => {}
    }
}

/// The settings of all groups.
fn properties(package: &Value) -> Map<String, Value> {
    let groups = package["contributes"]["configuration"].as_array().unwrap();
    groups.iter().flat_map(|group| group["properties"].as_object().unwrap().clone()).collect()
}

/// Settings that an editor is not to hold: a workspace's settings must run nothing, start nothing and approve nothing.
const NOT_IN_AN_EDITOR: [&str; 10] = [
    "allow_http_hosts",
    "approval",
    "bell",
    "checks",
    "dispatch",
    "model_facts",
    "notify",
    "phases",
    "provider",
    "sinks",
];

fn editor_settings() -> Vec<&'static Setting> {
    settings_table().iter().filter(|setting| !NOT_IN_AN_EDITOR.contains(&setting.key)).collect()
}

#[test]
fn every_setting_of_the_server_is_documented_in_vs_code_with_its_default() {
    let properties = properties(&package());
    let none = Value::Null;
    for setting in editor_settings() {
        let property = properties.get(&format!("baton.{}", setting.key)).unwrap_or(&none);
        assert!(property.is_object(), "baton.{} is missing in package.json", setting.key);
        let text = property["description"].as_str().or(property["markdownDescription"].as_str()).unwrap();
        assert!(text.starts_with(setting.doc), "baton.{}: {text:?} does not start with {:?}", setting.key, setting.doc);
        let default = match (&property["default"], setting.default) {
            (Value::Null, "none") => continue,
            (Value::String(text), _) => text.clone(),
            (other, _) => other.to_string(),
        };
        assert_eq!(default, setting.default, "baton.{}", setting.key);
        assert_ne!(setting.scope, Scope::Start, "{} belongs to one start", setting.key);
    }
}

#[test]
fn vs_code_sends_the_settings_that_the_server_has_and_no_others() {
    let source = std::fs::read_to_string(in_repository("editors/vscode/src/settings.ts")).unwrap();
    let sent = strings_of(&source, "serverSettings");
    let known: BTreeSet<String> = editor_settings().iter().map(|setting| setting.key.to_owned()).collect();
    assert_eq!(sent, known);
}

#[test]
fn vs_code_knows_the_commands_that_the_server_advertises() {
    let source = std::fs::read_to_string(in_repository("editors/vscode/src/serverCommands.ts")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
    command.arg("lsp");
    let mut client = LspClient::start(&mut command, &in_repository(""));
    let capabilities = client.initialize(json!({ "processId": null, "rootUri": null, "capabilities": {} }));
    let commands = capabilities["executeCommandProvider"]["commands"].as_array().unwrap();
    let advertised: BTreeSet<String> = commands.iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert_eq!(strings_of(&source, "serverCommands"), advertised);
    assert_eq!(client.quit(), Some(0));
    // The client registers the server's ids as commands of its own: another command of that id would be refused.
    let package = package();
    for contributed in package["contributes"]["commands"].as_array().unwrap() {
        let id = contributed["command"].as_str().unwrap();
        assert!(!advertised.contains(id), "{id} is one of the server's");
    }
}

#[test]
fn no_workspace_chooses_a_program_an_address_or_an_account() {
    let package = package();
    let properties = properties(&package);
    let known: Vec<String> = editor_settings().iter().map(|setting| format!("baton.{}", setting.key)).collect();
    // A switch of what is shown names no program, no address and no account: a workspace may have its own.
    let shown = |key: &String| ["baton.hunkLenses"].contains(&key.as_str());
    for (key, property) in properties.iter().filter(|(key, _)| !known.contains(key) && !shown(key)) {
        let scope = property["scope"].as_str().unwrap_or("window");
        assert!(["machine", "application"].contains(&scope), "{key} has the scope {scope}");
    }
    assert_eq!(package["capabilities"]["untrustedWorkspaces"]["supported"], false);
}

#[test]
fn the_client_has_the_version_of_the_server() {
    assert_eq!(package()["version"], env!("CARGO_PKG_VERSION"));
}

/// The strings of the array `const name = [ … ]` in a TypeScript source.
fn strings_of(source: &str, name: &str) -> BTreeSet<String> {
    let array = source.split_once(&format!("export const {name} = [")).and_then(|(_, rest)| rest.split_once(']'));
    let Some((array, _)) = array else { panic!("no {name}") };
    array.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}
