use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{ToolError, sentence};
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::contracts::RepoPath;
use crate::outline::{
    Blob, Definition, Kind, Lead, Map, NoOutline, Sources, by_editor, language_name, lead, read, with_fields,
};
use crate::text::{count, cut};
use crate::workspace::{Stamp, TextFile, is_secret_text, sha256};

/// Files of a folder that a map is made of.
const MOST_FILES: usize = 20_000;
/// Bytes of a map: three to four thousand tokens.
pub(super) const MOST_MAP: usize = 12_000;
/// Bytes of a file's outline.
pub(super) const MOST_TEXT: usize = 32_000;
/// Characters shown of a line with a definition.
const LONGEST_LINE: usize = 160;

/// Outline a file or a folder.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Outline {
    /// The file or folder, relative to the workspace root; the root if left out.
    path: Option<String>,
}

impl Tool for Outline {
    const NAME: &'static str = "outline";
    const DESCRIPTION: &'static str = "Show what is defined where, without reading it. Of a file: its definitions with \
        their lines (first-last, with the attributes, decorators and comments before them; then the line with the name), to \
        read just those with read_file; of long structs the fields too. Of a folder: its files with their most important \
        definitions, those first that matter to your task; the rest is counted. Begin with it in a project of more files \
        than you would read.";
    const SHOWS: Shows = Shows::Workspace;
    const TIME_LIMIT: Duration = Duration::from_secs(60);

    fn activity(&self) -> String {
        format!("outlining {}", self.path.as_deref().unwrap_or("the workspace"))
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let place = toolbox.folder(self.path.as_deref())?;
        match place {
            Some(path) if toolbox.is_file(&path) => of_file(toolbox, &path),
            folder => of_folder(toolbox, folder.as_ref(), MOST_FILES),
        }
    }
}

fn of_file(toolbox: &Toolbox, path: &RepoPath) -> Result<String, ToolError> {
    let file = toolbox.glance(path)?;
    let text = file.masked_text();
    let lines = count(text.lines().count(), "line");
    if let Some(definitions) = known_to_editor(toolbox, path, &file, &text) {
        let language = language_name(path.as_str(), &text).map(|language| format!(" {language},")).unwrap_or_default();
        let mut shown = format!("{path},{language} {lines}:\n");
        push_definitions(&mut shown, &definitions, &text);
        return Ok(shown);
    }
    match read(path.as_str(), &text, &toolbox.interrupt) {
        Ok(outline) if outline.definitions.is_empty() => {
            Ok(format!("{path} ({}, {lines}) has no definitions.\n", outline.language))
        }
        Ok(outline) => {
            let mut shown = format!("{path}, {}, {lines}:\n", outline.language);
            let definitions = with_fields(path.as_str(), &text, outline.definitions, &toolbox.interrupt);
            push_definitions(&mut shown, &definitions, &text);
            if !outline.parses {
                shown.push_str("Parts of it were not understood: definitions may be missing.\n");
            }
            Ok(shown)
        }
        Err(NoOutline::Interrupted(interrupted)) => Err(interrupted.into()),
        Err(fault) => {
            Err(format!("There is no outline of {path} ({lines}): {} Use search or read_file.", sentence(&fault))
                .into())
        }
    }
}

/// What the editor's language tools know of a file, where its text is not the task's own and is shown as it is.
fn known_to_editor(toolbox: &Toolbox, path: &RepoPath, file: &TextFile, shown: &str) -> Option<Vec<Definition>> {
    let editor = toolbox.about.editor.as_ref()?;
    // Headings are what they are, and take no asking.
    let is_markdown = language_name(path.as_str(), shown) == Some("Markdown");
    if is_markdown || toolbox.is_touched(path) || file.text() != shown {
        return None;
    }
    by_editor(editor, path, shown, &toolbox.interrupt)
}

/// A line for each definition; of too many those that lie deepest are left out, and said to be.
fn push_definitions(out: &mut String, definitions: &[Definition], text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let shown: Vec<String> = definitions.iter().map(|definition| line_of(&lines, definition)).collect();
    let size = |deepest: usize| {
        let lines = definitions.iter().zip(&shown).filter(|(definition, _)| definition.depth <= deepest);
        lines.map(|(_, line)| line.len()).sum::<usize>()
    };
    let mut deepest = definitions.iter().map(|definition| definition.depth).max().unwrap_or_default();
    while deepest > 0 && size(deepest) > MOST_TEXT {
        deepest -= 1;
    }
    let mut left_out: Vec<&Definition> = Vec::new();
    for (definition, line) in definitions.iter().zip(shown) {
        if definition.depth > deepest || out.len() + line.len() > MOST_TEXT {
            left_out.push(definition);
        } else {
            out.push_str(&line);
        }
    }
    let first = left_out.iter().map(|definition| *definition.lines.start()).min();
    let last = left_out.iter().map(|definition| *definition.lines.end()).max();
    if let Some((first, last)) = first.zip(last) {
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "{} left out, in lines {first}-{last}; read those lines, or find names with search.",
            count(left_out.len(), "more definition")
        );
    }
}

/// `262-268`, tab, `#[cfg(unix)] pub fn name() {`
fn line_of(lines: &[&str], definition: &Definition) -> String {
    let line = lines.get(definition.name_line - 1).copied().unwrap_or_default().trim();
    let Lead { first, attributes } = lead(lines, definition);
    let indent = "  ".repeat(definition.depth.min(8));
    let mut shown = format!("{first}-{}\t{indent}", definition.lines.end());
    // Those of a field say how it is read, and are many.
    for attribute in attributes.iter().filter(|_| definition.kind != Kind::Property) {
        shown.push_str(attribute);
        shown.push(' ');
    }
    shown + &described(definition, line) + "\n"
}

/// The line with the name, which says more than the name: parameters, types. Where it does not tell the name, that too.
fn described(definition: &Definition, line: &str) -> String {
    let (name, kind) = (definition.name.as_str(), definition.kind.word());
    let own = name.rsplit('.').next().unwrap_or(name);
    if line.is_empty() || (line == name && definition.kind != Kind::Property) {
        format!("{kind} {name}")
    } else if line.contains(own) {
        cut(line, LONGEST_LINE).into_owned()
    } else {
        format!("{kind} {name}: {}", cut(line, LONGEST_LINE))
    }
}

pub(super) fn of_folder(toolbox: &Toolbox, folder: Option<&RepoPath>, most_files: usize) -> Result<String, ToolError> {
    let listing = toolbox.files(folder, None, most_files)?;
    let place = folder.map_or_else(|| "the workspace".to_owned(), |folder| folder.to_string());
    if listing.files.is_empty() {
        return Ok(format!("No files in {place} (ignored files and secrets are not listed)."));
    }
    let files = FilesOf { toolbox, overlay: toolbox.overlay() };
    let map = Map::of(&listing.files, &files, toolbox.about.cache.as_ref(), &toolbox.interrupt)?;
    let more = if listing.more { format!(", the first {most_files} of more") } else { String::new() };
    let mut text = format!("{place}: {}{more}; first what matters most:\n", count(listing.files.len(), "file"));
    text.push_str(&map.render(&toolbox.about.task, MOST_MAP));
    Ok(text)
}

/// The files as the agent sees them, its own changes included.
struct FilesOf<'a> {
    toolbox: &'a Toolbox,
    overlay: HashMap<RepoPath, Option<Vec<u8>>>,
}

impl Sources for FilesOf<'_> {
    fn stamp(&self, path: &RepoPath) -> Option<Stamp> {
        (!self.overlay.contains_key(path)).then(|| self.toolbox.workspace.stamp(path)).flatten()
    }

    fn read(&self, path: &RepoPath) -> Option<Blob> {
        if let Some(bytes) = self.overlay.get(path).cloned().flatten() {
            return Some(Blob { sha256: sha256(&bytes), bytes });
        }
        let state = self.toolbox.workspace.read_open(path).ok().flatten()?;
        Some(Blob { bytes: state.bytes, sha256: state.sha256 })
    }

    fn text(&self, bytes: &[u8]) -> Option<String> {
        if is_secret_text(bytes) {
            return None;
        }
        TextFile::decode(bytes).ok().map(|file| file.masked_text().into_owned())
    }
}
