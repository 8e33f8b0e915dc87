use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::show::push_numbered;
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::contracts::short_commit;
use crate::text::count;

const MOST_LINES: usize = 2_000;
const MOST_TEXT: usize = 64_000;

/// Read a file.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReadFile {
    /// The file, relative to the workspace root.
    path: String,
    /// First line to show, from 1; the beginning if left out.
    start_line: Option<i64>,
    /// Last line to show, inclusive; the end if left out.
    end_line: Option<i64>,
    /// Read it as this commit has it: a hash, a tag, a branch, HEAD or HEAD~2. The file as it is now if left out.
    at: Option<String>,
}

impl ReadFile {
    /// The commit that is asked for.
    fn commit(&self) -> Option<&str> {
        self.at.as_deref().map(str::trim).filter(|at| !at.is_empty())
    }
}

impl Tool for ReadFile {
    const NAME: &'static str = "read_file";
    const DESCRIPTION: &'static str = "Read a text file. Answers its lines with their numbers (number, tab, text; the \
        number is not part of the file). At most 2000 lines or 64000 bytes at once; read on with start_line. Lines are cut \
        after 2000 characters. Ignored, binary and secret files are not read.";
    const SHOWS: Shows = Shows::File;

    fn activity(&self) -> String {
        let what = match (self.start_line, self.end_line) {
            (None, None) => format!("reading {}", self.path),
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
        let start = usize::try_from(self.start_line.unwrap_or(1)).unwrap_or(1).max(1);
        let end = usize::try_from(self.end_line.unwrap_or(i64::MAX)).unwrap_or(0);
        if start > total {
            return Err(format!("{path} has {}; start_line {start} is after its end.", count(total, "line")).into());
        }
        if end < start {
            return Err(
                format!("end_line {end} is before start_line {start}; {path} has {}.", count(total, "line")).into()
            );
        }
        let end = end.min(total);
        let mut text = String::new();
        let mut last = start;
        for (number, line) in (start..=end).zip(shown.lines().skip(start - 1)) {
            if number - start == MOST_LINES || text.len() > MOST_TEXT {
                break;
            }
            push_numbered(&mut text, number, line);
            last = number;
        }
        if start == 1 && last == total {
            return Ok(format!("{path}, {}:\n{text}", count(total, "line")));
        }
        if last < end {
            text.push_str(&format!("The rest was left out; read on with start_line {}.\n", last + 1));
        }
        Ok(format!("{path}, lines {start}-{last} of {total}:\n{text}"))
    }
}
