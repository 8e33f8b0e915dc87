//! Keeping hunks: rollbacks that do not name them pass them over.

use super::hunks::Hunks;
use crate::contracts::RepoPath;
use crate::memory::Store;
use crate::text;
use crate::workflow::run::error::StartError;
use crate::workspace::Workspace;

/// Files that a message about a wrong one names.
const NAMED: usize = 10;

/// Notes durably that the user keeps these hunks of a file, by their ids, or all that it has. Answers with the ids; what is
/// kept already is kept on. Can be called while a run is at work.
///
/// # Errors
/// When there is no such hunk, or the lines cannot be written.
pub fn keep(
    store: &Store,
    workspace: &Workspace,
    file: &RepoPath,
    hunks: &[String],
) -> Result<Vec<String>, StartError> {
    let all = Hunks::load(store, workspace)?;
    let of_file = all.in_file(file);
    if of_file.is_empty() {
        return Err(StartError::Usage(no_hunks(file, &all)));
    }
    let mut chosen = Vec::new();
    for id in hunks {
        chosen.push(all.find(id, Some(file))?.1);
    }
    if hunks.is_empty() {
        chosen.extend(of_file);
    }
    let new: Vec<String> = chosen.iter().filter(|hunk| !hunk.kept).map(|hunk| hunk.id.clone()).collect();
    if let (false, Some(run)) = (new.is_empty(), store.workflow_runs()?.last()) {
        store.keep_hunks(run, file, &new)?;
    }
    Ok(chosen.into_iter().map(|hunk| hunk.id.clone()).collect())
}

fn no_hunks(file: &RepoPath, all: &Hunks) -> String {
    let files: Vec<&str> = all.files.iter().map(|of| of.path.as_str()).collect();
    let why = format!("there is nothing of this workflow to keep in {file}");
    match files.len() {
        0 => format!("{why}; there are no hunks in other files either"),
        count => {
            let named = files[..count.min(NAMED)].join(", ");
            let named = text::cut(&named, 500);
            let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
            format!("{why}; there are hunks in {named}{more}")
        }
    }
}
