//! What the editor asks about a place in a document: code actions, lenses, hover.
//!
//! It asks at every move of the cursor. What cannot be read then is no error: nothing is offered there, and whoever
//! starts a run is told why.

use std::path::Path;
use std::sync::Arc;

use tower_lsp::lsp_types::{
    CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams, Hover, HoverContents, HoverParams, MarkupKind,
    Range, Url,
};

use crate::contracts::{Issue, RepoPath};
use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::Folders;
use crate::lsp::offers::code_actions::{Place, PlacedIssue, code_actions};
use crate::lsp::offers::hover::hover;
use crate::lsp::offers::lenses::lenses;
use crate::lsp::offers::snapshot::Snapshot;
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::from_proto;
use crate::lsp::wire::to_proto;

/// `textDocument/codeAction`.
pub(crate) async fn actions(folders: &Folders, params: CodeActionParams) -> Option<CodeActionResponse> {
    let (folder, document) = look(folders, &params.text_document.uri).await?;
    let Document { snapshot, file, text, issues, encoding } = &document;
    let place = Place { file, text, issues, range: params.range, encoding: *encoding };
    Some(code_actions(snapshot, place, &params.context, folder.capabilities.actions))
}

/// `textDocument/codeLens`.
pub(crate) async fn code_lenses(folders: &Folders, params: CodeLensParams) -> Option<Vec<CodeLens>> {
    let (_, document) = look(folders, &params.text_document.uri).await?;
    let lenses = lenses(&document.snapshot, &document.file, &document.text);
    Some(lenses.iter().map(crate::lsp::offers::lenses::Lens::to_proto).collect())
}

/// `textDocument/hover`.
pub(crate) async fn hover_at(folders: &Folders, params: HoverParams) -> Option<Hover> {
    let place = params.text_document_position_params;
    let (folder, document) = look(folders, &place.text_document.uri).await?;
    let here = Range { start: place.position, end: place.position };
    let placed = folder.board.issues_at(&place.text_document.uri, here);
    let issues: Vec<&Issue> = placed.iter().map(|(issue, _)| issue).collect();
    let kind = if folder.capabilities.hover_markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
    let contents = hover(&document.snapshot, &issues, kind)?;
    Some(Hover { contents: HoverContents::Markup(contents), range: placed.first().map(|(_, range)| *range) })
}

/// A document of a folder, and what is known of both at one moment.
struct Document {
    snapshot: Snapshot,
    /// Relative to the folder.
    file: RepoPath,
    /// As it is in the editor, or else on the disk.
    text: Arc<Text>,
    /// The open issues of the file.
    issues: Vec<PlacedIssue>,
    encoding: Encoding,
}

/// `None` for what is in no folder, and for what cannot be read.
async fn look(folders: &Folders, uri: &Url) -> Option<(Arc<Folder>, Document)> {
    let path = from_proto::path(uri)?;
    let folder = folders.holding(&path)?;
    let file = relative(&folder.path, &path)?;
    let several = folders.all().len() > 1;
    let named = if several { to_proto::uri(&folder.path, "") } else { None };
    // As the diagnostics show them: where edits have moved them to, and none that is withheld.
    let issues = folder
        .board
        .issues_in(uri)
        .into_iter()
        .map(|(phase, issue, range)| PlacedIssue { phase, issue, range })
        .collect();
    let (open, encoding) = (folder.documents.text(&path), folder.documents.encoding());
    let read = folder.with_files(move |files| {
        let snapshot = Snapshot::of(files)?.with_folder_uri(named);
        let on_disk = || files.text(&file).map(|text| Arc::new(Text::new(text)));
        let Some(text) = open.or_else(on_disk) else { return Ok(None) };
        Ok(Some(Document { snapshot, file, text, issues, encoding }))
    });
    match read.await {
        Ok(document) => document.map(|document| (folder, document)),
        Err(error) => {
            tracing::debug!(%error, "nothing is offered");
            None
        }
    }
}

fn relative(folder: &Path, path: &Path) -> Option<RepoPath> {
    let parts: Option<Vec<&str>> = path.strip_prefix(folder).ok()?.iter().map(|part| part.to_str()).collect();
    RepoPath::parse(&parts?.join("/")).ok()
}
