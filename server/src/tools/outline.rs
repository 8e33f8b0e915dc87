use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{ToolError, sentence};
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::contracts::RepoPath;
use crate::outline::{Blob, Definition, Map, NoOutline, Sources, by_editor, language_name, read};
use crate::text::{count, cut};
use crate::workspace::{TextFile, is_secret_text, sha256};

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
        their lines (first-last, kind, the line with the name), to read just those with read_file. Of a folder: its files \
        with their most important definitions, those first that matter to your task; the rest is counted. Begin with it \
        in a project you do not know.";
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
            push_definitions(&mut shown, &outline.definitions, &text);
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

/// A line for each definition; of too many those that lie deepest are left out.
fn push_definitions(out: &mut String, definitions: &[Definition], text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let line_of = |definition: &Definition| {
        let line = lines.get(definition.name_line - 1).copied().unwrap_or_default().trim();
        let (first, last) = (definition.lines.start(), definition.lines.end());
        let indent = "  ".repeat(definition.depth.min(8));
        // The line itself says more than the name: parameters, types.
        format!("{first}-{last}\t{indent}{} {}\n", definition.kind.word(), described(definition, line))
    };
    let shown: Vec<(usize, String)> = definitions.iter().map(|found| (found.depth, line_of(found))).collect();
    let size =
        |deepest: usize| shown.iter().filter(|(depth, _)| *depth <= deepest).map(|(_, line)| line.len()).sum::<usize>();
    let mut deepest = shown.iter().map(|(depth, _)| *depth).max().unwrap_or_default();
    while deepest > 0 && size(deepest) > MOST_TEXT {
        deepest -= 1;
    }
    let mut left_out = 0;
    for (depth, line) in shown {
        if depth > deepest || out.len() + line.len() > MOST_TEXT {
            left_out += 1;
        } else {
            out.push_str(&line);
        }
    }
    if left_out > 0 {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{} left out; find them with search.", count(left_out, "more definition"));
    }
}

/// The name, and its line where that is not the name alone.
fn described(definition: &Definition, line: &str) -> String {
    let line = cut(line, LONGEST_LINE);
    if line.is_empty() || line == definition.name {
        definition.name.clone()
    } else {
        format!("{}: {line}", definition.name)
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
