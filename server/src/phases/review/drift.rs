//! What was changed without being planned.

use std::collections::HashSet;

use crate::contracts::{PlanOutput, RepoPath};
use crate::workflow::{Changes, ForeignWork};
use crate::workspace::Workspace;

/// Files that were changed and that no task of an approved plan lists, one sentence each.
pub(super) fn unplanned(
    workspace: &Workspace,
    agreed: &[PlanOutput],
    changes: &Changes,
    foreign: &ForeignWork,
) -> Vec<String> {
    let files = || agreed.iter().flat_map(|plan| &plan.tasks).flat_map(|task| task.files());
    let changed = || changes.files().map(|file| &file.path).chain(foreign.changed());
    let keys = workspace.file_keys_of(files().chain(changed().map(RepoPath::as_str)));
    let mut known: HashSet<String> = files().filter_map(|file| keys.key_of(file)).collect();
    let unplanned = changed().filter(|path| known.insert(keys.key(path)));
    unplanned.map(|path| format!("{path} was changed and stands in no task of the plan.")).collect()
}
