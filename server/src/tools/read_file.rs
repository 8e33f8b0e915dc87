use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::line_ranges::LineRanges;
use super::show::push_numbered;
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::contracts::short_commit;
use crate::text::count;

const MOST_LINES: usize = 2_000;
const MOST_TEXT: usize = 64_000;
const MOST_RANGES: usize = 50;

/// Read a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReadFile {
    /// The file, relative to the workspace root.
    path: String,
    /// First line to show, from 1; the beginning if left out.
    start_line: Option<i64>,
    /// Last line to show, inclusive; the end if left out.
    end_line: Option<i64>,
    /// Several stretches at once, in place of start_line and end_line: "15-33, 205-275".
    ranges: Option<LineRanges>,
    /// Read it as this commit has it: a hash, a tag, a branch, HEAD or HEAD~2. The file as it is now if left out.
    at: Option<String>,
}

impl ReadFile {
    /// The lines that are asked for, from 1, in their order; those that touch are one.
    ///
    /// # Errors
    /// In words for the model.
    fn asked(&self, path: &str, total: usize) -> Result<Vec<(usize, usize)>, String> {
        let mut ranges = self.ranges.as_ref().map(|ranges| ranges.0.clone()).unwrap_or_default();
        if ranges.is_empty() || self.start_line.is_some() || self.end_line.is_some() {
            ranges.push((self.start_line.unwrap_or(1), self.end_line.unwrap_or(i64::MAX)));
        }
        if ranges.len() > MOST_RANGES {
            return Err(format!("At most {MOST_RANGES} ranges are read at once."));
        }
        let mut asked: Vec<(usize, usize)> = Vec::with_capacity(ranges.len());
        for (start, end) in ranges {
            let (start, end) = (usize::try_from(start).unwrap_or(1).max(1), usize::try_from(end).unwrap_or(0));
            if start > total {
                return Err(format!("{path} has {}; start_line {start} is after its end.", count(total, "line")));
            }
            if end < start {
                let lines = count(total, "line");
                return Err(format!("end_line {end} is before start_line {start}; {path} has {lines}."));
            }
            asked.push((start, end.min(total)));
        }
        asked.sort_unstable();
        asked.dedup_by(|next, before| {
            let touches = next.0 <= before.1 + 1;
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        Ok(asked)
    }

    /// The commit that is asked for.
    fn commit(&self) -> Option<&str> {
        self.at.as_deref().map(str::trim).filter(|at| !at.is_empty())
    }
}

impl Tool for ReadFile {
    const NAME: &'static str = "read_file";
    const DESCRIPTION: &'static str = "Read a text file. Answers its lines with their numbers (number, tab, text; the \
        number is not part of the file). At most 2000 lines or 64000 bytes at once; read on with start_line. Ask for several stretches of a file in one call, by ranges. Lines are cut \
        after 2000 characters. Ignored, binary and secret files are not read.";
    const SHOWS: Shows = Shows::File;

    fn activity(&self) -> String {
        let what = match (self.start_line, self.end_line) {
            (None, None) => match self.ranges.as_ref().filter(|ranges| !ranges.0.is_empty()) {
                Some(ranges) => format!("reading {} lines {ranges}", self.path),
                None => format!("reading {}", self.path),
            },
            (Some(start), None) => format!("reading {} from line {start}", self.path),
            (start, Some(end)) => format!("reading {} lines {}-{end}", self.path, start.unwrap_or(1)),
        };
        self.commit().map_or_else(|| what.clone(), |at| format!("{what} at {at}"))
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let path = toolbox.path(&self.path)?;
        let (file, path) = match self.commit() {
            Some(at) => {
                let (file, commit) = toolbox.read_past_text(&path, at)?;
                (file, format!("{path} at {}", short_commit(&commit)))
            }
            None => (toolbox.read_text(&path)?, path.to_string()),
        };
        let shown = file.masked_text();
        let total = shown.lines().count();
        if total == 0 {
            return Ok(format!("{path} is empty.\n"));
        }
        let asked = self.asked(&path, total)?;
        let lines: Vec<&str> = shown.lines().collect();
        let (mut text, mut read, mut left) = (String::new(), Vec::new(), Vec::new());
        let mut number_of_lines = 0;
        for (start, end) in asked {
            let is_room = number_of_lines < MOST_LINES && text.len() <= MOST_TEXT;
            if is_room && !read.is_empty() {
                text.push_str("      …\n");
            }
            let mut next = start;
            while next <= end && number_of_lines < MOST_LINES && text.len() <= MOST_TEXT {
                push_numbered(&mut text, next, lines.get(next - 1).copied().unwrap_or_default());
                (next, number_of_lines) = (next + 1, number_of_lines + 1);
            }
            read.extend((next > start).then(|| (start, next - 1)));
            left.extend((next <= end).then_some((next, end)));
        }
        if read == [(1, total)] {
            return Ok(format!("{path}, {}:\n{text}", count(total, "line")));
        }
        match left.as_slice() {
            [] => {}
            [(next, _)] => text.push_str(&format!("The rest was left out; read on with start_line {next}.\n")),
            several => text.push_str(&format!("The rest was left out; read on with ranges {:?}.\n", listed(several))),
        }
        Ok(format!("{path}, lines {} of {total}:\n{text}", listed(&read)))
    }
}

/// `15-33, 205-275`
fn listed(ranges: &[(usize, usize)]) -> String {
    ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(", ")
}
