use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::run::Run;
use crate::agents::review::Finding;
use crate::contracts::RepoPath;
use crate::models::EditorModels;
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
}

/// Tells what an editor's language tools say of files.
#[async_trait]
pub trait EditorDiagnostics: Send + Sync {
    /// What they say of these files now; nothing where the editor does not answer. May be dropped at any moment.
    async fn of(&self, files: &[RepoPath]) -> Vec<Finding>;
}

/// What the editor's language tools say of these files, if it says so in time.
pub(super) async fn findings(run: &Run, files: &[RepoPath]) -> Vec<Finding> {
    let Some(diagnostics) = &run.editor.diagnostics else { return Vec::new() };
    if files.is_empty() {
        return Vec::new();
    }
    let asked = diagnostics.of(&files[..files.len().min(MOST_FILES)]);
    tokio::select! {
        () = run.desk.cancel.cancelled() => Vec::new(),
        findings = tokio::time::timeout(PATIENCE, asked) => findings.map(shown).unwrap_or_else(|_| {
            tracing::warn!("the editor did not say in time what its language tools think of the changed files");
            Vec::new()
        }),
    }
}

/// A language tool may quote the code it speaks of.
fn shown(mut findings: Vec<Finding>) -> Vec<Finding> {
    for finding in &mut findings {
        finding.message = masked(&finding.message).into_owned();
    }
    findings
}
