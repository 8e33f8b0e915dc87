//! `baton config`: each setting, its value and where that comes from.

use serde_json::{Value, json};

use super::args::ConfigArgs;
use super::failure::Failure;
use super::output::{columns, print, row, warn};
use super::session::Start;
use crate::config::{
    self, Fate, Given, Layer, Loaded, Location, Scope, Setting, USER_FILE, WORKSPACE_FILE, near_settings,
    settings_table,
};
use crate::text;
use crate::workflow::{setting_without_secrets, shown_setting};

/// Columns of the longest key.
const KEY_WIDTH: usize = 24;

/// Print all settings, or those that were named.
pub(super) fn config(start: &Start<'_>, args: &ConfigArgs) -> Result<u8, Failure> {
    let chosen = chosen(args.key.as_deref())?;
    let folder = start.folder()?;
    let loaded = config::load_from_disk(&folder, config::environment(), args.models.overrides())
        .map_err(|errors| Failure::usage(errors.to_string()))?;
    // What a layer may not set is told at its setting.
    let is_told = |warning: &String| loaded.raised.iter().any(|raised| raised.to_string() == *warning);
    warn(&loaded.warnings.iter().filter(|warning| !is_told(warning)).cloned().collect::<Vec<_>>());
    let text = if args.json {
        let settings: Vec<Value> = chosen.iter().map(|setting| setting_json(setting, &loaded)).collect();
        let json = serde_json::to_string_pretty(&json!({ "settings": settings }));
        text::safe_json(&json.map_err(|error| Failure::failed(error.to_string()))?)
    } else if let [one] = chosen.as_slice() {
        detail(one, &loaded, columns()).join("\n")
    } else {
        list(&chosen, &loaded, columns()).join("\n")
    };
    print(&text)?;
    Ok(0)
}

/// All settings; those of a table such as `models`; or one, which may also be named by its variable.
fn chosen(named: Option<&str>) -> Result<Vec<&'static Setting>, Failure> {
    let Some(named) = named.map(str::trim) else { return Ok(settings_table().iter().collect()) };
    let is_meant = |setting: &&Setting| {
        let below = setting.key.strip_prefix(named).is_some_and(|rest| rest.starts_with('.'));
        setting.key == named || below || setting.variable() == named
    };
    let found: Vec<&Setting> = settings_table().iter().filter(is_meant).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let near = match near_settings(named).as_slice() {
        [] => ";".to_owned(),
        near => format!("; did you mean {}?", near.join(" or ")),
    };
    let named = text::short_line(named, 60);
    Err(Failure::usage(format!("{named} is not a setting{near} `baton config` lists all")))
}

/// Every setting in a line, and below it what was given and does not hold.
fn list(settings: &[&Setting], loaded: &Loaded, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for setting in settings {
        lines.push(setting_line(setting.key, &shown_setting(loaded, setting.key), &whence(setting, loaded), columns));
        let beside = loaded.given(setting.key).iter().filter(|given| given.fate != Fate::InForce).rev();
        lines.extend(beside.map(|given| below(&fate_words(given, loaded, setting), columns)));
    }
    lines.push(String::new());
    lines.push(text::paragraph("", &where_to_set(), columns));
    lines.push(text::paragraph("", "`baton config KEY` tells what a setting means and what it takes.", columns));
    lines
}

/// A setting in a line: its key, its value, and where that is from.
pub(super) fn setting_line(key: &str, value: &str, from: &str, columns: usize) -> String {
    let value = format!("{value} ({from})");
    match columns < 2 * KEY_WIDTH {
        // What is wrapped hangs below its key.
        true => text::paragraph("    ", &format!("{key}: {value}"), columns).split_off(2),
        false => row(&format!("  {key:<KEY_WIDTH$} "), &value, columns),
    }
}

/// What stands below the value.
fn below(words: &str, columns: usize) -> String {
    match columns < 2 * KEY_WIDTH {
        true => text::paragraph("    ", words, columns),
        false => row(&format!("  {:<KEY_WIDTH$} ", ""), words, columns).trim_start_matches('\n').to_owned(),
    }
}

/// All there is to say of one setting.
fn detail(setting: &Setting, loaded: &Loaded, columns: usize) -> Vec<String> {
    let line = |head: &str, words: &str| row(&format!("{head:<9} "), words, columns);
    let value = format!("{} ({})", shown_setting(loaded, setting.key), whence(setting, loaded));
    let mut lines = vec![text::paragraph("", &format!("{}: {value}", setting.key), columns)];
    let holds = loaded.given(setting.key).iter().find(|given| given.fate == Fate::InForce);
    for part in holds.and_then(|given| given.whole.as_array()).into_iter().flatten().filter(|part| part.is_object()) {
        lines.push(text::paragraph("  - ", &setting_without_secrets(&part_words(part)), columns));
    }
    for given in loaded.given(setting.key).iter().rev().filter(|given| given.fate != Fate::InForce) {
        lines.push(text::paragraph("  ", &fate_words(given, loaded, setting), columns));
    }
    lines.push(String::new());
    lines.push(text::paragraph("", setting.doc, columns));
    lines.push(line("takes", &setting.allowed()));
    lines.push(line("default", setting.default));
    lines.push(line("set it in", &may_set(setting)));
    lines
}

/// One of several parts, such as a check: its name, then the rest.
fn part_words(part: &Value) -> String {
    let name = part["name"].as_str().unwrap_or_default();
    let fields = part.as_object().into_iter().flatten().filter(|(field, _)| *field != "name");
    let words = fields.map(|(field, value)| format!("{field} = {value}"));
    format!("{name}: {}", words.collect::<Vec<_>>().join(", "))
}

/// A value that a layer gives, on one line.
fn given_words(given: &Given) -> String {
    const WIDEST: usize = 100;
    given
        .whole
        .as_str()
        .map_or_else(|| given.value.clone(), |whole| text::short_line(&setting_without_secrets(whole), WIDEST))
}

fn whence(setting: &Setting, loaded: &Loaded) -> String {
    let origin = loaded.origin(setting.key);
    match origin.layer {
        Layer::Default => "default".to_owned(),
        _ => text::safe_line(&origin.place.to_string()),
    }
}

/// What became of a value that does not hold.
fn fate_words(given: &Given, loaded: &Loaded, setting: &Setting) -> String {
    let value = format!("{} ({})", given_words(given), text::safe_line(&given.origin.place.to_string()));
    match given.fate {
        Fate::InForce => value,
        Fate::Overridden => format!("overrides {value}"),
        Fate::Ignored => format!("not {value}: only you decide this, in your own {USER_FILE}"),
        Fate::Demo => format!("not {value}: the demo's recorded answers stay"),
        Fate::Capped => {
            let is_yours = given.origin.layer.is_users()
                || loaded
                    .given(setting.key)
                    .iter()
                    .any(|other| other.origin.layer == Layer::User && other.fate != Fate::Ignored);
            let other = if is_yours { "yours" } else { "the default" };
            format!("not {value}: the smaller of the workspace's value and {other} holds")
        }
    }
}

/// Who may set a setting.
fn may_set(setting: &Setting) -> String {
    let (own, variable) = (user_file(), setting.variable());
    match setting.scope {
        Scope::All => format!("{WORKSPACE_FILE}, {own}, an editor's settings, or {variable}"),
        Scope::UserFor(value) => {
            format!(
                "{WORKSPACE_FILE}, {own}, an editor's settings, or {variable}; {value} only in your own file or variable"
            )
        }
        Scope::Lowers => {
            format!("{own}, or {variable}; {WORKSPACE_FILE} and an editor's settings may lower it, and not raise it")
        }
        Scope::UserFile | Scope::OwnMachine { environment: false } => format!("{own} alone"),
        Scope::Users | Scope::OwnMachine { environment: true } => format!("{own}, or {variable}"),
        Scope::Files => format!("{WORKSPACE_FILE}, {own}, or an editor's settings"),
        Scope::Start => format!("--{} of one command, or {variable}", setting.key),
    }
}

fn where_to_set() -> String {
    format!(
        "Set them in {WORKSPACE_FILE}, in {}, or by BATON_… variables: the later of these overrides. What an editor sets \
         holds in that editor alone.",
        user_file()
    )
}

fn user_file() -> String {
    config::user_config_file().map_or_else(|| USER_FILE.to_owned(), |path| text::safe_line(&path.display().to_string()))
}

fn setting_json(setting: &Setting, loaded: &Loaded) -> Value {
    let origin = loaded.origin(setting.key);
    let given = loaded.given(setting.key);
    let holds = given.iter().find(|given| given.fate == Fate::InForce);
    let from = match origin.layer {
        Layer::Default => json!({ "layer": "default" }),
        layer => place_json(layer, &origin.place),
    };
    let one = |given: &Given| {
        let mut one = json!({ "value": shown_json(given.whole.clone()), "state": given.fate.as_str() });
        one["from"] = place_json(given.origin.layer, &given.origin.place);
        one
    };
    json!({
        "key": setting.key,
        "value": holds.map_or_else(|| default_json(setting), |given| shown_json(given.whole.clone())),
        "from": from,
        "default": default_json(setting),
        "meaning": setting.doc,
        "takes": setting.allowed(),
        "variable": setting.variable(),
        "given": given.iter().map(one).collect::<Vec<_>>(),
    })
}

fn place_json(layer: Layer, place: &Location) -> Value {
    let position = place.position;
    json!({
        "layer": layer_word(layer),
        "source": place.source,
        "line": position.map(|position| position.line),
        "column": position.map(|position| position.column),
    })
}

fn layer_word(layer: Layer) -> &'static str {
    match layer {
        Layer::Default => "default",
        Layer::Workspace => "workspace",
        Layer::User => "user",
        Layer::Editor => "editor",
        Layer::Environment => "environment",
        Layer::Flags => "flags",
    }
}

/// The default as JSON: null where there is none.
fn default_json(setting: &Setting) -> Value {
    match setting.default {
        "none" => Value::Null,
        default => default.parse::<i64>().map_or_else(|_| default.into(), Value::from),
    }
}

/// A value as JSON, without secrets; null where it says that there is none.
fn shown_json(value: Value) -> Value {
    match value {
        Value::String(text) if text == "none" => Value::Null,
        Value::String(text) => Value::String(setting_without_secrets(&text)),
        Value::Array(items) => items.into_iter().map(shown_json).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, shown_json(value))).collect(),
        other => other,
    }
}
