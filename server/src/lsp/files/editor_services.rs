//! What the editor provides to the runs started in it: its models, its open documents, and what other language servers say:
//! their diagnostics, and the definitions they know (`document_symbols`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower_lsp::lsp_types::request::Request;

use crate::contracts::RepoPath;
use crate::lsp::files::document_symbols::DocumentSymbols;
use crate::lsp::text::documents::Documents;
use crate::lsp::wire::capabilities::Capabilities;
use crate::lsp::wire::client::{Client, Refusal, RequestError};
use crate::lsp::wire::from_proto;
use crate::lsp::wire::to_proto;
use crate::models::{EditorModels, EditorRefusal, RefusalKind};
use crate::outline::EditorSymbols;
use crate::workflow::{Editor, EditorDiagnostics};
use crate::workflow::{EditorFinding, FindingLevel};
use crate::workspace::{Buffer, Buffers, OpenBuffers};

/// JSON-RPC's code for a request that is not known.
const METHOD_NOT_FOUND: i64 = -32601;
/// The protocol's code for a request that was cancelled.
const REQUEST_CANCELLED: i64 = -32800;

/// One turn of a model of the editor.
enum LanguageModel {}

impl Request for LanguageModel {
    type Params = Value;
    type Result = Value;
    const METHOD: &'static str = "baton/languageModel";
}

/// The diagnostics of other language servers for some files.
enum EditorDiagnosticsRequest {}

impl Request for EditorDiagnosticsRequest {
    type Params = Value;
    type Result = Value;
    const METHOD: &'static str = "baton/editorDiagnostics";
}

/// The services that the client announced for the runs of a folder.
pub(crate) fn editor(client: &Client, capabilities: Capabilities, folder: &Path) -> Editor {
    let models = capabilities.language_model.then(|| -> Arc<dyn EditorModels> { Arc::new(client.clone()) });
    let diagnostics = capabilities.editor_diagnostics.then(|| -> Arc<dyn EditorDiagnostics> {
        Arc::new(OtherServers { client: client.clone(), folder: folder.to_owned() })
    });
    let symbols = capabilities
        .document_symbols
        .then(|| -> Arc<dyn EditorSymbols> { Arc::new(DocumentSymbols::new(client.clone(), folder.to_owned())) });
    Editor { models, diagnostics, symbols }
}

/// The documents of a folder that are open.
#[expect(clippy::disallowed_methods, reason = "asks for the real path of a folder that the client named")]
pub(crate) fn buffers(documents: Documents, folder: &Path) -> OpenBuffers {
    let mut roots = vec![folder.to_owned()];
    // Some editors open a file by its real path, whatever path they have for the folder.
    roots.extend(folder.canonicalize().ok().filter(|real| real != folder));
    OpenBuffers::new(Arc::new(FolderDocuments { documents, roots }))
}

#[async_trait]
impl EditorModels for Client {
    async fn turn(&self, request: Value) -> Result<Value, EditorRefusal> {
        self.request_unchanged::<LanguageModel>(request).await.map_err(refusal)
    }
}

fn refusal(error: RequestError) -> EditorRefusal {
    let (kind, message) = match error {
        RequestError::Refused(refusal) => (kind(&refusal), refusal.message),
        RequestError::Unreadable(error) => (RefusalKind::Failed, error.to_string()),
        RequestError::Gone => (RefusalKind::Gone, String::new()),
    };
    EditorRefusal { kind, said: message }
}

fn kind(refusal: &Refusal) -> RefusalKind {
    let named = refusal.data.as_ref().and_then(|data| data.get("kind")).and_then(Value::as_str);
    match (named, refusal.code) {
        (Some("blocked"), _) => RefusalKind::Blocked,
        (Some("no_permission"), _) => RefusalKind::NoPermission,
        (Some("not_found"), _) => RefusalKind::NotFound,
        (Some("cancelled"), _) | (None, REQUEST_CANCELLED) => RefusalKind::Cancelled,
        (None, METHOD_NOT_FOUND) => RefusalKind::Unsupported,
        _ => RefusalKind::Failed,
    }
}

struct FolderDocuments {
    documents: Documents,
    /// The folder's paths: the client's first.
    roots: Vec<PathBuf>,
}

impl Buffers for FolderDocuments {
    fn open(&self, path: &RepoPath) -> Option<Buffer> {
        self.roots.iter().map(|root| root.join(path.as_str())).find_map(|path| {
            let text = Arc::from(self.documents.text(&path)?.as_str());
            Some(Buffer { text, edited: self.documents.is_unsaved(&path, None) })
        })
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.documents.events()
    }
}

struct OtherServers {
    client: Client,
    folder: PathBuf,
}

#[async_trait]
impl EditorDiagnostics for OtherServers {
    async fn of(&self, files: &[RepoPath]) -> Vec<EditorFinding> {
        let uris: Vec<_> = files.iter().filter_map(|file| to_proto::uri(&self.folder, file.as_str())).collect();
        match self.client.request::<EditorDiagnosticsRequest>(json!({ "uris": uris })).await {
            Ok(answer) => findings(&self.folder, files, &answer),
            Err(error) => {
                tracing::warn!(%error, "the editor does not answer with the diagnostics of the changed files");
                Vec::new()
            }
        }
    }
}

/// The findings in an answer, for the requested files alone.
fn findings(folder: &Path, asked: &[RepoPath], answer: &Value) -> Vec<EditorFinding> {
    let mut findings = Vec::new();
    for entry in answer.as_array().into_iter().flatten() {
        let path = entry["uri"].as_str().and_then(|uri| uri.parse().ok()).and_then(|uri| from_proto::path(&uri));
        let Some(path) = path else { continue };
        let Some(file) = asked.iter().find(|file| folder.join(file.as_str()) == path) else { continue };
        let diagnostics = entry["diagnostics"].as_array().into_iter().flatten();
        findings.extend(diagnostics.filter_map(|diagnostic| finding(file, diagnostic)));
    }
    findings
}

fn finding(file: &RepoPath, diagnostic: &Value) -> Option<EditorFinding> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let source = text(&diagnostic["source"]);
    // The server's own diagnostics are excluded.
    if source.as_deref() == Some(to_proto::DIAGNOSTIC_SOURCE) {
        return None;
    }
    // A message may be an object with a `value`, and so may a code.
    let message = text(&diagnostic["message"]).or_else(|| text(&diagnostic["message"]["value"]))?;
    let code = text(&diagnostic["code"]).or_else(|| text(&diagnostic["code"]["value"]));
    let line = diagnostic["range"]["start"]["line"].as_u64().unwrap_or_default();
    let level = match diagnostic["severity"].as_u64() {
        Some(1) => FindingLevel::Error,
        Some(3) => FindingLevel::Information,
        Some(4) => FindingLevel::Hint,
        // The protocol leaves a missing severity to the client.
        _ => FindingLevel::Warning,
    };
    let line = u32::try_from(line).unwrap_or(u32::MAX).saturating_add(1);
    Some(EditorFinding { file: file.clone(), line, level, source, code, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    fn path(text: &str) -> RepoPath {
        RepoPath::parse(text).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn a_document_is_found_by_the_folders_real_path_too() {
        let outer = tempfile::tempdir().unwrap();
        let (real, link) = (outer.path().canonicalize().unwrap().join("real"), outer.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join("a.txt"), "a\n").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        for opened in [&real, &link] {
            let documents = Documents::default();
            let workspace = Workspace::open(&link).unwrap().with_buffers(buffers(documents.clone(), &link));
            let uri = to_proto::uri(opened, "a.txt");
            let document = json!({ "uri": uri, "languageId": "plaintext", "version": 1, "text": "a, and mine\n" });
            documents.did_open(serde_json::from_value(json!({ "textDocument": document })).unwrap());
            assert!(workspace.is_unsaved(&path("a.txt")), "{}", opened.display());
            assert_eq!(workspace.read_open(&path("a.txt")).unwrap().unwrap().bytes, b"a, and mine\n");
        }
    }

    #[test]
    fn a_refusal_is_known_by_its_kind_and_then_by_its_code() {
        let kind_of = |code, data: Value| {
            let refusal = Refusal { code, message: "no".to_owned(), data: (!data.is_null()).then_some(data) };
            kind(&refusal)
        };
        for (name, kind) in [
            ("blocked", RefusalKind::Blocked),
            ("no_permission", RefusalKind::NoPermission),
            ("not_found", RefusalKind::NotFound),
            ("cancelled", RefusalKind::Cancelled),
            ("surprising", RefusalKind::Failed),
        ] {
            assert_eq!(kind_of(METHOD_NOT_FOUND, json!({ "kind": name })), kind, "{name}");
        }
        assert_eq!(kind_of(METHOD_NOT_FOUND, Value::Null), RefusalKind::Unsupported);
        assert_eq!(kind_of(REQUEST_CANCELLED, json!("text")), RefusalKind::Cancelled);
        assert_eq!(kind_of(-32603, json!({ "kind": 7 })), RefusalKind::Failed);
    }

    #[test]
    fn findings_are_taken_from_whatever_an_editor_answers() {
        let at = |line: Value| json!({ "start": { "line": line, "character": 0 } });
        let answer = json!([
            { "uri": "file:///w/src/a.rs", "diagnostics": [
                { "range": at(json!(11)), "severity": 1, "source": "rustc", "code": "E0308", "message": "mismatched" },
                { "range": at(json!(0)), "severity": 4, "code": { "value": 7, "target": "x" }, "message": { "kind": "markdown", "value": "hint" } },
                { "range": at(json!(-1)), "message": "no severity" },
                { "range": at(json!(1)), "severity": 1, "source": "baton", "message": "our own" },
                { "range": null, "severity": 1 },
                "nonsense",
            ] },
            { "uri": "file:///w/src/not_asked.rs", "diagnostics": [{ "message": "elsewhere" }] },
            { "uri": "untitled:1", "diagnostics": [{ "message": "elsewhere" }] },
            { "uri": "file:///w/src/b.rs", "diagnostics": "none" },
            null,
        ]);
        let found = findings(Path::new("/w"), &[path("src/a.rs"), path("src/b.rs")], &answer);
        let summary: Vec<_> =
            found.iter().map(|finding| (finding.line, finding.level, finding.message.as_str())).collect();
        let expected = [
            (12, FindingLevel::Error, "mismatched"),
            (1, FindingLevel::Hint, "hint"),
            (1, FindingLevel::Warning, "no severity"),
        ];
        assert_eq!(summary, expected);
        assert_eq!((found[0].source.as_deref(), found[1].code.as_deref()), (Some("rustc"), Some("7")));
        for nonsense in [Value::Null, json!({}), json!("x"), json!([[[]]])] {
            assert_eq!(findings(Path::new("/w"), &[path("a")], &nonsense), []);
        }
    }
}
