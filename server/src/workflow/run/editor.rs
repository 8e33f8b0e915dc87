//! What an editor lends to the runs that are started in it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::contracts::RepoPath;
use crate::models::EditorModels;
use crate::outline::EditorSymbols;
use crate::workspace::masked;

/// How long the editor may take to say what its language tools think: a review does not hang on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Files it is asked about.
const MOST_FILES: usize = 200;

/// What an editor lends to the runs that are started in it. The command line lends nothing. (Its open documents come
/// with the workspace.)
#[derive(Clone, Default)]
pub struct Editor {
    /// Its models.
    pub models: Option<Arc<dyn EditorModels>>,
    /// What its other language tools say.
    pub diagnostics: Option<Arc<dyn EditorDiagnostics>>,
    /// What its other language tools know of definitions.
    pub symbols: Option<Arc<dyn EditorSymbols>>,
}

impl Editor {
    /// What its language tools say of these files, where it answers in time.
    pub(crate) async fn findings(&self, files: &[RepoPath], cancel: &CancellationToken) -> Vec<EditorFinding> {
        let Some(diagnostics) = &self.diagnostics else { return Vec::new() };
        if files.is_empty() {
            return Vec::new();
        }
        let asked = diagnostics.of(&files[..files.len().min(MOST_FILES)]);
        tokio::select! {
            () = cancel.cancelled() => Vec::new(),
            findings = tokio::time::timeout(PATIENCE, asked) => findings.map(without_secrets).unwrap_or_else(|_| {
                tracing::warn!("the editor did not say in time what its language tools think of the changed files");
                Vec::new()
            }),
        }
    }
}

/// Tells what an editor's language tools say of files.
#[async_trait]
pub trait EditorDiagnostics: Send + Sync {
    /// What they say of these files now; nothing where the editor does not answer. May be dropped at any moment.
    async fn of(&self, files: &[RepoPath]) -> Vec<EditorFinding>;
}

/// One thing that a language tool says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditorFinding {
    /// The file.
    pub file: RepoPath,
    /// Its line, from 1.
    pub line: u32,
    /// How bad.
    pub level: FindingLevel,
    /// Which tool says so.
    pub source: Option<String>,
    /// The tool's own code for it.
    pub code: Option<String>,
    /// What it says.
    pub message: String,
}

/// How bad a [`EditorFinding`] is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingLevel {
    /// It does not build, or the like.
    Error,
    /// It may go wrong.
    Warning,
    /// Worth knowing.
    Information,
    /// A hint.
    Hint,
}

/// A language tool may quote the code it speaks of.
fn without_secrets(mut findings: Vec<EditorFinding>) -> Vec<EditorFinding> {
    for finding in &mut findings {
        finding.message = masked(&finding.message).into_owned();
    }
    findings
}
