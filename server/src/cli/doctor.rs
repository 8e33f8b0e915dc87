//! `baton doctor`: whether everything a run needs is there, and how to fix what is not.

use super::args::DoctorArgs;
use super::config::setting_line;
use super::failure::{FAILED, Failure, USAGE};
use super::output::{columns, print, row};
use super::runtime::block_on;
use super::session::Start;
use crate::config;
use crate::text;
use crate::workflow::{self, Check, CheckStatus, Doctor, Editor};

/// Columns of the longest name.
const NAME_WIDTH: usize = 15;
const SET: &str = "Settings (`baton config` shows all)";
const ALL_DEFAULT: &str = "`baton config` shows all settings.";

/// Check everything and print what was found.
pub(super) fn doctor(start: &Start<'_>, args: &DoctorArgs) -> Result<u8, Failure> {
    let folder = start.folder()?;
    let settings = config::load_from_disk(&folder, config::environment(), args.models.overrides());
    let found = block_on(workflow::doctor(&folder, settings, &config::variable, &Editor::default(), start.table))?;
    let text = if args.json {
        text::safe_json(&serde_json::to_string_pretty(&found).map_err(|error| Failure::failed(error.to_string()))?)
    } else {
        lines(&found, columns()).join("\n")
    };
    print(&text)?;
    Ok(match (found.ok, found.settings_at_fault) {
        (true, _) => 0,
        (false, true) => USAGE,
        (false, false) => FAILED,
    })
}

fn lines(found: &Doctor, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = found.checks.iter().flat_map(|check| check_lines(check, columns)).collect();
    lines.push(String::new());
    // The others are at their defaults, which the check of the settings says.
    let set = found.settings.iter().filter_map(|setting| Some((setting, setting.place.as_ref()?)));
    let set: Vec<String> =
        set.map(|(setting, place)| setting_line(setting.key, &setting.value, place, columns)).collect();
    if !found.settings.is_empty() {
        lines.push(if set.is_empty() { ALL_DEFAULT } else { SET }.to_owned());
        lines.extend(set);
        lines.push(String::new());
    }
    lines.push(text::paragraph("", &conclusion(&found.checks), columns));
    lines
}

fn check_lines(check: &Check, columns: usize) -> Vec<String> {
    let head = format!("{:<8} {:<NAME_WIDTH$} ", check.status, check.name);
    let mut lines = vec![row(&head, &check.message, columns)];
    if let Some(fix) = &check.fix {
        lines.push(row(&format!("{:<8} {:<NAME_WIDTH$} ", "", "→ to fix it"), fix, columns));
    }
    lines
}

fn conclusion(checks: &[Check]) -> String {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    match (count(CheckStatus::Error), count(CheckStatus::Warning)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("A run works; {} to know of.", text::count(warnings, "thing")),
        (errors, _) => format!("{} in the way of a run.", obstacles(errors)),
    }
}

fn obstacles(errors: usize) -> String {
    if errors == 1 { "One thing stands".to_owned() } else { format!("{errors} things stand") }
}
