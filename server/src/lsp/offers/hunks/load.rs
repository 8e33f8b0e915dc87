//! The hunks of a folder, as the engine knows them.

use super::cache::FileHunks;
use super::placed::PlacedHunk;
use crate::lsp::files::Files;
use crate::lsp::files::refused::Refused;
use crate::workflow::{Hunk, Hunks, StartError};

/// All hunks of the workflow at hand, with lines as the engine counts them, from 0.
///
/// # Errors
/// When its journals or the files cannot be read.
pub(crate) fn load(files: &Files) -> Result<FileHunks, Refused> {
    let Some(store) = files.memory()? else { return Ok(FileHunks::new()) };
    let hunks = Hunks::load(&store, &files.workspace).map_err(StartError::from)?;
    let of_file = |hunks: Vec<Hunk>| hunks.into_iter().map(placed).collect();
    Ok(hunks.files.into_iter().map(|file| (file.path, of_file(file.hunks))).collect())
}

fn placed(hunk: Hunk) -> PlacedHunk {
    let Hunk { id, task, first, last, kept, .. } = hunk;
    PlacedHunk { id, task, first: first.saturating_sub(1), last: last.max(first).saturating_sub(1), kept }
}
