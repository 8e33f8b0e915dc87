use schemars::JsonSchema;
use serde::Deserialize;

use super::edit_match::{Edited, Miss, Tolerance, edit};
use super::error::ToolError;
use super::nearest::nearest;
use super::show::excerpt;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};
use crate::contracts::RepoPath;
use crate::text::count;
use crate::workspace::{Interrupt, Interrupted, masked, masks, opaque, unmasks};

/// Edit a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EditFile {
    /// The file, relative to the workspace root.
    path: String,
    /// The text to replace, as it stands in the file.
    old_text: String,
    /// The text to put in its place; empty to remove it.
    new_text: String,
    /// Replace every place where old_text stands; otherwise there must be exactly one.
    replace_all: Option<bool>,
}

impl Tool for EditFile {
    const NAME: &'static str = "edit_file";
    const DESCRIPTION: &'static str = "Replace text in a file of your task. old_text must stand in the file exactly \
        once, line breaks and indentation included and without line numbers; take enough lines to make it unique, or set \
        replace_all. Answers the changed lines. The change reaches the working tree when you submit. New files are made with \
        write_file.";
    const USERS: Users = Users::Implementers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        format!("editing {}", self.path)
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        // The task's spelling of the path, and the refusal before anything else is said of the file.
        let path = toolbox.writing()?.may_write(&toolbox.path(&self.path)?)?;
        let (old, new) = (self.old_text.replace("\r\n", "\n"), self.new_text.replace("\r\n", "\n"));
        if old.is_empty() {
            return Err("old_text is empty; use write_file to create or replace a whole file.".to_owned().into());
        }
        if old == new {
            return Err("old_text and new_text are the same; nothing was changed.".to_owned().into());
        }
        let file = toolbox.read_text(&path)?;
        check_masks(&path, file.text(), &old, &new)?;
        let interrupt = &toolbox.interrupt;
        let findable = opaque(file.text(), &old);
        let edited = match edit(&findable, &old, &new, self.replace_all.unwrap_or_default(), interrupt) {
            Ok(edited) => edited.made_in(file.text()),
            Err(miss) => return Err(miss_text(&path, &file.masked_text(), &old, miss, interrupt)?.into()),
        };
        if edited.text == file.text() {
            return Err(format!("{path} already reads so; nothing was changed.").into());
        }
        let changed: Vec<_> = edited.replaced.iter().cloned().zip(edited.places.iter().cloned()).collect();
        if unmasks(file.text(), &edited.text, &changed) {
            return Err(format!(
                "This edit would change a part of a secret in {path} that is shown as a mask (<masked by Baton: …>), or of \
                 what stands right by it; nothing was changed. Leave the line with the mask as it is."
            )
            .into());
        }
        toolbox.writing()?.write_until(&path, &edited.text, interrupt)?;
        Ok(edit_text(&path, &edited))
    }
}

/// A mask stands for a secret the model was not shown: it names no place in the file, and is never written into one.
fn check_masks(path: &RepoPath, text: &str, old: &str, new: &str) -> Result<(), ToolError> {
    if masks(old) > 0 && !text.contains(old) {
        return Err(format!(
            "old_text holds a mask (<masked by Baton: …>). It stands for a secret in {path} that is not shown; choose an \
             old_text that ends before the mask or begins after it, so that the secret stays as it is."
        )
        .into());
    }
    if masks(new) > masks(old) {
        return Err("new_text holds a mask (<masked by Baton: …>), which would be written as it stands; nothing was \
                    changed. Leave the line with the secret out of old_text and new_text."
            .to_owned()
            .into());
    }
    Ok(())
}

fn edit_text(path: &RepoPath, edited: &Edited) -> String {
    const CONTEXT: usize = 3;
    const SHOWN: usize = 5;
    let how = match edited.tolerance {
        Tolerance::Exact => "",
        Tolerance::Trailing => " (old_text differed in trailing spaces)",
        Tolerance::Indentation => " (old_text differed in indentation; new_text was indented alike)",
        Tolerance::Punctuation => " (old_text differed in quotes, dashes or spaces)",
    };
    let mut text = match edited.places.len() {
        1 => format!("Edited {path}{how}. It now reads:\n"),
        n => format!("Edited {path} in {n} places{how}. It now reads:\n"),
    };
    // A key can reach beyond the lines that are shown.
    let shown = masked(&edited.text);
    for (index, (first, last)) in edited.lines().into_iter().take(SHOWN).enumerate() {
        if index > 0 {
            text.push_str("      …\n");
        }
        text.push_str(&excerpt(&shown, first.saturating_sub(CONTEXT), last + CONTEXT));
    }
    if edited.places.len() > SHOWN {
        text.push_str(&format!("and {} not shown.\n", count(edited.places.len() - SHOWN, "more place")));
    }
    if edited.text.is_empty() {
        text.push_str("(nothing: the file is empty)\n");
    }
    text
}

fn miss_text(path: &RepoPath, text: &str, old: &str, miss: Miss, interrupt: &Interrupt) -> Result<String, Interrupted> {
    Ok(match miss {
        Miss::Interrupted(interrupted) => return Err(interrupted),
        Miss::Several(lines) => {
            let shown: Vec<String> = lines.iter().take(20).map(ToString::to_string).collect();
            let more = if lines.len() > shown.len() { ", …" } else { "" };
            format!(
                "old_text stands in {path} at {}, lines {}{more}. Add lines around it to make it unique, or set \
                 replace_all.",
                count(lines.len(), "place"),
                shown.join(", ")
            )
        }
        Miss::TooMany => format!(
            "old_text stands in {path} at more places than one edit may change. Add lines around it and edit place by \
             place, or write the whole file with write_file."
        ),
        Miss::Absent if text.is_empty() => format!("{path} is empty; use write_file."),
        Miss::Absent => {
            let numbered = old.lines().next().is_some_and(has_line_number);
            let hint = if numbered { " Leave out the line numbers that read_file shows." } else { "" };
            match nearest(text, old, interrupt)? {
                Some((first, last)) => format!(
                    "old_text does not stand in {path}.{hint} The nearest lines are:\n{}",
                    excerpt(text, first.saturating_sub(2), last + 2)
                ),
                None => format!("old_text does not stand in {path}, nor anything like it.{hint} Read the file again."),
            }
        }
    })
}

fn has_line_number(line: &str) -> bool {
    line.split_once('\t').is_some_and(|(number, _)| {
        let number = number.trim();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}
