//! The conversations of a run, readable.

use crate::lsp::files::refused::Refused;
use crate::lsp::folder::Folder;
use crate::workflow;

/// The run whose id begins so, and its log as Markdown; without an id of the run at work, else of the last one.
///
/// # Errors
/// When there is no such run, or its journals cannot be read.
pub(crate) async fn read(folder: &Folder, run: Option<String>) -> Result<(String, String), Refused> {
    let read = folder.with_files(move |files| {
        let store = files.memory()?.ok_or_else(nothing)?;
        let log = workflow::run_log(&store, run.as_deref())?;
        Ok((log.run.clone(), log.markdown()))
    });
    read.await
}

/// There is no run.
pub(crate) fn nothing() -> Refused {
    Refused::Usage("nothing has been run here yet, so there is no log".to_owned())
}
