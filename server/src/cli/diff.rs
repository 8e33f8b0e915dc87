//! `baton diff`: what the workflow changed.

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::args::DiffArgs;
use super::failure::Failure;
use super::output::{print, print_bytes, tell, warn};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::workflow::{Hunks, StartError};
use crate::{text, workflow};

/// Print the changes as one unified diff: safe to show on a terminal, byte for byte elsewhere, so that it can be applied.
pub(super) fn diff(start: &Start<'_>, args: &DiffArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let is_terminal = std::io::stdout().is_terminal();
    let (mut diff, mut hunks) = (String::new(), Hunks::default());
    if let Some(store) = session.memory()? {
        warn(&workflow::unverified(&store)?);
        diff = workflow::diff(&store, &session.workspace, args.task.as_deref())?;
        if args.json || is_terminal {
            hunks = Hunks::load(&store, &session.workspace).map_err(StartError::from)?;
        }
    }
    if args.json {
        print(&json(&hunks, args.task.as_deref()).to_string())?;
        return Ok(0);
    }
    if diff.is_empty() {
        tell("The workflow has changed no file.");
    } else if is_terminal {
        print(&painted(&with_hunks(&diff, &hunks)))?;
    } else {
        print_bytes(diff.as_bytes())?;
    }
    Ok(0)
}

/// The files with their hunks; of one task, only its own.
fn json(hunks: &Hunks, task: Option<&str>) -> Value {
    let files = hunks.files.iter().map(|file| {
        let own = file.hunks.iter().filter(|hunk| task.is_none() || hunk.task.as_deref() == task);
        let hunks: Vec<Value> = own
            .map(|hunk| {
                json!({
                    "id": hunk.id, "task": hunk.task, "first": hunk.first, "last": hunk.last, "kept": hunk.kept,
                    "removed": hunk.removed.len(), "added": hunk.added.len(),
                })
            })
            .collect();
        json!({ "path": file.path, "hunks": hunks })
    });
    let with_any = |file: &Value| file["hunks"].as_array().is_some_and(|hunks| !hunks.is_empty());
    json!({ "files": files.filter(with_any).collect::<Vec<_>>() })
}

/// The diff with the hunks' ids and tasks behind its `@@` lines, where a patch has its headings.
fn with_hunks(diff: &str, hunks: &Hunks) -> String {
    let mut lines = Vec::new();
    let mut file = None;
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("diff --git ").and_then(|names| names.rsplit_once(" b/")) {
            file = hunks.files.iter().find(|file| file.path.as_str() == path.1);
        }
        let range = line.strip_prefix("@@ ").and_then(new_lines);
        let (Some(file), Some((first, last))) = (file, range) else {
            lines.push(line.to_owned());
            continue;
        };
        let own = file.hunks.iter().filter(|hunk| hunk.first <= last.max(1) && hunk.last >= first);
        let names = own.map(|hunk| {
            let kept = if hunk.kept { " kept" } else { "" };
            format!("[{} {}{kept}]", hunk.id, hunk.task.as_deref().unwrap_or("yours"))
        });
        lines.push(names.fold(line.to_owned(), |line, name| format!("{line} {name}")));
    }
    lines.join("\n")
}

/// The first and the last new line of a hunk's head, from behind its `@@ `.
fn new_lines(head: &str) -> Option<(usize, usize)> {
    let range = head.split_once('+')?.1.split(' ').next()?;
    let (first, count) = range.split_once(',').unwrap_or((range, "1"));
    let (first, count): (usize, usize) = (first.parse().ok()?, count.parse().ok()?);
    Some((first, (first + count).saturating_sub(1)))
}

/// A unified diff for standard output: coloured where that is a terminal that wants colours.
pub(super) fn painted(text: &str) -> String {
    let paint = |line: &str| {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => console::Style::new().bold(),
            [b'+', ..] => console::Style::new().green(),
            [b'-', ..] => console::Style::new().red(),
            [b'@', b'@', ..] => console::Style::new().cyan(),
            _ => return line.to_owned(),
        };
        style.apply_to(line).to_string()
    };
    text::safe_lines(text).lines().map(paint).collect::<Vec<_>>().join("\n")
}
