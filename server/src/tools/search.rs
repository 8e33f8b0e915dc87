use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::contracts::RepoPath;
use crate::text::cut;
use crate::workspace::{Interrupt, Interrupted, TextFile, is_secret_text};

const MOST_MATCHES: usize = 200;
const MOST_TEXT: usize = 40_000;
const MOST_FILES: usize = 100_000;
const LONGEST_PATTERN: usize = 4_096;
/// Characters shown of a matching line.
const LINE: usize = 240;
/// Bytes searched before a search gives up.
const MOST_BYTES: usize = 256 * 1024 * 1024;

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

impl Tool for Search {
    const NAME: &'static str = "search";
    const DESCRIPTION: &'static str = "Search the text files of the workspace for a regular expression (Rust syntax: \
        no look-around, no back-references), line by line and case-sensitive ((?i) in front changes that). Answers \
        path:line: text. At most 200 matches are shown; narrow with path or glob for the rest.";
    const SHOWS: Shows = Shows::Workspace;

    fn activity(&self) -> String {
        let pattern = cut(&self.pattern, 60);
        match &self.path {
            Some(path) => format!("searching {path} for {pattern}"),
            None => format!("searching for {pattern}"),
        }
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let regex = compile(&self.pattern)?;
        let glob = self.glob.as_deref().filter(|glob| !glob.trim().is_empty());
        let place = toolbox.folder(self.path.as_deref())?;
        let overlay = toolbox.overlay();
        let is_file = place
            .as_ref()
            .is_some_and(|path| overlay.get(path).map_or_else(|| toolbox.workspace.is_file(path), Option::is_some));
        let (files, mut more) = match &place {
            Some(path) if is_file => {
                if !overlay.contains_key(path) {
                    // A walk skips secrets and ignored files by itself.
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
            match look_into(toolbox, &overlay, path, &regex, &mut found, &mut searched) {
                Ok(true) => {}
                Ok(false) => break,
                Err(Interrupted::TimedOut(time)) if found.matches > 0 => {
                    found.timed_out = Some(time);
                    break;
                }
                Err(interrupted) => return Err(interrupted.into()),
            }
            if searched > MOST_BYTES {
                more = true;
                break;
            }
        }
        Ok(found.into_text(&self.pattern, files.len(), more))
    }
}

/// Look through one file; whether there is room for more. A file that cannot be read now, say too large, has nothing to
/// show.
fn look_into(
    toolbox: &Toolbox,
    overlay: &HashMap<RepoPath, Option<Vec<u8>>>,
    path: &RepoPath,
    pattern: &Pattern,
    found: &mut Found,
    searched: &mut usize,
) -> Result<bool, Interrupted> {
    toolbox.interrupt.check()?;
    let staged = overlay.get(path).cloned().flatten();
    let read = || toolbox.workspace.read_open(path).ok().flatten().map(|state| state.bytes);
    let Some(bytes) = staged.or_else(read) else { return Ok(true) };
    *searched += bytes.len();
    match TextFile::decode(&bytes) {
        // What is masked is not searched either: a pattern could spell it out.
        Ok(file) if !is_secret_text(&bytes) => found.look(pattern, path, &file.masked_text(), &toolbox.interrupt),
        _ => Ok(true),
    }
}

fn compile(pattern: &str) -> Result<Pattern, ToolError> {
    if pattern.is_empty() {
        return Err("The pattern is empty; write what to search for.".to_owned().into());
    }
    if pattern.len() > LONGEST_PATTERN {
        return Err(format!("The pattern is longer than {LONGEST_PATTERN} bytes; search for a part of it.").into());
    }
    let mut outcome = Err(regex::Error::CompiledTooBig(0));
    for (size, window) in WINDOWS {
        outcome = RegexBuilder::new(pattern).size_limit(size).build().map(|regex| Pattern { regex, window });
        if !matches!(outcome, Err(regex::Error::CompiledTooBig(_))) {
            break;
        }
    }
    outcome.map_err(|error| {
        let reason = cut(&error.to_string(), 600).into_owned();
        format!("The pattern is no valid regular expression.\n{reason}\nPut a \\ before a character that is meant as itself.")
            .into()
    })
}

/// Sizes that a compiled pattern may have, and how much of a line it is then matched against at once, all in bytes: at
/// worst each byte is compared with all of the pattern, and matching cannot be interrupted.
const WINDOWS: [(usize, usize); 3] = [(1 << 16, 1 << 16), (1 << 19, 1 << 13), (1 << 21, 1 << 11)];

struct Pattern {
    regex: Regex,
    window: usize,
}

impl Pattern {
    /// Where the pattern first matches in a line. In a line longer than the window a match longer than half of it may
    /// be missed.
    fn find(&self, line: &str, interrupt: &Interrupt) -> Result<Option<usize>, Interrupted> {
        if line.len() <= self.window {
            return Ok(self.regex.find(line).map(|found| found.start()));
        }
        let mut start = 0;
        loop {
            interrupt.check()?;
            let end = floor(line, start + self.window);
            // What comes before a place counts for ^ and \b; what comes after it is not seen, so a match that ends there
            // is searched again with more of the line.
            match self.regex.find_at(&line[..end], start) {
                Some(found) if end == line.len() || found.end() < end => return Ok(Some(found.start())),
                _ if end == line.len() => return Ok(None),
                _ => start = floor(line, end - self.window / 2),
            }
        }
    }
}

/// The next place before that is between two characters.
fn floor(line: &str, at: usize) -> usize {
    line.floor_char_boundary(at)
}

#[derive(Default)]
struct Found {
    text: String,
    matches: usize,
    cut: bool,
    timed_out: Option<Duration>,
}

impl Found {
    /// Look through one file; whether there is room for more.
    fn look(
        &mut self,
        pattern: &Pattern,
        path: &RepoPath,
        text: &str,
        interrupt: &Interrupt,
    ) -> Result<bool, Interrupted> {
        let mut unchecked = 0;
        for (index, line) in text.lines().enumerate() {
            unchecked += line.len() + 64;
            if unchecked > pattern.window {
                interrupt.check()?;
                unchecked = 0;
            }
            let Some(start) = pattern.find(line, interrupt)? else { continue };
            if self.matches == MOST_MATCHES || self.text.len() > MOST_TEXT {
                self.cut = true;
                return Ok(false);
            }
            self.matches += 1;
            // Writing to a string does not fail.
            let _ = writeln!(self.text, "{path}:{}: {}", index + 1, around(line, start));
        }
        Ok(true)
    }

    fn into_text(mut self, pattern: &str, files: usize, more: bool) -> String {
        if self.matches == 0 {
            self.text = format!("No match for {} in {files} files.", cut(pattern, 100));
            if pattern.contains("\\n") || pattern.contains('\n') {
                self.text.push_str(" The search is line by line; a pattern cannot span lines.");
            }
            self.text.push('\n');
        }
        if let Some(time) = self.timed_out {
            let _ = writeln!(
                self.text,
                "The search was stopped after {} s, before it came to every file; narrow the pattern, path or glob.",
                time.as_secs()
            );
        } else if self.cut {
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
    let from = floor(line, start.saturating_sub(LINE / 4));
    let front = if from > 0 { "…" } else { "" };
    format!("{front}{}", cut(&line[from..], LINE))
}
