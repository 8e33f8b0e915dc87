//! `baton.diff` and `baton.rollback`: what the workflow changed, as JSON for clients and as messages for the others.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::confirmation::Confirmation;
use super::table::{DiffArguments, RollbackArguments};
use crate::contracts::RepoPath;
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::lsp::run::changes;
use crate::lsp::virtual_documents::uri::DocumentUri;
use crate::lsp::wire::{from_proto, to_proto};
use crate::memory::RunId;
use crate::workflow::{
    self, BeforeImages, ChangedFile, Hunk, Hunks, RollbackOutcome, RollbackReport, RollbackRequest, RolledBack,
    StartError,
};
use crate::workspace::TextFile;

const UNDO: &str = "Undo";
const BRING_BACK: &str = "Bring It Back";

/// What the workflow, or one task of it, changed: one unified diff, and each file with its text from before and now.
pub(super) async fn diff(folder: &Folder, arguments: DiffArguments) -> Result<Value, Refused> {
    let (path, task) = (folder.path.clone(), arguments.task.clone());
    let result = folder.with_files(move |files| {
        let Some(store) = files.memory()? else { return Ok(json!({ "diff": "", "files": [] })) };
        let diff = workflow::diff(&store, &files.workspace, task.as_deref())?;
        let changes = changes::changes(&store, files, task.as_deref())?;
        let before = BeforeImages::at_hand(&store)?;
        let hunks = Hunks::load(&store, &files.workspace).map_err(StartError::from)?;
        let changed = changes.files().map(|file| changed_file(&path, file, before.run_of(&file.path), &hunks));
        let changed: Vec<Value> = changed.collect();
        let warnings = workflow::unverified(&store).map_err(StartError::from)?;
        Ok(json!({ "diff": diff, "files": changed, "warnings": warnings }))
    });
    let result = result.await?;
    if !folder.capabilities.plugin {
        changes::open_diff(folder, arguments.task).await?;
    }
    Ok(result)
}

fn changed_file(folder: &Path, file: &ChangedFile, run: Option<&RunId>, hunks: &Hunks) -> Value {
    let text = |bytes: &Option<Vec<u8>>| Some(TextFile::decode(bytes.as_deref()?).ok()?.text().to_owned());
    let (lines_added, lines_removed) = file.counts();
    let before_uri = run.map(|run| DocumentUri::Before { run: run.clone(), path: file.path.clone() }.to_uri());
    let of_file = hunks.files.iter().filter(|of| of.path == file.path).flat_map(|of| &of.hunks);
    let hunks: Vec<Value> = of_file.map(hunk).collect();
    json!({
        "path": file.path,
        "uri": to_proto::uri(folder, file.path.as_str()),
        "change_type": file.change_type().as_str(),
        "lines_added": lines_added,
        "lines_removed": lines_removed,
        "tasks": file.tasks,
        "before": text(&file.before),
        "after": text(&file.now),
        "run": run.map(RunId::as_str),
        "before_uri": before_uri,
        "hunks": hunks,
    })
}

fn hunk(hunk: &Hunk) -> Value {
    let Hunk { id, task, first, last, kept, .. } = hunk;
    json!({ "id": id, "task": task, "first": first, "last": last, "kept": kept })
}

/// Undo what the workflow, one task, or the last rollback did to all files or one.
///
/// An editor without a plugin of ours runs a command at a key or a click: there a person is asked before files change,
/// and the answer to the command is that of a dry run. `dryRun: false` says that nobody needs to be asked.
pub(super) async fn rollback(folder: &Arc<Folder>, arguments: RollbackArguments) -> Result<Value, Refused> {
    // One change can be taken back at once, and the file that it is in is looked at.
    let asks = arguments.dry_run.is_none() && arguments.hunk.is_none() && !folder.capabilities.plugin;
    let is_of_hunks = arguments.hunk.is_some();
    let path = folder.path.clone();
    let rolled_back = changes::roll_back(folder, move |files| {
        let request = request(&path, files, arguments)?;
        Ok(RollbackRequest { dry_run: request.dry_run || asks, ..request })
    });
    let (report, request) = rolled_back.await?;
    let mut message = changes::summary(&report, &request);
    if asks && report.files.iter().any(changes_file) {
        message.push_str(" A person is asked first; {\"dryRun\": false} does it without asking.");
        confirm(folder, &report, &request);
    } else if !folder.capabilities.plugin && (!is_of_hunks || report.left_alone().next().is_some()) {
        changes::show_report(folder, &report, &request);
    }
    if !request.dry_run {
        folder.withdraw_question();
    }
    let files: Vec<Value> = report.files.iter().map(rolled_back_file).collect();
    Ok(json!({ "dry_run": request.dry_run, "files": files, "message": message }))
}

/// Whether a rollback would change a file.
fn changes_file(file: &RolledBack) -> bool {
    !matches!(file.outcome, RollbackOutcome::Unchanged | RollbackOutcome::LeftAlone { .. })
}

/// Ask a person whether to do what a dry run has found, and do it.
fn confirm(folder: &Arc<Folder>, dry_run: &RollbackReport, request: &RollbackRequest) {
    let what = match (request.undo, &request.workflow) {
        (true, _) => "take back the last rollback of",
        (false, None) => "undo what the workflow did to",
        (false, Some(_)) => "undo what that workflow did to",
    };
    let files = to_proto::count(dry_run.files.len(), "file");
    let lines: Vec<String> = dry_run.files.iter().map(changes::line).collect();
    let question = Confirmation {
        message: format!("Baton: {what} {files}?{}", listed(&lines)),
        yes: if request.undo { BRING_BACK } else { UNDO },
        refused: "Baton: nothing was undone. baton.rollback with {\"dryRun\": false} undoes it without asking.",
    };
    let request = RollbackRequest { dry_run: false, ..request.clone() };
    question.ask(folder, |folder| async move {
        let (report, request) = changes::roll_back(&folder, move |_| Ok(request)).await?;
        changes::show_report(&folder, &report, &request);
        Ok(())
    });
}

/// Lines below a question, as many as an editor has room for.
fn listed(lines: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut text: String = lines.iter().take(SHOWN).map(|line| format!("\n{line}")).collect();
    if lines.len() > SHOWN {
        text.push_str(&format!("\nand {} more", lines.len() - SHOWN));
    }
    text
}

fn request(folder: &Path, files: &Files, arguments: RollbackArguments) -> Result<RollbackRequest, Refused> {
    let RollbackArguments { workflow, task, file, hunk, dry_run, undo } = arguments;
    let file = file.map(|file| file_below(folder, files, &file)).transpose()?;
    let (dry_run, undo) = (dry_run.unwrap_or_default(), undo.unwrap_or_default());
    if undo && (task.is_some() || file.is_some() || hunk.is_some()) {
        let whole = "undo takes back the last rollback as a whole; give no task, no file and no hunk";
        return Err(Refused::Usage(whole.into()));
    }
    Ok(RollbackRequest { workflow, task, file, hunks: hunk.unwrap_or_default(), dry_run, undo })
}

/// A file as clients name it: by its URI, by its whole path, or below the folder.
pub(super) fn file_below(folder: &Path, files: &Files, file: &str) -> Result<RepoPath, Refused> {
    let path = from_proto::file(file);
    let below = path.strip_prefix(folder).or_else(|_| path.strip_prefix(files.workspace.root())).unwrap_or(&path);
    RepoPath::parse(&below.to_string_lossy()).map_err(|error| Refused::Usage(error.to_string()))
}

fn rolled_back_file(file: &RolledBack) -> Value {
    let (outcome, message) = changes::outcome(file);
    json!({ "path": file.path, "outcome": outcome, "message": message })
}
