use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::input::Input;
use super::show::cut;
use super::{ToolError, Toolbox};
use crate::contracts::RepoPath;
use crate::workspace::{TextFile, is_secret_text};

const MOST_MATCHES: usize = 200;
const MOST_TEXT: usize = 40_000;
const MOST_FILES: usize = 100_000;
/// Characters shown of a matching line.
const LINE: usize = 240;
/// Bytes searched before a search gives up.
const MOST_BYTES: usize = 256 * 1024 * 1024;

pub(super) const DESCRIPTION: &str = "Search the text files of the workspace for a regular expression (Rust syntax: \
no look-around, no back-references), line by line and case-sensitive ((?i) in front changes that). Answers \
path:line: text. At most 200 matches are shown; narrow with path or glob for the rest.";

/// Search files.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Search {
    /// The regular expression.
    pattern: String,
    /// Folder or file to search, relative to the workspace root; everything if left out.
    path: Option<String>,
    /// Only files that match, for example *.rs (by name, at any depth) or src/**/*.rs (by path).
    glob: Option<String>,
}

impl Input for Search {
    fn activity(&self) -> String {
        let pattern = cut(&self.pattern, 60);
        match &self.path {
            Some(path) => format!("searching {path} for {pattern}"),
            None => format!("searching for {pattern}"),
        }
    }
}

pub(super) fn run(toolbox: &Toolbox, input: Search) -> Result<String, ToolError> {
    let regex = compile(&input.pattern)?;
    let glob = input.glob.as_deref().filter(|glob| !glob.trim().is_empty());
    let place = toolbox.folder(input.path.as_deref())?;
    let overlay = toolbox.overlay();
    let is_file = place
        .as_ref()
        .is_some_and(|path| overlay.get(path).map_or_else(|| toolbox.workspace.is_file(path), Option::is_some));
    let (files, mut more) = match &place {
        Some(path) if is_file => {
            if !overlay.contains_key(path) {
                // A walk would not have come by secrets and ignored files.
                toolbox.check_open(path)?;
            }
            (vec![path.clone()], false)
        }
        folder => {
            let listing = toolbox.files(folder.as_ref(), glob, MOST_FILES)?;
            (listing.files, listing.more)
        }
    };
    let mut found = Found::default();
    let mut searched = 0;
    for path in &files {
        let staged = overlay.get(path).cloned().flatten();
        // A file that cannot be read now, say too large, has nothing to show.
        let Some(bytes) = staged.or_else(|| toolbox.workspace.read_open(path).ok().flatten().map(|state| state.bytes))
        else {
            continue;
        };
        searched += bytes.len();
        let Ok(file) = TextFile::decode(&bytes) else { continue };
        if is_secret_text(&bytes) {
            continue;
        }
        // What is masked is not searched either: a pattern could spell it out.
        if !found.look(&regex, path, &file.shown()) {
            break;
        }
        if searched > MOST_BYTES {
            more = true;
            break;
        }
    }
    Ok(found.told(&input.pattern, files.len(), more))
}

fn compile(pattern: &str) -> Result<Regex, ToolError> {
    if pattern.is_empty() {
        return Err("The pattern is empty; write what to search for.".to_owned().into());
    }
    RegexBuilder::new(pattern).size_limit(1 << 21).build().map_err(|error| {
        let reason = cut(&error.to_string(), 600).into_owned();
        format!("The pattern is no valid regular expression.\n{reason}\nPut a \\ before a character that is meant as itself.")
            .into()
    })
}

#[derive(Default)]
struct Found {
    text: String,
    matches: usize,
    cut: bool,
}

impl Found {
    /// Look through one file; whether there is room for more.
    fn look(&mut self, regex: &Regex, path: &RepoPath, text: &str) -> bool {
        for (index, line) in text.lines().enumerate() {
            let Some(found) = regex.find(line) else { continue };
            if self.matches == MOST_MATCHES || self.text.len() > MOST_TEXT {
                self.cut = true;
                return false;
            }
            self.matches += 1;
            // Writing to a string does not fail.
            let _ = writeln!(self.text, "{path}:{}: {}", index + 1, around(line, found.start()));
        }
        true
    }

    fn told(mut self, pattern: &str, files: usize, more: bool) -> String {
        if self.matches == 0 {
            self.text = format!("No match for {} in {files} files.", cut(pattern, 100));
            if pattern.contains("\\n") || pattern.contains('\n') {
                self.text.push_str(" The search is line by line; a pattern cannot span lines.");
            }
            self.text.push('\n');
        }
        if self.cut {
            let _ = writeln!(
                self.text,
                "There are more than these {} matches; narrow the pattern, path or glob.",
                self.matches
            );
        } else if more {
            self.text.push_str("Not every file was searched; narrow with path or glob.\n");
        }
        self.text
    }
}

/// A line, or of a long one the part with the match.
fn around(line: &str, start: usize) -> String {
    if line.chars().count() <= LINE {
        return line.to_owned();
    }
    let mut from = start.saturating_sub(LINE / 4);
    while !line.is_char_boundary(from) {
        from -= 1;
    }
    let front = if from > 0 { "…" } else { "" };
    format!("{front}{}", cut(&line[from..], LINE))
}
