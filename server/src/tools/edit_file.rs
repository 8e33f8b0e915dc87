use schemars::JsonSchema;
use serde::Deserialize;

use super::edit_match::{Edited, Miss, Tolerance, edit};
use super::error::ToolError;
use super::line_edit::{LineRange, edit_lines};
use super::nearest::nearest;
use super::show::{MOST_EXCERPT, excerpt};
use super::syntax_note::syntax_note;
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
    /// The text to replace, as it stands in the file. Left out where lines are named by start_line.
    old_text: Option<String>,
    /// The text to put in its place; empty to remove it.
    new_text: String,
    /// Replace every place where old_text stands; otherwise there must be exactly one.
    replace_all: Option<bool>,
    /// In place of old_text: the first line to replace, from 1. Whole lines are replaced.
    start_line: Option<i64>,
    /// The last line to replace, inclusive. One less than start_line replaces none: new_text comes before start_line.
    end_line: Option<i64>,
    /// The text of line start_line, by which it is known that this is still the line that is meant.
    first: Option<String>,
    /// The text of line end_line, likewise.
    last: Option<String>,
}

impl Tool for EditFile {
    const NAME: &'static str = "edit_file";
    const DESCRIPTION: &'static str = "Replace text in a file of your task, in one of two ways. By text: path, old_text, new_text. \
        old_text must stand in the file exactly once, line breaks and indentation included and without line numbers; take \
        enough lines to make it unique, or set replace_all. By lines: path, start_line, end_line, first, last, new_text, which \
        spares you the text of a long stretch. Answers the changed lines. The change reaches the working tree when you submit. \
        New files are made with write_file.";
    const USERS: Users = Users::Implementers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        format!("editing {}", self.path)
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        // The task's spelling of the path, and the refusal before anything else is said of the file.
        let path = toolbox.writing()?.may_write(&toolbox.path(&self.path)?)?;
        let new = self.new_text.replace("\r\n", "\n");
        match self.place()? {
            Place::Text { old, all } => by_text(toolbox, &path, &old.replace("\r\n", "\n"), &new, all),
            Place::Lines(range) => by_lines(toolbox, &path, range, &new),
        }
    }
}

/// What an edit replaces.
enum Place<'a> {
    Text { old: &'a str, all: bool },
    Lines(LineRange<'a>),
}

impl EditFile {
    /// What is to be replaced. Fields of the other way that say nothing (an empty text, 0, false) are passed over.
    fn place(&self) -> Result<Place<'_>, String> {
        let all = self.replace_all.unwrap_or_default();
        let lines = [self.start_line, self.end_line].into_iter().flatten().any(|line| line != 0);
        let guards = [&self.first, &self.last].into_iter().flatten().any(|guard| !guard.trim().is_empty());
        let old = self.old_text.as_deref().filter(|old| !old.is_empty());
        match old {
            Some(_) if lines || guards => {
                Err("old_text (with replace_all) belongs to an edit by text; start_line, end_line, \
                                              first and last belong to an edit by lines. Give only those of one way; \
                                              nothing was changed."
                    .to_owned())
            }
            Some(old) => Ok(Place::Text { old, all }),
            None if !lines && !guards && self.old_text.is_some() => {
                Err("old_text is empty; use write_file to create or replace a whole file.".to_owned())
            }
            None if all => Err("replace_all belongs to an edit by text, and old_text is missing.".to_owned()),
            None => {
                let start = self.start_line.ok_or(if lines || guards {
                    "start_line is missing: an edit by lines takes start_line, end_line, first and last."
                } else {
                    "What to replace is missing: give old_text, or start_line, end_line, first and last."
                })?;
                let (first, last) = (self.first.as_deref(), self.last.as_deref());
                Ok(Place::Lines(LineRange { start, end: self.end_line.unwrap_or(start), first, last }))
            }
        }
    }
}

fn by_text(toolbox: &Toolbox, path: &RepoPath, old: &str, new: &str, all: bool) -> Result<String, ToolError> {
    if old == new {
        return Err("old_text and new_text are the same; nothing was changed.".to_owned().into());
    }
    let file = toolbox.read_text(path)?;
    check_masks(path, file.text(), old, new)?;
    let interrupt = &toolbox.interrupt;
    let edited = match edit(&opaque(file.text(), old), old, new, all, interrupt) {
        Ok(edited) => edited.made_in(file.text()),
        Err(miss) => return Err(miss_text(path, &file.masked_text(), old, miss, interrupt)?.into()),
    };
    write(toolbox, path, file.text(), &edited)
}

fn by_lines(toolbox: &Toolbox, path: &RepoPath, range: LineRange<'_>, new: &str) -> Result<String, ToolError> {
    let file = toolbox.read_text(path)?;
    check_masks(path, file.text(), "", new)?;
    let shown = file.masked_text();
    let edited = edit_lines(path.as_str(), (file.text(), &shown), range, new)?;
    // A secret is not shown, and so it is not replaced either, in whole or in part.
    let (start, end) = (usize::try_from(range.start).unwrap_or(1), usize::try_from(range.end).unwrap_or(0));
    if shown.lines().take(end).skip(start.saturating_sub(1)).any(|line| masks(line) > 0) {
        return Err(changes_secret(path).into());
    }
    write(toolbox, path, file.text(), &edited)
}

/// Stage an edit that changes something, and no secret. Returns what the agent is told of it.
fn write(toolbox: &Toolbox, path: &RepoPath, text: &str, edited: &Edited) -> Result<String, ToolError> {
    if edited.text == text {
        return Err(format!("{path} already reads so; nothing was changed.").into());
    }
    let changed: Vec<_> = edited.replaced.iter().cloned().zip(edited.places.iter().cloned()).collect();
    if unmasks(text, &edited.text, &changed) {
        return Err(changes_secret(path).into());
    }
    toolbox.writing()?.write_until(path, &edited.text, &toolbox.interrupt)?;
    Ok(edit_text(path, edited) + &syntax_note(toolbox, path, Some(text), &edited.text))
}

fn changes_secret(path: &RepoPath) -> String {
    format!(
        "This edit would change a part of a secret in {path} that is shown as a mask (<masked by Baton: …>), or of what stands \
         right by it; nothing was changed. Leave the line with the mask as it is."
    )
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

/// Lines of an answer after which no further places are shown.
const SHOWN: usize = 80;

/// Lines with places in them, both included.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    first: usize,
    last: usize,
    places: usize,
}

/// The lines around places that come in their order; what overlaps or touches is one, unless it gets too long to be shown
/// whole.
fn windows(places: &[(usize, usize)], context: usize) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (first, last) in places {
        let (first, last) = (first.saturating_sub(context).max(1), last + context);
        match windows.last_mut() {
            Some(before) if last <= before.last => before.places += 1,
            Some(before) if first <= before.last + 1 && last - before.first < MOST_EXCERPT => {
                before.last = last;
                before.places += 1;
            }
            Some(before) => {
                let first = first.max(before.last + 1);
                windows.push(Window { first, last, places: 1 });
            }
            None => windows.push(Window { first, last, places: 1 }),
        }
    }
    windows
}

fn edit_text(path: &RepoPath, edited: &Edited) -> String {
    const CONTEXT: usize = 3;
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
    let windows = windows(&edited.lines(), CONTEXT);
    let (mut lines, mut places, mut shown_to) = (0, 0, None);
    for window in &windows {
        if shown_to.is_some_and(|last| window.first > last + 1) {
            text.push_str("      …\n");
        }
        shown_to = Some(window.last);
        text.push_str(&excerpt(&shown, window.first, window.last));
        lines += window.last - window.first + 1;
        places += window.places;
        if lines >= SHOWN {
            break;
        }
    }
    if edited.places.len() > places {
        text.push_str(&format!("and {} not shown.\n", count(edited.places.len() - places, "more place")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_touch_are_one() {
        let window = |first, last, places| Window { first, last, places };
        assert_eq!(windows(&[(2, 2), (4, 4), (30, 31)], 3), [window(1, 7, 2), window(27, 34, 1)]);
        assert_eq!(windows(&[(10, 10), (17, 17)], 3), [window(7, 20, 2)], "they touch");
        assert_eq!(windows(&[(10, 10), (18, 18)], 3), [window(7, 13, 1), window(15, 21, 1)]);
        assert!(windows(&[], 3).is_empty());
        let dense: Vec<(usize, usize)> = (1..=200).map(|line| (line, line)).collect();
        let windows = windows(&dense, 3);
        assert!(windows.iter().all(|window| window.last - window.first < MOST_EXCERPT), "{windows:?}");
        assert_eq!(windows.iter().map(|window| window.places).sum::<usize>(), 200);
    }
}
