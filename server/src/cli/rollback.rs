//! `baton rollback`: undo what agents did to the files.

use super::args::RollbackArgs;
use super::failure::{Failure, PERSON};
use super::output::{exit_code_after, print, status_after, way_on_lines_after};
use super::session::{Session, Start};
use crate::config::Overrides;
use crate::text;
use crate::workflow::{self, RollbackNote, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack};

/// Roll back, or undo the last rollback. Exit code 3 where files were left alone.
pub(super) fn rollback(start: &Start<'_>, args: RollbackArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let Some(store) = session.memory()? else {
        return Err(Failure::usage("there is nothing to undo: nothing has been run here yet"));
    };
    let file = args.file.as_deref().map(|file| session.file(file)).transpose()?;
    let RollbackArgs { workflow, task, hunks, dry_run, undo, .. } = args;
    let request = RollbackRequest { workflow, task, file, hunks, dry_run, undo };
    let report = workflow::rollback(&store, &session.workspace, &request)?;
    let code = if report.left_alone().next().is_some() { PERSON } else { 0 };
    let mut lines = vec![report_text(&report, &request)];
    if !request.dry_run && request.workflow.is_none() {
        lines.extend(way_on_lines_after(status_after(&store, &session.settings, &session.phases)));
    }
    exit_code_after(code, print(&lines.join("\n")))
}

fn report_text(report: &RollbackReport, request: &RollbackRequest) -> String {
    let mut lines: Vec<String> = report.files.iter().map(file_line).collect();
    lines.push(String::new());
    lines.push(summary_line(report, request));
    lines.extend(report.notes.iter().filter_map(|note| note_line(note, request)));
    lines.join("\n")
}

/// A note, but for those that the ways on say.
fn note_line(note: &RollbackNote, request: &RollbackRequest) -> Option<String> {
    Some(match note {
        RollbackNote::Unfinished => {
            let undo = if request.undo { " --undo" } else { "" };
            format!(
                "Put right what keeps the rest; then `baton rollback{}{undo}` again handles it.",
                of_workflow(request)
            )
        }
        RollbackNote::GateAgain => "The plan waits for your answer again.".to_owned(),
        // Of the workflow at hand the ways on say it.
        RollbackNote::CanBeUndone if request.workflow.is_some() => {
            format!("`baton rollback{} --undo` brings it back.", of_workflow(request))
        }
        RollbackNote::CanBeUndone => return None,
        RollbackNote::Other(note) => text::safe_line(note),
    })
}

/// The flag that names the workflow again.
fn of_workflow(request: &RollbackRequest) -> String {
    request.workflow.as_ref().map(|id| format!(" --workflow {}", text::short_line(id, 40))).unwrap_or_default()
}

fn file_line(file: &RolledBack) -> String {
    let path = text::safe_line(file.path.as_str());
    match &file.outcome {
        RollbackOutcome::Restored => format!("restored    {path}"),
        RollbackOutcome::Deleted => format!("deleted     {path}"),
        RollbackOutcome::Merged => format!("merged      {path} (your edits since are kept)"),
        RollbackOutcome::InPart => {
            format!("undone      {path}: {} (the rest stays)", text::count(file.hunks.len(), "hunk"))
        }
        RollbackOutcome::Unchanged => format!("unchanged   {path}"),
        RollbackOutcome::LeftAlone { why, before_image } => {
            let before = before_image.as_ref().map(|image| format!("; as it was before: {image}")).unwrap_or_default();
            format!("left alone  {path}: {}{}", text::safe_line(why), text::safe_line(&before))
        }
    }
}

fn summary_line(report: &RollbackReport, request: &RollbackRequest) -> String {
    let left = report.left_alone().count();
    let done = report.files.len() - left;
    let is_unchanged = |file: &RolledBack| matches!(file.outcome, RollbackOutcome::Unchanged);
    if request.undo && !request.dry_run && report.files.iter().all(is_unchanged) {
        return "No rollback is left to undo; nothing was changed.".to_owned();
    }
    let verb = match (request.dry_run, request.undo) {
        (true, _) => "Nothing was written. It would come to",
        (false, true) => "Brought back:",
        (false, false) => "Undone:",
    };
    let left = match left {
        0 => String::new(),
        left => format!(", {} left alone", text::count(left, "file")),
    };
    format!("{verb} {}{left}.", text::count(done, "file"))
}
