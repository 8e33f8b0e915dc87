//! task.md, where people write what is to be done.

use super::refused::Refused;
use crate::lsp::files::Files;

/// Whether nothing in the folder says what is to be done.
///
/// # Errors
/// When the memory cannot be read.
pub(crate) fn is_needed(files: &Files) -> Result<bool, Refused> {
    let Some(store) = files.memory()? else { return Ok(true) };
    let (memory, _faults) = store.inspect()?;
    let has_work = memory.context.is_some() || memory.has_plan() || memory.revision.is_some();
    Ok(memory.task.is_none() && !has_work)
}

/// Make task.md from the template, where there is no task in it. Its path below the folder.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn make(files: &Files) -> Result<String, Refused> {
    Ok(files.make_memory()?.offer_task_file()?)
}
