//! What the workflow changed: shown, and undone.

use std::path::Path;

use serde_json::{Value, json};
use tower_lsp::lsp_types::MessageType;

use super::table::{DiffArguments, RollbackArguments};
use crate::contracts::RepoPath;
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::wire::from_proto;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::memory::Store;
use crate::workflow::{self, ChangedFile, Changes, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack};
use crate::workspace::{self, TextFile};

/// What the workflow, or one task of it, changed: one unified diff, and each file with its text from before and now.
pub(super) async fn diff(folder: &Folder, arguments: DiffArguments) -> Result<Value, Refused> {
    let (path, task) = (folder.path.clone(), arguments.task.clone());
    let result = folder.with_files(move |files| {
        let Some(store) = files.memory()? else { return Ok(json!({ "diff": "", "files": [] })) };
        let diff = workflow::diff(&store, &files.workspace, task.as_deref())?;
        let changes = changes(&store, files, task.as_deref())?;
        let changed: Vec<Value> = changes.files().map(|file| shown(&path, file)).collect();
        let warnings = workflow::uncounted(&store).map_err(workflow::StartError::from)?;
        Ok(json!({ "diff": diff, "files": changed, "warnings": warnings }))
    });
    let result = result.await?;
    if !folder.capabilities.plugin {
        show(folder, arguments.task).await?;
    }
    Ok(result)
}

fn changes(store: &Store, files: &Files, task: Option<&str>) -> Result<Changes, Refused> {
    let changes = match task {
        Some(task) => Changes::of_task(store, &files.workspace, task),
        None => Changes::load(store, &files.workspace),
    };
    Ok(changes.map_err(workflow::StartError::from)?)
}

/// Open a diff of what the workflow, or one task of it, changed, in the editor.
pub(crate) async fn show(folder: &Folder, task: Option<String>) -> Result<(), Refused> {
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
        workspace::replace(&store.run_folder(&run)?, &name, changes.unified().as_bytes(), 0o600)
            .map_err(|source| store.file_error("write", &name, source))?;
        Ok(Some((store.name(&format!("runs/{run}/{name}")), summaries)))
    });
    match written.await? {
        Some((file, summaries)) => {
            let path = folder.path.join(&file);
            let (count, list) = (to_proto::count(summaries.len(), "file"), to_proto::plain(&summaries.join("; "), 800));
            let message = format!("Baton: {count} changed: {list}. The diff is in {}.", path.display());
            window::open_or_tell(&folder.client, folder.capabilities.show_document, &path, None, message);
        }
        None => window::tell(&folder.client, MessageType::INFO, "Baton: the workflow has changed no file."),
    }
    let absent = folder.with_files(|files| {
        let absent = files.memory()?.map(|store| workflow::uncounted(&store)).transpose();
        Ok(absent.map_err(workflow::StartError::from)?.unwrap_or_default())
    });
    for warning in absent.await? {
        window::tell(&folder.client, MessageType::WARNING, format!("Baton: {}", to_proto::plain(&warning, 600)));
    }
    Ok(())
}

/// Undo everything the workflow did to files, and say what became of them.
pub(crate) async fn undo(folder: &Folder) -> Result<(), Refused> {
    let (report, request) = roll_back(folder, RollbackArguments::default()).await?;
    told(folder, &report, &request);
    Ok(())
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
    let (report, request) = roll_back(folder, arguments).await?;
    if !request.dry_run {
        folder.withdraw_offer();
    }
    if !folder.capabilities.plugin {
        told(folder, &report, &request);
    }
    let files: Vec<Value> = report.files.iter().map(rolled_back).collect();
    Ok(json!({ "dry_run": request.dry_run, "files": files, "message": sum(&report, &request) }))
}

async fn roll_back(
    folder: &Folder,
    arguments: RollbackArguments,
) -> Result<(RollbackReport, RollbackRequest), Refused> {
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
    Ok((report, request))
}

fn told(folder: &Folder, report: &RollbackReport, request: &RollbackRequest) {
    let left: Vec<&RolledBack> = report.left_alone().collect();
    let typ = if left.is_empty() { MessageType::INFO } else { MessageType::WARNING };
    let mut message = format!("Baton: {}", sum(report, request));
    for file in &report.files {
        let (outcome, why) = outcome(file);
        message.push_str(&format!(
            "\n{}: {}, {why}",
            to_proto::plain(file.path.as_str(), 300),
            outcome.replace('_', " ")
        ));
    }
    window::tell(&folder.client, typ, message);
}

/// A file as clients name it: by its URI, by its whole path, or below the folder.
fn file_below(folder: &Path, files: &Files, file: &str) -> Result<RepoPath, Refused> {
    let path = from_proto::file(file);
    let below = path.strip_prefix(folder).or_else(|_| path.strip_prefix(files.workspace.root())).unwrap_or(&path);
    RepoPath::parse(&below.to_string_lossy()).map_err(|error| Refused::Usage(error.to_string()))
}

fn rolled_back(file: &RolledBack) -> Value {
    let (outcome, message) = outcome(file);
    json!({ "path": file.path, "outcome": outcome, "message": message })
}

/// The word for what became of a file, and a few words more.
fn outcome(file: &RolledBack) -> (&'static str, String) {
    match &file.outcome {
        RollbackOutcome::Restored => ("restored", "as it was before".to_owned()),
        RollbackOutcome::Deleted => ("deleted", "it was created by the workflow".to_owned()),
        RollbackOutcome::Merged => ("merged", "undone, and your edits since are kept".to_owned()),
        RollbackOutcome::Unchanged => ("unchanged", "as it should be already".to_owned()),
        RollbackOutcome::LeftAlone { why, before_image } => {
            let before = before_image.as_ref().map(|image| format!("; as it was before: {image}")).unwrap_or_default();
            ("left_alone", to_proto::plain(&format!("{why}{before}"), 1000))
        }
    }
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
