//! `baton.diff` and `baton.rollback`: what the workflow changed, as JSON for clients and as messages for the others.

use std::path::Path;

use serde_json::{Value, json};

use super::table::{DiffArguments, RollbackArguments};
use crate::contracts::RepoPath;
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::changes;
use crate::lsp::wire::{from_proto, to_proto};
use crate::workflow::{self, ChangedFile, RollbackRequest, RolledBack, StartError};
use crate::workspace::TextFile;

/// What the workflow, or one task of it, changed: one unified diff, and each file with its text from before and now.
pub(super) async fn diff(folder: &Folder, arguments: DiffArguments) -> Result<Value, Refused> {
    let (path, task) = (folder.path.clone(), arguments.task.clone());
    let result = folder.with_files(move |files| {
        let Some(store) = files.memory()? else { return Ok(json!({ "diff": "", "files": [] })) };
        let diff = workflow::diff(&store, &files.workspace, task.as_deref())?;
        let changes = changes::changes(&store, files, task.as_deref())?;
        let changed: Vec<Value> = changes.files().map(|file| changed_file(&path, file)).collect();
        let warnings = workflow::unverified(&store).map_err(StartError::from)?;
        Ok(json!({ "diff": diff, "files": changed, "warnings": warnings }))
    });
    let result = result.await?;
    if !folder.capabilities.plugin {
        changes::open_diff(folder, arguments.task).await?;
    }
    Ok(result)
}

fn changed_file(folder: &Path, file: &ChangedFile) -> Value {
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
    let path = folder.path.clone();
    let rolled_back = changes::roll_back(folder, move |files| request(&path, files, arguments));
    let (report, request) = rolled_back.await?;
    if !request.dry_run {
        folder.withdraw_question();
    }
    if !folder.capabilities.plugin {
        changes::show_report(folder, &report, &request);
    }
    let files: Vec<Value> = report.files.iter().map(rolled_back_file).collect();
    Ok(json!({ "dry_run": request.dry_run, "files": files, "message": changes::summary(&report, &request) }))
}

fn request(folder: &Path, files: &Files, arguments: RollbackArguments) -> Result<RollbackRequest, Refused> {
    let RollbackArguments { task, file, dry_run, undo } = arguments;
    let file = file.map(|file| file_below(folder, files, &file)).transpose()?;
    let (dry_run, undo) = (dry_run.unwrap_or_default(), undo.unwrap_or_default());
    if undo && (task.is_some() || file.is_some()) {
        return Err(Refused::Usage("undo takes back the last rollback as a whole; give no task and no file".into()));
    }
    Ok(RollbackRequest { task, file, dry_run, undo })
}

/// A file as clients name it: by its URI, by its whole path, or below the folder.
fn file_below(folder: &Path, files: &Files, file: &str) -> Result<RepoPath, Refused> {
    let path = from_proto::file(file);
    let below = path.strip_prefix(folder).or_else(|_| path.strip_prefix(files.workspace.root())).unwrap_or(&path);
    RepoPath::parse(&below.to_string_lossy()).map_err(|error| Refused::Usage(error.to_string()))
}

fn rolled_back_file(file: &RolledBack) -> Value {
    let (outcome, message) = changes::outcome(file);
    json!({ "path": file.path, "outcome": outcome, "message": message })
}
