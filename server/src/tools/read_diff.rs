use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};
use crate::contracts::RepoPath;
use crate::text::{count, cut};

const MOST_TEXT: usize = 64_000;
const LINE: usize = 1_000;

/// Read the diff.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ReadDiff {
    /// The changed file, relative to the workspace root; all of them if left out.
    path: Option<String>,
}

impl Tool for ReadDiff {
    const NAME: &'static str = "read_diff";
    const DESCRIPTION: &'static str = "Read what was changed, as a unified diff: of one file, or of all. At most 64000 \
        bytes at once; files that do not fit are named, to be read one by one.";
    const USERS: Users = Users::Reviewers;
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        match &self.path {
            Some(path) => format!("reading the diff of {path}"),
            None => "reading the diff".to_owned(),
        }
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let diffs = toolbox.diffs();
        if diffs.is_empty() {
            return Ok("Nothing was changed.\n".to_owned());
        }
        let Some(path) = toolbox.folder(self.path.as_deref())? else { return Ok(all(diffs)) };
        let keys = toolbox.workspace.file_keys(diffs.iter().map(|(file, _)| file).chain([&path]));
        let key = keys.key(&path);
        let is_asked = |file: &RepoPath| {
            keys.key(file).strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let chosen: Vec<(RepoPath, String)> = diffs.iter().filter(|(file, _)| is_asked(file)).cloned().collect();
        match chosen.as_slice() {
            [] => {
                let names: Vec<&str> = diffs.iter().take(50).map(|(file, _)| file.as_str()).collect();
                let more = if diffs.len() > names.len() { " and more" } else { "" };
                Err(format!("{path} was not changed. Changed are: {}{more}.", names.join(", ")).into())
            }
            [(_, diff)] => Ok(one(diff)),
            several => Ok(all(several)),
        }
    }
}

/// As many whole diffs as fit, and the names of the others.
fn all(diffs: &[(RepoPath, String)]) -> String {
    let mut text = String::new();
    let mut left_out = Vec::new();
    for (path, diff) in diffs {
        let shown = one(diff);
        if text.len() + shown.len() > MOST_TEXT && !text.is_empty() {
            left_out.push((path, diff.lines().count()));
        } else {
            text.push_str(&shown);
        }
    }
    if !left_out.is_empty() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "Left out, read them one by one with path:");
        for (path, lines) in left_out {
            let _ = writeln!(text, "{path} ({})", count(lines, "line"));
        }
    }
    text
}

fn one(diff: &str) -> String {
    let mut text = String::new();
    let total = diff.lines().count();
    for (index, line) in diff.lines().enumerate() {
        if text.len() > MOST_TEXT {
            let _ = writeln!(
                text,
                "The diff has {}; read the file itself with read_file.",
                count(total - index, "more line")
            );
            break;
        }
        text.push_str(&cut(line.trim_end_matches('\r'), LINE));
        text.push('\n');
    }
    text
}
