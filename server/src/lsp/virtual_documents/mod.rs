//! The documents that the server has texts for, though they lie in no file: URIs of the scheme `baton`.
//!
//! Invariants: nothing is written for them, and a URI leads to nothing but what the journals of a run name. A document is
//! looked for in the folders in their order; the first that has the run answers.
//! How to add one: a form of [`DocumentUri`], and a file here that makes its text.

mod before;
pub(crate) mod log;
pub(crate) mod no_document;
pub(crate) mod shown;
pub(crate) mod uri;

use std::sync::Arc;

use self::no_document::NoDocument;
use self::uri::DocumentUri;
use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::Folders;
use crate::memory::RunId;
use crate::text::safe_text;

/// The text of a document, by its URI as the client writes it.
///
/// # Errors
/// When there is no such document, or it cannot be read.
pub(crate) async fn text(folders: &Folders, uri: &str) -> Result<String, NoDocument> {
    match DocumentUri::parse(uri) {
        Some(DocumentUri::Before { run, path }) => {
            let folder = folder_of(folders, &run).await?;
            before::text(&folder, run, path).await
        }
        Some(DocumentUri::Log { run }) => {
            let folder = folder_of(folders, &run).await?;
            let (_, markdown) = log::read(&folder, Some(run.to_string())).await?;
            Ok(safe_text(&markdown))
        }
        None => Err(NoDocument::Uri(uri.to_owned())),
    }
}

/// The first folder that has a run.
async fn folder_of(folders: &Folders, run: &RunId) -> Result<Arc<Folder>, NoDocument> {
    let mut unreadable = None;
    for folder in folders.all() {
        let wanted = run.clone();
        let has_run = folder.with_files(move |files| {
            let Some(store) = files.memory()? else { return Ok(false) };
            Ok(store.runs()?.contains(&wanted))
        });
        match has_run.await {
            Ok(true) => return Ok(folder),
            Ok(false) => {}
            Err(error) => unreadable = unreadable.or(Some(error)),
        }
    }
    Err(unreadable.map_or_else(|| NoDocument::Run(run.clone()), NoDocument::Refused))
}
