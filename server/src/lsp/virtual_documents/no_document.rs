//! Why there is no such document.

use crate::lsp::files::refused::Refused;
use crate::memory::RunId;

/// Why there is no such document.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoDocument {
    /// The URI has no form that is known.
    #[error("there are the documents baton:/before/<run>/<path> and baton:/log/<run>.md; {0} is neither")]
    Uri(String),
    /// No folder has the run.
    #[error("run {0} is in no folder that is open here; it may have been removed")]
    Run(RunId),
    /// The run's workflow did not touch the file.
    #[error("there is no text of {path} from before run {run}: its workflow did not change that file")]
    File {
        /// The run.
        run: RunId,
        /// The file.
        path: String,
    },
    /// The folder refuses.
    #[error(transparent)]
    Refused(#[from] Refused),
}
