//! The settings in force, where each comes from, and what is wrong with them.

use serde::Serialize;

use super::check::{Check, CheckStatus};
use crate::config::{self, ConfigErrors, Fate, Layer, Loaded, settings_table};
use crate::models::provider_variables;
use crate::text;
use crate::workspace;

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingInForce {
    /// Its dotted key.
    pub key: &'static str,
    /// Its value on one line; of a list the names.
    pub value: String,
    /// Where it was given: file and position, variable, flag or editor setting; `None` for the default.
    pub place: Option<String>,
}

/// Every setting in force, in the order of the table.
pub(super) fn in_force(loaded: &Loaded) -> Vec<SettingInForce> {
    let settings = settings_table().iter().map(|setting| {
        let origin = loaded.origin(setting.key);
        let place = (origin.layer != Layer::Default).then(|| origin.place.to_string());
        SettingInForce { key: setting.key, value: shown_setting(loaded, setting.key), place }
    });
    settings.collect()
}

/// The value of a setting in force as [`Loaded::value`] has it, without secrets.
pub fn shown_setting(loaded: &Loaded, key: &str) -> String {
    const WIDEST: usize = 200;
    let holds = loaded.given(key).iter().find(|given| given.fate == Fate::InForce);
    match holds.and_then(|given| given.whole.as_str()) {
        // A secret that is cut is no longer known as one.
        Some(whole) => text::short_line(&setting_without_secrets(whole), WIDEST),
        None => loaded.value(key),
    }
}

/// A text of settings without the keys that are in use, and without secrets of known forms: a command may hold one.
pub fn setting_without_secrets(words: &str) -> String {
    const SHORTEST: usize = 8;
    let is_key = |variable: &&str| variable.ends_with("_KEY") || variable.ends_with("_TOKEN");
    let mut shown = workspace::masked(words).into_owned();
    for variable in provider_variables().filter(is_key) {
        let key = config::variable(variable).map(|key| key.trim().to_owned());
        if let Some(key) = key.filter(|key| key.len() >= SHORTEST) {
            shown = shown.replace(&key, &text::mask(&format!("the value of {variable}")));
        }
    }
    shown
}

/// Whether settings are given, and what is wrong with them.
pub(super) fn check_settings(settings: &Result<Loaded, ConfigErrors>, checks: &mut Vec<Check>) {
    match settings {
        Ok(loaded) => {
            let given = in_force(loaded).iter().filter(|setting| setting.place.is_some()).count();
            let message = match given {
                0 => "all at their defaults".to_owned(),
                given => format!("{} given, the others at their defaults", text::count(given, "setting")),
            };
            checks.push(Check::ok("settings", message));
            for warning in &loaded.warnings {
                checks.push(Check::new("settings", CheckStatus::Warning, warning.clone()));
            }
        }
        Err(ConfigErrors(errors)) => {
            let faults = errors.iter().map(|error| Check::new("settings", CheckStatus::Error, error.to_string()));
            checks.extend(faults);
            // Each says its place; what holds for all of them is said once.
            if let Some(last) = checks.last_mut().filter(|_| !errors.is_empty()) {
                let mend = if errors.len() == 1 { "Fix it at its place." } else { "Fix each at its place." };
                last.fix = Some(format!("{mend} {}", where_settings_are()));
            }
        }
    }
}

fn where_settings_are() -> String {
    let user = config::user_config_file().map_or_else(String::new, |path| format!(", {}", path.display()));
    format!("Settings are read from {}{user} and BATON_… variables.", config::WORKSPACE_FILE)
}
