//! `baton rollback`: undo what agents did to the files.

use std::path::Path;

use super::args::RollbackArgs;
use super::failure::{Failure, PERSON};
use super::output::ended;
use super::print;
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::contracts::RepoPath;
use crate::text;
use crate::workflow::{self, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack};

/// Roll back, or undo the last rollback. Files that were left alone need a person.
pub(super) fn rollback(start: &Start<'_>, args: RollbackArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        return Err(Failure::usage("there is nothing to roll back: nothing has been run here yet"));
    };
    let file = args.file.as_deref().map(|file| file_below(session.workspace.root(), file)).transpose()?;
    let request = RollbackRequest { task: args.task, file, dry_run: args.dry_run, undo: args.undo };
    let report = workflow::rollback(&store, &session.workspace, &request)?;
    let code = if report.left_alone().next().is_some() { PERSON } else { 0 };
    ended(code, print(&told(&report, &request)))
}

/// A file as the user names it: from the root, or from the top of the file system.
fn file_below(root: &Path, file: &Path) -> Result<RepoPath, Failure> {
    let below = file.strip_prefix(root).unwrap_or(file);
    RepoPath::parse(&below.to_string_lossy()).map_err(|error| Failure::usage(error.to_string()))
}

fn told(report: &RollbackReport, request: &RollbackRequest) -> String {
    let mut lines: Vec<String> = report.files.iter().map(line).collect();
    lines.push(String::new());
    lines.push(sum(report, request));
    lines.extend(report.notes.iter().map(|note| text::safe_line(note)));
    lines.join("\n")
}

fn line(file: &RolledBack) -> String {
    let path = text::safe_line(file.path.as_str());
    match &file.outcome {
        RollbackOutcome::Restored => format!("restored    {path}"),
        RollbackOutcome::Deleted => format!("deleted     {path}"),
        RollbackOutcome::Merged => format!("merged      {path} (your edits since are kept)"),
        RollbackOutcome::Unchanged => format!("unchanged   {path}"),
        RollbackOutcome::LeftAlone { why, before_image } => {
            let before = before_image.as_ref().map(|image| format!("; as it was before: {image}")).unwrap_or_default();
            format!("left alone  {path}: {}{}", text::safe_line(why), text::safe_line(&before))
        }
    }
}

fn sum(report: &RollbackReport, request: &RollbackRequest) -> String {
    let left = report.left_alone().count();
    let done = report.files.len() - left;
    let verb = match (request.dry_run, request.undo) {
        (true, _) => "Nothing was written. It would come to",
        (false, true) => "The rollback was undone:",
        (false, false) => "Rolled back:",
    };
    let left = match left {
        0 => String::new(),
        left => format!(", {} left alone", text::count(left, "file")),
    };
    format!("{verb} {}{left}.", text::count(done, "file"))
}
