//! `baton diff`: what the workflow changed.

use std::io::IsTerminal;

use super::failure::Failure;
use super::output::{print, print_bytes, tell, warn};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::{text, workflow};

/// Print the changes as one unified diff: safe to show on a terminal, byte for byte elsewhere, so that it can be applied.
pub(super) fn diff(start: &Start<'_>, task: Option<&str>) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let diff = match session.memory()? {
        Some(store) => {
            warn(&workflow::unverified(&store)?);
            workflow::diff(&store, &session.workspace, task)?
        }
        None => String::new(),
    };
    if diff.is_empty() {
        tell("The workflow has changed no file.");
    } else if std::io::stdout().is_terminal() {
        print(&painted(&diff))?;
    } else {
        print_bytes(diff.as_bytes())?;
    }
    Ok(0)
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
