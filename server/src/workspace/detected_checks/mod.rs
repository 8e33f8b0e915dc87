//! How a project is tested, by what stands in its root: the commands that people there type.
//!
//! Only the root is looked at. Of a repository with several projects below it, only what its root offers is found; the rest
//! is set by hand. Nothing is run: a file is read up to a limit, and what its text says is taken as text.

mod found;
mod javascript;
mod project;
mod python;
mod table;

use super::root::Workspace;
use found::Found;
use project::Project;
use table::{LANGUAGES, RUNNERS, Row};

/// A command that a project shows it is checked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectedCheck {
    /// A name for it, of its own among those found.
    pub name: String,
    /// The command, for `sh -c` in the root.
    pub command: String,
    /// The file that shows it, in the root.
    pub source: String,
}

/// The commands that the project in this root is checked by: those of each language, else those of a task runner. Of several
/// ways to run the same, one is taken whose program `has_program` finds here.
pub fn detected_checks(workspace: &Workspace, has_program: &dyn Fn(&str) -> bool) -> Vec<DetectedCheck> {
    let project = Project::of(workspace.dir(), has_program);
    let mut checks = Vec::new();
    for rows in [LANGUAGES, RUNNERS] {
        for row in rows {
            for found in row.find(&project) {
                checks.push(named(row, found, &checks));
            }
        }
        if !checks.is_empty() {
            break;
        }
    }
    checks
}

/// The second one of a name has its kind in front.
fn named(row: &Row, found: Found, before: &[DetectedCheck]) -> DetectedCheck {
    let Found { name, command, source } = found;
    let is_taken = before.iter().any(|check| check.name == name);
    let name = if is_taken { format!("{}-{name}", row.kind) } else { name.to_owned() };
    DetectedCheck { name, command, source }
}

#[cfg(test)]
mod tests;
