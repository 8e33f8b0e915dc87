//! `baton doctor`: whether everything a run needs is there, and how to fix what is not.

use super::failure::{FAILED, Failure, USAGE};
use super::output::print;
use super::run::block_on;
use super::session::Start;
use crate::config::{self, Overrides};
use crate::text;
use crate::workflow::{self, Check, CheckStatus, Editor};

/// Columns of the longest name.
const NAME_WIDTH: usize = 15;

/// Check everything and print what was found.
pub(super) fn doctor(start: &Start<'_>, json: bool) -> Result<u8, Failure> {
    let folder = start.folder()?;
    let settings = config::load_from_disk(&folder, config::environment(), Overrides::default());
    let found = block_on(workflow::doctor(&folder, settings, &config::variable, &Editor::default(), start.table))?;
    let text = if json {
        text::safe_json(&serde_json::to_string_pretty(&found).map_err(|error| Failure::failed(error.to_string()))?)
    } else {
        let mut lines: Vec<String> = found.checks.iter().flat_map(check_lines).collect();
        lines.push(String::new());
        lines.push(conclusion(&found.checks));
        lines.join("\n")
    };
    print(&text)?;
    Ok(match (found.ok, found.settings_at_fault) {
        (true, _) => 0,
        (false, true) => USAGE,
        (false, false) => FAILED,
    })
}

fn check_lines(check: &Check) -> Vec<String> {
    let first = format!("{:<8} {:<NAME_WIDTH$} ", check.status, check.name);
    let mut lines = vec![text::paragraph(&first, &check.message, 110)];
    if let Some(fix) = &check.fix {
        lines.push(text::paragraph(&format!("{:<8} {:<NAME_WIDTH$} ", "", "→ to fix it"), fix, 110));
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
