//! A plan with unsaved changes, which no answer may approve.

use std::path::{Path, PathBuf};

use crate::contracts::{Handoff, PlanOutput, RepoPath};
use crate::lsp::files::Files;
use crate::lsp::text::documents::Documents;
use crate::memory::{PLAN_MARKDOWN, Store};

/// The client's path of plan.json, where it is open with unsaved changes: the plan on the disk is then not the one that a
/// person sees.
pub(crate) fn unsaved_plan(documents: &Documents, folder: &Path, files: &Files, store: &Store) -> Option<PathBuf> {
    unsaved(documents, folder, files, &store.name(PlanOutput::FILE))
}

/// The same of plan.md, whose notes are sent as they are saved.
pub(crate) fn unsaved_notes(documents: &Documents, folder: &Path, files: &Files, store: &Store) -> Option<PathBuf> {
    unsaved(documents, folder, files, &store.name(PLAN_MARKDOWN))
}

fn unsaved(documents: &Documents, folder: &Path, files: &Files, name: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    let saved = files.text(&RepoPath::parse(name).ok()?);
    documents.is_unsaved(&path, saved.as_deref()).then_some(path)
}
