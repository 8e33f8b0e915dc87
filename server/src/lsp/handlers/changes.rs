//! What the workflow changed: shown, and undone.

use std::path::Path;

use serde_json::{Value, json};

use super::super::commands::{DiffArguments, RollbackArguments};
use super::super::files::Files;
use super::super::folder::Folder;
use super::super::refused::Refused;
use super::super::{from_proto, to_proto};
use crate::contracts::RepoPath;
use crate::workflow::{self, ChangedFile, Changes, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack};
use crate::workspace::TextFile;

/// What the workflow, or one task of it, changed: one unified diff, and each file with its text from before and now.
pub(super) async fn diff(folder: &Folder, arguments: DiffArguments) -> Result<Value, Refused> {
    let path = folder.path.clone();
    folder
        .with_files(move |files| {
            let Some(store) = files.memory()? else { return Ok(json!({ "diff": "", "files": [] })) };
            let diff = workflow::diff(&store, &files.workspace, arguments.task.as_deref())?;
            let changes = match &arguments.task {
                Some(task) => Changes::of_task(&store, &files.workspace, task),
                None => Changes::load(&store, &files.workspace),
            };
            let changes = changes.map_err(workflow::StartError::from)?;
            let changed: Vec<Value> = changes.files().map(|file| shown(&path, file)).collect();
            Ok(json!({ "diff": diff, "files": changed }))
        })
        .await
}

fn shown(folder: &Path, file: &ChangedFile) -> Value {
    let text = |bytes: &Option<Vec<u8>>| Some(TextFile::decode(bytes.as_deref()?).ok()?.text().to_owned());
    let (lines_added, lines_removed) = file.counts();
    json!({
        "path": file.path,
        "uri": to_proto::uri(folder, file.path.as_str()),
        "change_type": file.change_type().as_str(),
        "lines_added": lines_added,
        "lines_removed": lines_removed,
        "tasks": file.tasks,
        "before": text(&file.before),
        "after": text(&file.now),
    })
}

/// Undo what the workflow, one task, or the last rollback did to all files or one.
pub(super) async fn rollback(folder: &Folder, arguments: RollbackArguments) -> Result<Value, Refused> {
    if let Some(run) = folder.at_work().await {
        return Err(Refused::AtWork(run));
    }
    let path = folder.path.clone();
    let report = folder.with_files(move |files| {
        let RollbackArguments { task, file, dry_run, undo } = arguments;
        let nothing = || Refused::Usage("there is nothing to roll back: nothing has been run here yet".to_owned());
        let store = files.memory()?.ok_or_else(nothing)?;
        let file = file.map(|file| file_below(&path, files, &file)).transpose()?;
        let (dry_run, undo) = (dry_run.unwrap_or_default(), undo.unwrap_or_default());
        if undo && (task.is_some() || file.is_some()) {
            return Err(Refused::Usage(
                "undo takes back the last rollback as a whole; give no task and no file".into(),
            ));
        }
        let request = RollbackRequest { task, file, dry_run, undo };
        Ok((workflow::rollback(&store, &files.workspace, &request)?, request))
    });
    let (report, request) = report.await?;
    if !request.dry_run {
        folder.show().await;
    }
    let files: Vec<Value> = report.files.iter().map(rolled_back).collect();
    Ok(json!({ "dry_run": request.dry_run, "files": files, "message": sum(&report, &request) }))
}

/// A file as clients name it: by its URI, by its whole path, or below the folder.
fn file_below(folder: &Path, files: &Files, file: &str) -> Result<RepoPath, Refused> {
    let path = from_proto::file(file);
    let below = path.strip_prefix(folder).or_else(|_| path.strip_prefix(files.workspace.root())).unwrap_or(&path);
    RepoPath::parse(&below.to_string_lossy()).map_err(|error| Refused::Usage(error.to_string()))
}

fn rolled_back(file: &RolledBack) -> Value {
    let (outcome, message) = match &file.outcome {
        RollbackOutcome::Restored => ("restored", "as it was before".to_owned()),
        RollbackOutcome::Deleted => ("deleted", "it was created by the workflow".to_owned()),
        RollbackOutcome::Merged => ("merged", "undone, and your edits since are kept".to_owned()),
        RollbackOutcome::Unchanged => ("unchanged", "as it should be already".to_owned()),
        RollbackOutcome::LeftAlone { why, before_image } => {
            let before = before_image.as_ref().map(|image| format!("; as it was before: {image}")).unwrap_or_default();
            ("left_alone", to_proto::plain(&format!("{why}{before}"), 1000))
        }
    };
    json!({ "path": file.path, "outcome": outcome, "message": message })
}

fn sum(report: &RollbackReport, request: &RollbackRequest) -> String {
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
    let mut message = format!("{verb} {}{left_alone}.", to_proto::count(report.files.len() - left, "file"));
    for note in &report.notes {
        message.push_str(&format!(" {}", to_proto::plain(note, 500)));
    }
    message
}
