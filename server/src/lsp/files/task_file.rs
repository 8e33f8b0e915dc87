//! task.md, where a person writes the task.

use super::refused::Refused;
use crate::lsp::files::Files;

/// Whether the memory holds no task and nothing of a workflow: a task must be written first.
///
/// # Errors
/// When the memory cannot be read.
pub(crate) fn is_needed(files: &Files) -> Result<bool, Refused> {
    let Some(store) = files.memory()? else { return Ok(true) };
    let (memory, _faults) = store.inspect()?;
    let has_work = memory.context.is_some() || memory.has_plan() || memory.revision.is_some();
    Ok(memory.task.is_none() && !has_work)
}

/// Create task.md from the template, where it holds no task. Answers with its path below the folder.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn make(files: &Files) -> Result<String, Refused> {
    Ok(files.make_memory()?.offer_task_file()?)
}
