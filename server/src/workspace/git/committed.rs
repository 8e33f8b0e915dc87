//! What the last commit holds.

use std::path::PathBuf;

use git2::Repository;

use super::open::open;
use crate::contracts::RepoPath;
use crate::workspace::Workspace;

/// The files of the last commit.
pub struct Committed {
    repository: Repository,
    /// Of the workspace, from the top of the repository.
    prefix: PathBuf,
}

impl Committed {
    /// Of the repository that the workspace is in; `None` without one, or without a commit. Read-only.
    pub fn of(workspace: &Workspace) -> Option<Self> {
        let repository = open(workspace).ok()??;
        let top = repository.workdir()?.canonicalize().ok()?;
        let prefix = workspace.root().strip_prefix(&top).ok()?.to_owned();
        repository.head().and_then(|head| head.peel_to_tree()).ok()?;
        Some(Self { repository, prefix })
    }

    /// Whether a file with this content, or without any, is as the last commit has it, but for its line endings.
    pub fn is_same(&self, path: &RepoPath, content: Option<&[u8]>) -> bool {
        let Ok(tree) = self.repository.head().and_then(|head| head.peel_to_tree()) else { return false };
        let entry = tree.get_path(&self.prefix.join(path.as_str())).ok();
        let blob = entry.map(|entry| entry.to_object(&self.repository).and_then(|object| object.peel_to_blob()));
        match (blob, content) {
            (None, None) => true,
            (Some(Ok(blob)), Some(content)) => without_returns(blob.content()).eq(without_returns(content)),
            _ => false,
        }
    }
}

/// The bytes without the carriage returns that end lines: git may put them into the working tree.
fn without_returns(bytes: &[u8]) -> impl Iterator<Item = &u8> {
    let ends_line = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
    bytes.iter().enumerate().filter(move |(at, _)| !ends_line(*at)).map(|(_, byte)| byte)
}
