//! What is to become of one file, shown or done.

use crate::cli::failure::Failure;
use crate::cli::output::print;
use crate::contracts::RepoPath;
use crate::text;
use crate::workspace::{Workspace, unified};

/// One file, and what is to become of it.
pub(super) struct Proposal {
    pub(super) path: RepoPath,
    /// Its text as it stands; `None` where there is no file.
    pub(super) before: Option<String>,
    pub(super) outcome: Outcome,
}

/// What is to become of a file.
pub(super) enum Outcome {
    /// It gets this text.
    Write(String),
    /// It is as it would be written.
    Same,
    /// It is left alone, for this reason.
    Left(String),
}

impl Proposal {
    /// What is to become of the file at `path`, by what `decide` says of its text. Where it cannot be read, it is left alone.
    pub(super) fn of(
        workspace: &Workspace,
        path: &str,
        decide: impl FnOnce(Option<&str>) -> Outcome,
    ) -> Result<Self, Failure> {
        let path = RepoPath::parse(path).map_err(|error| Failure::failed(error.to_string()))?;
        Ok(match workspace.own_file(&path) {
            Ok(before) => Self { outcome: decide(before.as_deref()), path, before },
            Err(error) => Self { outcome: Outcome::Left(error.to_string()), path, before: None },
        })
    }

    /// Whether something stands in the way of it.
    pub(super) fn is_left(&self) -> bool {
        matches!(self.outcome, Outcome::Left(_))
    }

    /// Print what a dry run shows: the text of a new file, the difference of another.
    pub(super) fn show(&self) -> Result<(), Failure> {
        let path = &self.path;
        match (&self.outcome, &self.before) {
            (Outcome::Write(text), None) => print(&format!("Would write {path}:\n\n{}", text::safe_lines(text))),
            (Outcome::Write(text), Some(before)) => {
                let diff = unified(path, Some(before.as_bytes()), Some(text.as_bytes()));
                print(&format!("Would change {path}:\n\n{}", text::safe_lines(&diff)))
            }
            _ => self.say_unchanged(),
        }
    }

    /// Write the file, where it is to be written, and say so. A file that was changed meanwhile is left alone.
    pub(super) fn carry_out(&self, workspace: &Workspace) -> Result<(), Failure> {
        let Outcome::Write(text) = &self.outcome else { return self.say_unchanged() };
        let before = self.before.as_deref().unwrap_or_default();
        let written = workspace.change_own_file(&self.path, |now| match now == before {
            true => Ok(text.clone()),
            false => Err(format!("{} was changed at the same time; try again", self.path)),
        });
        written.map_err(|error| Failure::failed(error.to_string()))?;
        print(&format!("{} {}", if self.before.is_some() { "Changed" } else { "Wrote" }, self.path))
    }

    fn say_unchanged(&self) -> Result<(), Failure> {
        match &self.outcome {
            Outcome::Left(why) => print(&format!("Left alone: {}: {}", self.path, text::safe_line(why))),
            _ => print(&format!("Unchanged: {}", self.path)),
        }
    }
}
