//! The hunks that the user keeps, in a rollback that does not name them.

use super::rollback_scope::KeptHunks;
use crate::contracts::{ChangeType, RepoPath};
use crate::workspace::{self, LineHunk, StagedChange, TakeBack, UndoneHunk};

/// A file of which something is kept.
pub(super) struct Spared {
    /// What becomes of it.
    pub(super) outcome: TakeBack,
    /// The ids of the hunks that are passed over.
    pub(super) kept: Vec<String>,
    /// Those that are undone.
    pub(super) undone: Vec<UndoneHunk>,
}

/// Takes the kept hunks out of what a rollback would do to a file; `None` where it would do nothing to them.
pub(super) fn spare(path: &RepoPath, of_file: &KeptHunks, taken_back: &TakeBack) -> Option<Spared> {
    let (TakeBack::Restore(change) | TakeBack::Merge(change)) = taken_back else { return None };
    let now = change.before.as_ref().map(|state| state.bytes.as_slice());
    let hunks = workspace::line_hunks(path, of_file.before.as_deref(), now);
    let (kept, rest): (Vec<LineHunk>, Vec<LineHunk>) =
        hunks.into_iter().partition(|hunk| of_file.ids.contains(&hunk.id));
    if kept.is_empty() {
        return None;
    }
    let after = match now {
        Some(now) => workspace::changed_except(now, change.after.as_deref(), &kept),
        // The file was deleted: that is its one hunk, and it is kept.
        None => None,
    };
    let stays = |hunk: &&LineHunk| kept.iter().any(|kept| kept.old == hunk.old);
    let left = workspace::line_hunks(path, of_file.before.as_deref(), after.as_deref());
    if left.iter().filter(stays).count() == kept.len() && after.as_deref() == change.after.as_deref() {
        return None;
    }
    let ids = kept.into_iter().map(|hunk| hunk.id).collect();
    let lines = |bytes: Option<&[u8]>, hunk: &LineHunk| {
        let lines = workspace::byte_lines(bytes.unwrap_or_default());
        lines.get(hunk.new.clone()).unwrap_or_default().concat()
    };
    let is_gone = |hunk: &LineHunk| {
        let is_it = |left: &LineHunk| left.old == hunk.old && lines(after.as_deref(), left) == lines(now, hunk);
        !left.iter().any(is_it)
    };
    let undone: Vec<UndoneHunk> =
        rest.into_iter().filter(is_gone).map(|hunk| UndoneHunk { path: path.clone(), id: hunk.id }).collect();
    if after.as_deref() == now || undone.is_empty() {
        return Some(Spared { outcome: TakeBack::Unchanged, kept: ids, undone: Vec::new() });
    }
    let change_type = if after.is_some() { ChangeType::Modified } else { ChangeType::Deleted };
    let change = StagedChange { after, change_type, ..change.clone() };
    Some(Spared { outcome: TakeBack::Merge(change), kept: ids, undone })
}

/// The ids that kept hunks have after a change to the file, where they get others: an id counts the equal hunks above it.
pub(super) fn renamed(path: &RepoPath, of_file: &KeptHunks, change: &StagedChange) -> Vec<String> {
    let hunks = |bytes: Option<&[u8]>| workspace::line_hunks(path, of_file.before.as_deref(), bytes);
    let now = hunks(change.before.as_ref().map(|state| state.bytes.as_slice()));
    let after = hunks(change.after.as_deref());
    let is_kept = |hunk: &&LineHunk| of_file.ids.contains(&hunk.id);
    let same = |hunk: &LineHunk| after.iter().find(|after| after.old == hunk.old && after.new.len() == hunk.new.len());
    let ids = now.iter().filter(is_kept).filter_map(same).map(|hunk| hunk.id.clone());
    ids.filter(|id| !of_file.ids.contains(id)).collect()
}
