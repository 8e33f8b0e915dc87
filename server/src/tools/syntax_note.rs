//! Telling an agent at once that a text parsed before its edit and does not any more.

use std::fmt::Write as _;

use super::toolbox::Toolbox;
use crate::contracts::RepoPath;
use crate::outline::{language_name, syntax_faults};
use crate::workspace::masked;

/// What to append to the answer about an edit: where the file does not parse, if the text before it did. `before` is the text
/// before the edit; where the file was on disk before the task, that one counts. Nothing where it cannot be said.
pub(super) fn syntax_note(toolbox: &Toolbox, path: &RepoPath, before: Option<&str>, after: &str) -> String {
    let faults_of = |text: &str| syntax_faults(path.as_str(), text, &toolbox.interrupt);
    let Some(faults) = faults_of(after).filter(|faults| !faults.is_empty()) else { return String::new() };
    let disk = toolbox.text_on_disk(path);
    let Some(before) = disk.as_deref().or(before) else { return String::new() };
    if faults_of(before).is_none_or(|faults| !faults.is_empty()) {
        return String::new();
    }
    let language = language_name(path.as_str(), after).unwrap_or("this language");
    let mut note = format!("{path} no longer parses as {language}, as it did before your edits:\n");
    for fault in faults {
        // Writing to a string does not fail.
        let _ = writeln!(note, "  {fault}");
    }
    note.push_str("Mend it, unless a later edit of yours does.\n");
    masked(&note).into_owned()
}
