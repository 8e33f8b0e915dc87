//! Opening task.md, plan.md, and a task of the plan in the editor.

use std::sync::Arc;

use serde_json::{Value, json};
use tower_lsp::lsp_types::Range;

use super::table::OpenTaskArguments;
use crate::contracts::{Handoff, JsonText, PlanOutput, RepoPath};
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::lsp::files::task_file;
use crate::lsp::folder::Folder;
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow;

/// Open task.md, made from a template where there is none; or a task of the plan in plan.json.
pub(super) async fn task(folder: &Folder, arguments: OpenTaskArguments) -> Result<Value, Refused> {
    let Some(id) = arguments.task.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()) else {
        let file = folder.with_files(task_file::make).await?;
        return Ok(open(folder, &file, None, "The task is in"));
    };
    let encoding = folder.documents.encoding();
    let wanted = id.clone();
    let (file, range) = folder.with_files(move |files| task_range(files, &wanted, encoding)).await?;
    let line = range.start.line + 1;
    Ok(open(folder, &file, Some(range), &format!("Task {id} stands on line {line} of")))
}

/// The file plan.json, and the range of a task's id in it.
fn task_range(files: &Files, id: &str, encoding: Encoding) -> Result<(String, Range), Refused> {
    let store = files.memory()?.ok_or(Refused::NoPlan)?;
    let plan = store.inspect()?.0.plan.ok_or(Refused::NoPlan)?.plan;
    let Some(index) = plan.tasks.iter().position(|task| task.id == id) else {
        let known: Vec<&str> = plan.tasks.iter().map(|task| task.id.as_str()).collect();
        return Err(Refused::Usage(format!("{id:?} is no task of the plan; there are {}", known.join(", "))));
    };
    let file = store.name(PlanOutput::FILE);
    let text = RepoPath::parse(&file).ok().and_then(|path| files.text(&path)).ok_or(Refused::NoPlan)?;
    let bytes = JsonText::new(&text).locate(&format!("/tasks/{index}/id"));
    Ok((file, Text::new(text).range(bytes, encoding)))
}

/// Open plan.md.
pub(super) async fn plan(folder: &Arc<Folder>) -> Result<Value, Refused> {
    let of = folder.clone();
    let file = folder.with_files(move |files| {
        let file = of.with_gate(files, |sources| Ok(workflow::show_plan(sources)?))?;
        file.flatten().ok_or(Refused::NoPlan)
    });
    let file = file.await?;
    Ok(open(folder, &file, None, "The plan is in"))
}

/// Open a file of the workspace, and answer with its URI; where it cannot be opened, `intro` and the path are shown.
fn open(folder: &Folder, file: &str, at: Option<Range>, intro: &str) -> Value {
    let path = folder.path.join(file);
    let message = format!("{intro} {}.", path.display());
    window::open_or_show_message(&folder.client, folder.capabilities.show_document, &path, at, message);
    json!({ "uri": to_proto::uri(&folder.path, file) })
}
