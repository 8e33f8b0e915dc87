//! `search`: `scan` finds the files with matches, `show` their lines; `pattern` is the regular expression of both.

mod pattern;
mod scan;
mod show;

use std::fmt::Write as _;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::folders::{Purpose, counts_by_folder};
use super::glob_list::GlobList;
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::text::{count, cut};
use pattern::Pattern;
use scan::{Found, Hit, Place, Sources};
use show::{Shown, show};

/// Files named in the modes that show no lines.
const MOST_NAMED: usize = 500;
const MOST_CONTEXT: i64 = 10;

/// Search files.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Search {
    /// The regular expression.
    pattern: String,
    /// Folder or file to search, relative to the workspace root; everything if left out.
    path: Option<String>,
    /// Only files that match: *.rs (at any depth), src/**/*.rs (by path), several with commas, !docs/** to leave out.
    glob: Option<GlobList>,
    /// How many lines to show before and after each matching one, at most 10; none if left out.
    context: Option<i64>,
    /// What to show: lines (the default), files (only their paths), or count (how many lines match in each file).
    #[schemars(extend("enum" = ["lines", "files", "count"]))]
    mode: Option<String>,
    /// Whether a match may span lines; false if left out.
    multiline: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Lines,
    Files,
    Count,
}

impl Tool for Search {
    const NAME: &'static str = "search";
    const DESCRIPTION: &'static str = "Search the text files of the workspace for a regular expression (Rust syntax: \
        no look-around, no back-references), line by line and case-sensitive ((?i) in front changes that). Answers, file \
        by file, the numbered lines: 12: matches, 11- is around a match, 3= begins the definition in which the next \
        ones stand. Sources come before tests, docs and vendored code. At most 200 matches are shown, then how many each \
        folder has; narrow with path or glob for the rest.";
    const SHOWS: Shows = Shows::Workspace;

    fn activity(&self) -> String {
        let pattern = cut(&self.pattern, 60);
        match &self.path {
            Some(path) => format!("searching {path} for {pattern}"),
            None => format!("searching for {pattern}"),
        }
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let pattern = Pattern::compile(&self.pattern, self.multiline.unwrap_or(false))?;
        let mode = Mode::parse(self.mode.as_deref())?;
        let globs = GlobList::globs(self.glob.as_ref())?;
        let sources = self.sources(toolbox)?;
        let mut found = sources.scan(&pattern, globs.as_ref(), mode == Mode::Files)?;
        // A stable sort: within a purpose the order of a listing stays.
        found.hits.sort_by_cached_key(|hit| Purpose::of(&hit.path));
        if found.hits.is_empty() {
            return Ok(self.nothing(&found));
        }
        let mut text = match mode {
            Mode::Lines => {
                let context = usize::try_from(self.context.unwrap_or(0).clamp(0, MOST_CONTEXT)).unwrap_or(0);
                let shown = show(&sources, &pattern, &found.hits, context)?;
                lines(shown, &found, self.multiline.unwrap_or(false))
            }
            Mode::Files | Mode::Count => named(&found.hits, mode == Mode::Count),
        };
        if let Some(time) = found.timed_out {
            text.push_str(&timed_out(time));
        } else if found.more {
            text.push_str("Not every file was searched; narrow with path or glob.\n");
        }
        Ok(text)
    }
}

impl Search {
    fn sources<'a>(&self, toolbox: &'a Toolbox) -> Result<Sources<'a>, ToolError> {
        let place = toolbox.folder(self.path.as_deref())?;
        let overlay = toolbox.overlay();
        let is_file = |path: &_| overlay.get(path).map_or_else(|| toolbox.workspace.is_file(path), Option::is_some);
        let place = match place {
            Some(path) if is_file(&path) => {
                if !overlay.contains_key(&path) {
                    // A walk skips secrets and ignored files by itself.
                    toolbox.check_open(&path)?;
                }
                Place::File(path)
            }
            folder => Place::Folder(folder),
        };
        Ok(Sources { toolbox, place, overlay })
    }

    fn nothing(&self, found: &Found) -> String {
        let mut text = format!("No match for {} in {}.", cut(&self.pattern, 100), count(found.searched, "file"));
        if let (0, Some(glob)) = (found.searched, &self.glob) {
            // Writing to a string does not fail.
            let _ = write!(text, " No file matches {glob} (ignored files and secrets are not searched).");
        }
        if found.more {
            text.push_str(" Not every file was searched; narrow with path or glob.");
        }
        text.push('\n');
        text
    }
}

impl Mode {
    fn parse(text: Option<&str>) -> Result<Self, ToolError> {
        match text.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "lines" | "content" => Ok(Self::Lines),
            "files" | "files_with_matches" => Ok(Self::Files),
            "count" => Ok(Self::Count),
            other => Err(format!("The mode must be lines, files or count, not {:?}.", cut(other, 60)).into()),
        }
    }
}

/// What is shown of the matches, and what is to be said of the rest.
fn lines(shown: Shown, found: &Found, spans_lines: bool) -> String {
    let mut text = shown.text;
    let total: usize = found.hits.iter().map(|hit| hit.count).sum();
    let is_all = found.timed_out.is_none() && !found.more;
    if shown.matches < total {
        let matches = if spans_lines { "matches" } else { "matching lines" };
        text.push_str(if text.is_empty() { "" } else { "\n" });
        if let (Some(time), None) = (shown.timed_out, found.timed_out) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "There was no time to show more: it took longer than {} s.", time.as_secs());
        }
        let _ = writeln!(
            text,
            "These are {} of {total} {matches}, in {} of {}; narrow the pattern, path or glob, or ask with mode files or \
             count. {} by folder:",
            shown.matches,
            shown.files,
            count(found.hits.len(), "file"),
            if is_all { format!("All {matches}") } else { "What was found".to_owned() },
        );
        text.push_str(&counts_by_folder(found.hits.iter().map(|hit| (&hit.path, hit.count))));
    }
    text
}

/// The paths, and with `counts` how many lines match in each.
fn named(hits: &[Hit], counts: bool) -> String {
    let mut text = String::new();
    for hit in hits.iter().take(MOST_NAMED) {
        // Writing to a string does not fail.
        let _ = match counts {
            true => writeln!(text, "{}: {}", hit.path, hit.count),
            false => writeln!(text, "{}", hit.path),
        };
    }
    if counts {
        let total = hits.iter().map(|hit| hit.count).sum();
        let _ = writeln!(text, "{} in {}.", count(total, "matching line"), count(hits.len(), "file"));
    }
    if hits.len() > MOST_NAMED {
        let what = if counts { "Matches" } else { "Files with matches" };
        let _ = writeln!(
            text,
            "These are {MOST_NAMED} of {} files; narrow the pattern, path or glob. {what} by folder:",
            hits.len()
        );
        text.push_str(&counts_by_folder(hits.iter().map(|hit| (&hit.path, hit.count))));
    }
    text
}

fn timed_out(time: Duration) -> String {
    format!(
        "The search was stopped after {} s, before it came to every file; narrow the pattern, path or glob.\n",
        time.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::fixture::path;

    fn found(timed_out: Option<Duration>) -> Found {
        let hits = vec![Hit { path: path("src/a.rs"), count: 3 }, Hit { path: path("b.rs"), count: 1 }];
        Found { hits, searched: 9, more: false, timed_out }
    }

    #[test]
    fn what_there_was_no_time_for_is_told_as_it_was() {
        let time = Some(Duration::from_secs(30));
        let folders = "     1 in the root itself\n     3 src/\n";
        let ask = "narrow the pattern, path or glob, or ask with mode files or count.";
        // All was searched; not all could be shown.
        let one = Shown { text: "src/a.rs\n1:x\n".to_owned(), matches: 1, files: 1, timed_out: time };
        assert_eq!(
            lines(one, &found(None), false),
            format!(
                "src/a.rs\n1:x\n\nThere was no time to show more: it took longer than 30 s.\nThese are 1 of 4 matching \
                 lines, in 1 of 2 files; {ask} All matching lines by folder:\n{folders}"
            )
        );
        // Not all was searched, and then there was no time to show anything: that the search was stopped is said behind it.
        let none = || Shown { timed_out: time, ..Shown::default() };
        assert_eq!(
            lines(none(), &found(time), true),
            format!("These are 0 of 4 matches, in 0 of 2 files; {ask} What was found by folder:\n{folders}")
        );
        let nothing = lines(none(), &found(None), false);
        assert!(nothing.starts_with("There was no time to show more: it took"), "{nothing}");
        let all = Shown { text: "all".to_owned(), matches: 4, files: 2, timed_out: None };
        assert_eq!(lines(all, &found(None), false), "all");
    }
}
