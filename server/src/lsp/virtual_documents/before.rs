//! A file as it was before the workflow of a run touched it.

use std::borrow::Cow;

use super::no_document::NoDocument;
use crate::contracts::RepoPath;
use crate::lsp::folder::Folder;
use crate::lsp::wire::to_proto;
use crate::memory::RunId;
use crate::workflow::{BeforeImage, BeforeImages};
use crate::workspace::text_of;

/// The longest that is shown, in bytes: an editor keeps the whole text, and compares it with the file's.
const MAX_SHOWN_BYTES: usize = 1024 * 1024;

/// Its text; empty where it did not exist, and a sentence where it is not shown.
pub(super) async fn text(folder: &Folder, run: RunId, path: RepoPath) -> Result<String, NoDocument> {
    let (of, file) = (run.clone(), path.clone());
    let image = folder.with_files(move |files| {
        let Some(store) = files.memory()? else { return Ok(None) };
        let Some(images) = BeforeImages::of_run(&store, &of)? else { return Ok(None) };
        Ok(images.read(&store, &files.workspace, &file)?)
    });
    match image.await? {
        Some(image) => Ok(shown(&path, &image)),
        None => Err(NoDocument::File { run, path: path.to_string() }),
    }
}

fn shown(path: &RepoPath, image: &BeforeImage) -> String {
    let not_shown = |why: &str| format!("Baton does not show {}: {why}.\n", to_proto::plain(path.as_str(), 300));
    match image {
        BeforeImage::Absent => String::new(),
        BeforeImage::Secret => not_shown("it holds secrets"),
        BeforeImage::Bytes(bytes) if bytes.len() > MAX_SHOWN_BYTES => not_shown("it has more than 1 MB"),
        BeforeImage::Bytes(bytes) => text_of(bytes).map_or_else(|| not_shown("it is no text"), Cow::into_owned),
    }
}
