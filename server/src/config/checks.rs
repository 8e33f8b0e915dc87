//! `[[checks]]`: the project's own commands.

use super::error::{ConfigError, closest};
use super::settings::Check;
use super::value::{Node, Raw};

/// Seconds a check may take when it does not say.
const TIMEOUT_S: u64 = 600;

/// Most seconds a check may ask for: a week.
const LONGEST_S: u64 = 7 * 24 * 60 * 60;

const FIELDS: [&str; 3] = ["name", "command", "timeout_s"];

/// The checks of a `[[checks]]` list.
///
/// # Errors
/// Everything wrong with any of them.
pub(super) fn read_checks(items: &[Node]) -> Result<Vec<Check>, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut checks: Vec<Check> = Vec::new();
    for item in items {
        match read_check(item) {
            Ok(check) if checks.iter().any(|earlier| earlier.name == check.name) => {
                let what = format!("is {:?} a second time; give each check a name of its own", check.name);
                errors.push(item.field("name").unwrap_or(item).refuse("checks.name", what));
            }
            Ok(check) => checks.push(check),
            Err(more) => errors.extend(more),
        }
    }
    if errors.is_empty() { Ok(checks) } else { Err(errors) }
}

fn read_check(item: &Node) -> Result<Check, Vec<ConfigError>> {
    let Raw::Table(fields) = &item.raw else {
        return Err(vec![item.refuse("checks", format!("holds {item}; a check is a table with name and command"))]);
    };
    let mut errors = Vec::new();
    for (name, place, _) in fields.iter().filter(|(name, _, _)| !FIELDS.contains(&name.as_str())) {
        errors.push(ConfigError {
            place: place.clone(),
            setting: format!("checks.{name}"),
            message: format!(
                "checks.{name} is not a field of a check{}; there are {}",
                closest(name, FIELDS.into_iter()),
                FIELDS.join(", ")
            ),
        });
    }
    let mut text = |key: &str, example: &str| {
        let name = format!("checks.{key}");
        let Some(node) = item.field(key) else {
            errors.push(item.refuse(&name, format!("is missing; for example {key} = {example:?}")));
            return String::new();
        };
        match node.as_text().map(str::trim) {
            Some(text) if text.contains('\0') || (key == "name" && text.chars().any(char::is_control)) => {
                errors.push(node.refuse(&name, "holds control characters"));
                String::new()
            }
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => {
                errors.push(node.refuse(&name, format!("is {node}; it takes a text, for example {example:?}")));
                String::new()
            }
        }
    };
    let name = text("name", "test");
    let command = text("command", "cargo test");
    let timeout_s = match item.field("timeout_s") {
        None => TIMEOUT_S,
        Some(node) => match node.as_whole().and_then(|whole| u64::try_from(whole).ok()) {
            Some(seconds) if (1..=LONGEST_S).contains(&seconds) => seconds,
            _ => {
                let what = format!("is {node}; it takes a whole number of seconds from 1 to {LONGEST_S}");
                errors.push(node.refuse("checks.timeout_s", what));
                TIMEOUT_S
            }
        },
    };
    if errors.is_empty() {
        Ok(Check { name, command, timeout_s, network: false, r#try: true, secrets: false, paths: Vec::new() })
    } else {
        Err(errors)
    }
}
