//! What a workflow changed: its diff opened in the editor, and its rollback.

use tower_lsp::lsp_types::MessageType;

use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::{to_proto, window};
use crate::memory::Store;
use crate::workflow::{
    self, ChangedFile, Changes, RollbackNote, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack, StartError,
};

/// What the workflow, or one task of it, changed.
///
/// # Errors
/// When its journals cannot be read.
pub(crate) fn changes(store: &Store, files: &Files, task: Option<&str>) -> Result<Changes, Refused> {
    let changes = match task {
        Some(task) => Changes::of_task(store, &files.workspace, task),
        None => Changes::load(store, &files.workspace),
    };
    Ok(changes.map_err(StartError::from)?)
}

/// Open a diff of what the workflow, or one task of it, changed, in the editor.
///
/// # Errors
/// When the memory cannot be read, or the diff cannot be written.
pub(crate) async fn open_diff(folder: &Folder, task: Option<String>) -> Result<(), Refused> {
    let written = folder.with_files(move |files| {
        let Some(store) = files.memory()? else { return Ok(None) };
        let changes = changes(&store, files, task.as_deref())?;
        let summaries: Vec<String> = changes.files().map(ChangedFile::summary).collect();
        let Some(run) = store.workflow_runs()?.pop().filter(|_| !summaries.is_empty()) else { return Ok(None) };
        let name = match task {
            // A task's id may hold anything; a file's name may not.
            Some(task) => format!("changes-{}.diff", task.replace(|c: char| !c.is_ascii_alphanumeric(), "-")),
            None => "changes.diff".to_owned(),
        };
        Ok(Some((store.write_run_file(&run, &name, changes.unified().as_bytes())?, summaries)))
    });
    match written.await? {
        Some((file, summaries)) => {
            let path = folder.path.join(&file);
            let (count, list) = (to_proto::count(summaries.len(), "file"), to_proto::plain(&summaries.join("; "), 800));
            let message = format!("Baton: {count} changed: {list}. The diff is in {}.", path.display());
            window::open_or_show_message(&folder.client, folder.capabilities.show_document, &path, None, message);
        }
        None => window::show_message(&folder.client, MessageType::INFO, "Baton: the workflow has changed no file."),
    }
    let uncounted = folder.with_files(|files| {
        let uncounted = files.memory()?.map(|store| workflow::unverified(&store)).transpose();
        Ok(uncounted.map_err(StartError::from)?.unwrap_or_default())
    });
    for warning in uncounted.await? {
        let message = format!("Baton: {}", to_proto::plain(&warning, 600));
        window::show_message(&folder.client, MessageType::WARNING, message);
    }
    Ok(())
}

/// Roll back as asked, and show what became of each file.
///
/// # Errors
/// As [`roll_back`].
pub(super) async fn undo(folder: &Folder, request: RollbackRequest) -> Result<(), Refused> {
    let (report, request) = roll_back(folder, |_| Ok(request)).await?;
    show_report(folder, &report, &request);
    Ok(())
}

/// Roll back what `request` makes of the folder's files, unless a run is active.
///
/// # Errors
/// When a run is active, there is nothing to roll back, the request is refused, or the rollback fails.
pub(crate) async fn roll_back(
    folder: &Folder,
    request: impl FnOnce(&Files) -> Result<RollbackRequest, Refused> + Send + 'static,
) -> Result<(RollbackReport, RollbackRequest), Refused> {
    if let Some(run) = folder.active_run().await {
        return Err(Refused::RunActive(run));
    }
    let report = folder.with_files(move |files| {
        let nothing = || Refused::Usage("there is nothing to undo: nothing has been run here yet".to_owned());
        let store = files.memory()?.ok_or_else(nothing)?;
        let request = request(files)?;
        Ok((workflow::rollback(&store, &files.workspace, &request)?, request))
    });
    let (report, request) = report.await?;
    if !request.dry_run {
        folder.refresh().await;
    }
    Ok((report, request))
}

/// Show a rollback's report in the editor's window.
pub(crate) fn show_report(folder: &Folder, report: &RollbackReport, request: &RollbackRequest) {
    let typ = if report.left_alone().next().is_none() { MessageType::INFO } else { MessageType::WARNING };
    let mut message = format!("Baton: {}", summary_with_commands(report, request));
    for file in &report.files {
        message.push_str(&format!("\n{}", line(file)));
    }
    window::show_message(&folder.client, typ, message);
}

/// `src/a.rs: restored, as it was before`
pub(crate) fn line(file: &RolledBack) -> String {
    let (outcome, why) = outcome(file);
    format!("{}: {}, {why}", to_proto::plain(file.path.as_str(), 300), outcome.replace('_', " "))
}

/// The word for what became of a file, and the reason for people.
pub(crate) fn outcome(file: &RolledBack) -> (&'static str, String) {
    match &file.outcome {
        RollbackOutcome::Restored => ("restored", "as it was before".to_owned()),
        RollbackOutcome::Deleted => ("deleted", "it was created by the workflow".to_owned()),
        RollbackOutcome::Merged => ("merged", "undone, and your edits since are kept".to_owned()),
        RollbackOutcome::InPart => {
            ("in_part", format!("{} undone; the rest stays", to_proto::count(file.hunks.len(), "change")))
        }
        RollbackOutcome::Unchanged => ("unchanged", "as it should be already".to_owned()),
        RollbackOutcome::LeftAlone { why, before_image } => {
            let before = before_image.as_ref().map(|image| format!("; as it was before: {image}")).unwrap_or_default();
            ("left_alone", to_proto::plain(&format!("{why}{before}"), 1000))
        }
    }
}

/// A rollback in one sentence, and its notes, naming no command: the client has its own.
pub(crate) fn summary(report: &RollbackReport, request: &RollbackRequest) -> String {
    sentences(report, request, &|note| match note {
        RollbackNote::Unfinished => Some("Put right what keeps the rest, then undo again.".to_owned()),
        RollbackNote::GateAgain => Some("The plan waits for your answer again.".to_owned()),
        RollbackNote::CanBeUndone => None,
        RollbackNote::Other(note) => Some(to_proto::plain(note, 500)),
    })
}

/// The same for people whose editor has no interface of ours, with the commands of this server.
fn summary_with_commands(report: &RollbackReport, request: &RollbackRequest) -> String {
    let of = request.workflow.as_ref().map(|id| format!("\"workflow\": \"{}\", ", to_proto::plain(id, 40)));
    let undo = format!("baton.rollback with {{{}\"undo\": true}}", of.unwrap_or_default());
    let again = if request.undo { undo.as_str() } else { "the same command" };
    sentences(report, request, &|note| match note {
        RollbackNote::Unfinished => Some(format!("Put right what keeps the rest, then {again} handles it.")),
        RollbackNote::GateAgain => {
            Some("The plan waits for your answer again: baton.approve, or baton.reset to start over.".to_owned())
        }
        RollbackNote::CanBeUndone => Some(format!("{undo} takes this back.")),
        RollbackNote::Other(note) => Some(to_proto::plain(note, 500)),
    })
}

fn sentences(
    report: &RollbackReport,
    request: &RollbackRequest,
    words: &dyn Fn(&RollbackNote) -> Option<String>,
) -> String {
    let left = report.left_alone().count();
    let verb = match (request.dry_run, request.undo) {
        (true, _) => "Nothing was written. It would come to",
        (false, true) => "The rollback was undone:",
        (false, false) => "Rolled back:",
    };
    let left_alone = match left {
        0 => String::new(),
        left => format!(", {} left alone", to_proto::count(left, "file")),
    };
    let done = format!("{verb} {}{left_alone}.", to_proto::count(report.files.len() - left, "file"));
    let notes = report.notes.iter().filter_map(words);
    std::iter::once(done).chain(notes).collect::<Vec<_>>().join(" ")
}
