use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::{ToolError, sentence};
use super::tool::{Shows, Tool};
use super::toolbox::Toolbox;
use crate::contracts::RepoPath;
use crate::text::{count, short_line};
use crate::workspace::{LoggedCommit, commits_of, is_secret};

const MOST_COMMITS: usize = 20;

/// Read the history.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Log {
    /// A file or folder, relative to the workspace root; all of the workspace if left out.
    path: Option<String>,
}

impl Tool for Log {
    const NAME: &'static str = "log";
    const DESCRIPTION: &'static str = "The last 20 commits of a file, a folder or the whole workspace, newest first: short hash, \
        date, author, first line of the message, number of files it changed. Merges and commits by bots are left out. A file is \
        followed to its earlier names. Read a file as it was then with read_file and at.";
    const SHOWS: Shows = Shows::OwnWork;

    fn activity(&self) -> String {
        match &self.path {
            Some(path) => format!("reading the history of {path}"),
            None => "reading the history".to_owned(),
        }
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let path = toolbox.folder(self.path.as_deref())?;
        if let Some(path) = &path {
            toolbox.check_name(path)?;
        }
        toolbox.check_history("go by the files themselves")?;
        let found = commits_of(&toolbox.workspace, path.as_ref(), MOST_COMMITS, &toolbox.interrupt)
            .map_err(|error| sentence(&error))?;
        let mut text: String = found.commits.iter().map(line).collect();
        if text.is_empty() {
            let place = path.map_or_else(|| "the workspace".to_owned(), |path| path.to_string());
            // Writing to a string does not fail.
            let _ = writeln!(text, "No commit of {place} was found.");
        }
        if let Some(words) = found.passed_over.words() {
            let _ = writeln!(text, "({words})");
        }
        if found.more {
            text.push_str("(older ones are not shown)\n");
        }
        if found.is_shallow {
            text.push_str("(this is a shallow clone, whose history is cut off)\n");
        }
        Ok(text)
    }
}

/// `1a2b3c4d5e 2026-01-31 Ada: mend the parser (3 files)`
fn line(commit: &LoggedCommit) -> String {
    const LONGEST: (usize, usize) = (40, 120);
    let LoggedCommit { hash, date, author, subject, files, renamed_from } = commit;
    let (author, subject) = (short_line(author, LONGEST.0), short_line(subject, LONGEST.1));
    // The name of a secret is not told, as listings do not tell it.
    let is_told = |from: &&str| RepoPath::parse(from).is_ok_and(|from| !is_secret(&from));
    let renamed =
        renamed_from.as_deref().filter(is_told).map(|from| format!(", renamed from {}", short_line(from, LONGEST.1)));
    format!("{hash} {date} {author}: {subject} ({}{})\n", count(*files, "file"), renamed.unwrap_or_default())
}
