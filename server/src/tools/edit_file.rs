use schemars::JsonSchema;
use serde::Deserialize;

use super::edit_echo::echo;
use super::edit_example::example;
use super::edit_match::{Edited, Miss, edit};
use super::edits::changed_lines;
use super::error::ToolError;
use super::line_edit::{Asked, LineRange, edit_lines};
use super::line_map::Change;
use super::line_numbers::{has_number, unnumbered};
use super::nearest::nearest;
use super::show::excerpt;
use super::syntax_note::syntax_note;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};
use crate::contracts::RepoPath;
use crate::text::count;
use crate::workspace::{Interrupt, Interrupted, TextFile, masks, opaque, unmasks};

/// Edit a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct EditFile {
    /// The file, relative to the workspace root.
    path: String,
    /// The text to replace, as it stands in the file, without line numbers. Empty only where start_line names the lines.
    old_text: Option<String>,
    /// The text to put in its place, without line numbers; empty to remove it.
    new_text: String,
    /// Replace every place where old_text stands; otherwise there must be exactly one.
    replace_all: Option<bool>,
    /// In place of old_text: the first line to replace, from 1. Whole lines are replaced; a line break at the end of new_text
    /// makes no empty line, two make one.
    start_line: Option<i64>,
    /// The last line to replace, inclusive. One less than start_line replaces none: new_text comes before start_line, and at the
    /// end of a file of 40 lines with start_line 41 and end_line 40.
    end_line: Option<i64>,
    /// The text of line start_line, by which it is known that this is still the line that is meant. Where none is replaced it
    /// suffices alone; leave it out at the end of the file.
    first: Option<String>,
    /// The text of line end_line, likewise; where none is replaced, the line before the new text.
    last: Option<String>,
}

impl Tool for EditFile {
    const NAME: &'static str = "edit_file";
    const DESCRIPTION: &'static str = "Replace text in a file of your task, in one of two ways. By text, as in \
        {\"path\": \"src/a.py\", \"old_text\": \"    return 1\", \"new_text\": \"    return 2\"}: old_text must stand in the file \
        exactly once, line breaks and indentation included and without line numbers; take enough lines to make it unique, or \
        set replace_all. By lines, which spares you the text of a long stretch, as in {\"path\": \"src/a.py\", \"old_text\": \"\", \
        \"new_text\": \"    return 2\", \"start_line\": 8, \"end_line\": 40, \"first\": \"    if x:\", \"last\": \"    return 1\"}. Lines are \
        numbered as you were last shown them; edits of the same turn do not move them. Answers the changed lines. The change reaches the working tree when you submit. New files are made with write_file.";
    const ASKED_FOR: &'static [&'static str] = &["old_text"];
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
            Place::Unsaid(lacks) => Err(no_place(toolbox, &path, lacks, &new)?.into()),
        }
    }

    fn instead(&self, toolbox: &Toolbox) -> Option<String> {
        let path = toolbox.writing().ok()?.may_write(&toolbox.path(&self.path).ok()?).ok()?;
        let shown = toolbox.read_text(&path).ok()?.masked_text().into_owned();
        let old = self.old_text.as_deref().filter(|old| !old.trim().is_empty());
        let example = match old {
            Some(old) if shown.contains(old) => None,
            Some(old) => example(path.as_str(), &shown, (old, &self.new_text), &toolbox.interrupt).ok()?,
            None => example(path.as_str(), &shown, (&self.new_text, &self.new_text), &toolbox.interrupt).ok()?,
        };
        let like = if old.is_some() { "old_text" } else { "new_text" };
        let advice = example.map(|example| example.advice(path.as_str(), &shown, like)).unwrap_or_default();
        let lines = shown.lines().count();
        let is_short = (1..=SHORT).contains(&lines) && masks(&shown) == 0;
        let or = if advice.is_empty() { "Give" } else { "Or give" };
        let count = count(lines, "line");
        let whole = format!("{or} write_file the whole new content of {path}: {count} now, with your change.\n");
        let whole = if is_short { whole } else { String::new() };
        Some(advice + &whole).filter(|text| !text.is_empty())
    }
}

/// Lines of a file that is as well written anew.
const SHORT: usize = 100;

/// What an edit replaces.
enum Place<'a> {
    Text {
        old: &'a str,
        all: bool,
    },
    Lines(LineRange<'a>),
    /// Neither way says it; what of it is lacking.
    Unsaid(&'static str),
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
            None if !lines && !guards && self.old_text.is_some() => Ok(Place::Unsaid("old_text is empty")),
            None if all => Err("replace_all belongs to an edit by text, and old_text is missing.".to_owned()),
            None if !lines && !guards => Ok(Place::Unsaid("old_text is missing")),
            None => {
                let start = self
                    .start_line
                    .ok_or("start_line is missing: an edit by lines takes start_line, end_line, first and last.")?;
                let (first, last) = (self.first.as_deref(), self.last.as_deref());
                Ok(Place::Lines(LineRange { start, end: self.end_line.unwrap_or(start), first, last }))
            }
        }
    }
}

/// The answer to a call that does not say what to replace: the file's lines that are most like the new text, and the call that
/// would replace them.
fn no_place(toolbox: &Toolbox, path: &RepoPath, lacks: &str, new: &str) -> Result<String, Interrupted> {
    let Some(file) = toolbox.read_text(path).ok().filter(|file| !file.text().is_empty()) else {
        return Ok(format!("{lacks}; use write_file to create or replace a whole file."));
    };
    let shown = file.masked_text();
    let advice = match example(path.as_str(), &shown, (new, new), &toolbox.interrupt)? {
        Some(example) => example.advice(path.as_str(), &shown, "new_text"),
        None => format!(
            "Give as old_text the lines of {path} that new_text is to replace, copied from it without line numbers, or name \
             them by start_line, end_line, first and last. write_file replaces a whole file."
        ),
    };
    Ok(format!("{lacks}, so it is not known what to replace; nothing was changed. {advice}"))
}

fn by_text(toolbox: &Toolbox, path: &RepoPath, old: &str, new: &str, all: bool) -> Result<String, ToolError> {
    let file = toolbox.read_text(path)?;
    let interrupt = &toolbox.interrupt;
    let mut found = find(path, &file, (old, new), all, interrupt)?;
    let (mut sought, mut note) = (old.to_owned(), "");
    if let (Err(Miss::Absent), Some(plain)) = (&found, unnumbered(old)) {
        found = find(path, &file, (&plain.text, &without_numbers(new)?), all, interrupt)?;
        let both = if new.lines().any(has_number) { BOTH_UNNUMBERED } else { OLD_UNNUMBERED };
        (sought, note) = (plain.text, both);
    } else if let Ok(edited) = &found
        && let [place] = edited.replaced.as_slice()
        && let Some(line) = line_begun_at(file.text(), place.start)
        && let Some(plain) = copied_numbers(file.text(), line, new)
    {
        found = find(path, &file, (old, &plain), all, interrupt)?;
        note = NEW_UNNUMBERED;
    }
    match found {
        Ok(edited) => {
            let edited = edited.made_in(file.text());
            let changes = changed_lines(file.text(), &edited);
            write(toolbox, path, &file, &edited, (note, &changes))
        }
        Err(miss) => Err(miss_text(path, &file.masked_text(), (old, &sought), miss, interrupt)?.into()),
    }
}

/// Look for the place of an edit by text.
fn find(
    path: &RepoPath,
    file: &TextFile,
    (old, new): (&str, &str),
    all: bool,
    interrupt: &Interrupt,
) -> Result<Result<Edited, Miss>, ToolError> {
    if old == new {
        return Err("old_text and new_text are the same; nothing was changed.".to_owned().into());
    }
    check_masks(path, file.text(), old, new)?;
    Ok(edit(&opaque(file.text(), old), old, new, all, interrupt))
}

/// A new text beside an old one that was copied with its line numbers.
fn without_numbers(new: &str) -> Result<String, String> {
    match unnumbered(new) {
        Some(plain) => Ok(plain.text),
        None if new.lines().any(has_number) => Err("old_text begins each line with the number that was shown before it, and \
                                                    new_text some of its lines; nothing was changed. Leave the numbers out of both."
            .to_owned()),
        None => Ok(new.to_owned()),
    }
}

const OLD_UNNUMBERED: &str = " (the line numbers in old_text were left out)";
const BOTH_UNNUMBERED: &str = " (the line numbers in old_text and new_text were left out)";
const NEW_UNNUMBERED: &str = " (the line numbers in new_text were left out)";

/// The number, from 1, of the line that begins at an offset.
fn line_begun_at(text: &str, offset: usize) -> Option<usize> {
    let before = text.get(..offset)?;
    (before.is_empty() || before.ends_with('\n')).then(|| before.lines().count() + 1)
}

/// A new text without line numbers, if they are beyond doubt those that were shown before the lines from `line` on: aligned as
/// they are shown, counting on from it, and no line of the file itself begins with a number.
fn copied_numbers(text: &str, line: usize, new: &str) -> Option<String> {
    let plain = unnumbered(new).filter(|plain| plain.is_padded && plain.start == Some(line))?;
    (!text.lines().any(has_number)).then_some(plain.text)
}

fn by_lines(toolbox: &Toolbox, path: &RepoPath, range: LineRange<'_>, new: &str) -> Result<String, ToolError> {
    let file = toolbox.read_text(path)?;
    check_masks(path, file.text(), "", new)?;
    let plain = usize::try_from(range.start).ok().and_then(|line| copied_numbers(file.text(), line, new));
    let note = if plain.is_some() { NEW_UNNUMBERED } else { "" };
    let shown = file.masked_text();
    let (before, since_first) = {
        let edits = toolbox.edits();
        (edits.before(path), edits.since_first(path))
    };
    let asked = Asked { path: path.as_str(), now: &shown, before: before.as_ref(), since_first: &since_first, range };
    let new = plain.as_deref().unwrap_or(new);
    let (edited, (start, end)) = edit_lines(file.text(), &asked, new)?;
    // A secret is not shown, and so it is not replaced either, in whole or in part.
    if shown.lines().take(end).skip(start - 1).any(|line| masks(line) > 0) {
        return Err(changes_secret(path).into());
    }
    let change = Change { first: start, removed: (end + 1).saturating_sub(start), added: new.lines().count() };
    write(toolbox, path, &file, &edited, (note, &[change]))
}

/// Stage an edit that changes something, and no secret. Returns what the agent is told of it.
fn write(
    toolbox: &Toolbox,
    path: &RepoPath,
    file: &TextFile,
    edited: &Edited,
    (note, changes): (&str, &[Change]),
) -> Result<String, ToolError> {
    let text = file.text();
    if edited.text == text {
        return Err(format!("{path} already reads so; nothing was changed.").into());
    }
    let changed: Vec<_> = edited.replaced.iter().cloned().zip(edited.places.iter().cloned()).collect();
    if unmasks(text, &edited.text, &changed) {
        return Err(changes_secret(path).into());
    }
    toolbox.writing()?.write_until(path, &edited.text, &toolbox.interrupt)?;
    toolbox.edits().edited(path, || file.masked_text().into_owned(), changes);
    let put_in = edited.places.first().map_or("", |place| &edited.text[place.clone()]);
    let doubt = if unnumbered(put_in).is_some() && !text.lines().any(has_number) { NUMBERS_WRITTEN } else { "" };
    Ok(echo(path, edited, note) + doubt + &syntax_note(toolbox, path, Some(text), &edited.text))
}

const NUMBERS_WRITTEN: &str = "Each line of new_text began with a number and a tab, and so it was written. If they are the line \
                               numbers that you are shown, edit again and leave them out.\n";

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

/// Why an edit by text has no place. `sought` is `old` without line numbers.
fn miss_text(
    path: &RepoPath,
    text: &str,
    (old, sought): (&str, &str),
    miss: Miss,
    interrupt: &Interrupt,
) -> Result<String, Interrupted> {
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
            let numbered = old.lines().next().is_some_and(has_number);
            let hint = if numbered { " Leave out the line numbers that read_file shows." } else { "" };
            match nearest(text, sought, interrupt)? {
                Some((first, last)) => format!(
                    "old_text does not stand in {path}.{hint} The nearest lines are:\n{}",
                    excerpt(text, first.saturating_sub(2), last + 2)
                ),
                None => format!("old_text does not stand in {path}, nor anything like it.{hint} Read the file again."),
            }
        }
    })
}
