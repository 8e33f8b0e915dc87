//! The requests about a document: code actions, lenses, hover.
//!
//! They are sent at every move of the cursor. A memory that cannot be read is no error here: nothing is offered then, and
//! the command that starts a run reports the error.

use std::path::Path;
use std::sync::Arc;

use tower_lsp::lsp_types::{
    CodeActionParams, CodeActionResponse, CodeLens, CodeLensParams, Hover, HoverContents, HoverParams, MarkupKind,
    Range, Url,
};

use crate::contracts::RepoPath;
use crate::lsp::board::ShownIssue;
use crate::lsp::folder::Folder;
use crate::lsp::folder::folders::Folders;
use crate::lsp::offers::code_actions::{ActionTarget, PlacedIssue, code_actions};
use crate::lsp::offers::hover::{HoverIssue, hover};
use crate::lsp::offers::hunks::{self, placed::PlacedHunk};
use crate::lsp::offers::lenses::{Lens, lenses};
use crate::lsp::offers::snapshot::Snapshot;
use crate::lsp::offers::task_hover::task_hover;
use crate::lsp::text::position::{Encoding, Text};
use crate::lsp::wire::from_proto;
use crate::lsp::wire::to_proto;

/// `textDocument/codeAction`.
pub(crate) async fn actions(folders: &Folders, params: CodeActionParams) -> Option<CodeActionResponse> {
    let (folder, document) = read_document(folders, &params.text_document.uri).await?;
    let Document { snapshot, file, text, issues, hunks, encoding } = &document;
    let target = ActionTarget { file, text, issues, hunks, range: params.range, encoding: *encoding };
    Some(code_actions(snapshot, target, &params.context, folder.capabilities.actions))
}

/// `textDocument/codeLens`.
pub(crate) async fn code_lenses(folders: &Folders, params: CodeLensParams) -> Option<Vec<CodeLens>> {
    let (folder, document) = read_document(folders, &params.text_document.uri).await?;
    let Document { snapshot, file, text, hunks, .. } = &document;
    let mut lenses = lenses(snapshot, file, text);
    if folder.capabilities.hunk_lenses {
        lenses.extend(hunks::lenses(snapshot, file, hunks));
    }
    Some(lenses.iter().map(Lens::to_proto).collect())
}

/// `textDocument/hover`.
pub(crate) async fn hover_at(folders: &Folders, params: HoverParams) -> Option<Hover> {
    let params = params.text_document_position_params;
    let (folder, document) = read_document(folders, &params.text_document.uri).await?;
    let here = Range { start: params.position, end: params.position };
    let placed = folder.board.issues_at(&params.text_document.uri, here);
    let issues: Vec<HoverIssue<'_>> =
        placed.iter().map(|shown| HoverIssue { issue: &shown.issue, base: shown.base.as_deref() }).collect();
    let kind = if folder.capabilities.hover_markdown { MarkupKind::Markdown } else { MarkupKind::PlainText };
    let Document { snapshot, file, text, encoding, .. } = &document;
    let of_task = |kind| match snapshot.is_plan(file) {
        true => task_hover(snapshot, text, params.position, *encoding, kind),
        false => None,
    };
    let contents = hover(snapshot, &issues, kind.clone()).or_else(|| of_task(kind))?;
    Some(Hover { contents: HoverContents::Markup(contents), range: placed.first().map(|shown| shown.range) })
}

/// A document and the snapshot of its folder, of the same moment.
struct Document {
    snapshot: Snapshot,
    /// Relative to the folder.
    file: RepoPath,
    /// The text in the editor, else on the disk.
    text: Arc<Text>,
    /// The open issues of the file.
    issues: Vec<PlacedIssue>,
    /// The changes of agents in it.
    hunks: Arc<[PlacedHunk]>,
    encoding: Encoding,
}

/// `None` for a document outside of all folders, and for one that cannot be read.
async fn read_document(folders: &Folders, uri: &Url) -> Option<(Arc<Folder>, Document)> {
    let path = from_proto::path(uri)?;
    let folder = folders.containing(&path)?;
    let file = relative(&folder.path, &path)?;
    let several = folders.all().len() > 1;
    let folder_uri = if several { to_proto::uri(&folder.path, "") } else { None };
    // As published: where edits have moved them to, without those that are withheld.
    let issues = folder
        .board
        .issues_in(uri)
        .into_iter()
        .map(|ShownIssue { phase, base, issue, range }| PlacedIssue { phase, base, issue, range })
        .collect();
    let (open, encoding) = (folder.documents.get(&path), folder.documents.encoding());
    let of = folder.clone();
    let read = folder.with_files(move |files| {
        let snapshot = Snapshot::of(files)?.with_folder_uri(folder_uri);
        let on_disk = || files.text(&file).map(|text| Arc::new(Text::new(text)));
        let text = open.as_ref().map(|document| document.text.clone());
        let Some(text) = text.or_else(on_disk) else { return Ok(None) };
        let hunks = match snapshot.is_memory(&file) {
            true => Arc::default(),
            false => of.hunks(files, &file, open.as_ref())?,
        };
        Ok(Some(Document { snapshot, file, text, issues, hunks, encoding }))
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
