//! What was planned and is as it was.

use std::collections::HashSet;

use crate::contracts::{PlanOutput, RepoPath};
use crate::workflow::{Changes, ForeignWork};
use crate::workspace::Workspace;

/// Files that tasks list and that nobody changed, created or deleted, one line each.
pub(super) fn planned_but_unchanged(
    workspace: &Workspace,
    plan: &PlanOutput,
    changes: &Changes,
    foreign: &ForeignWork,
) -> Vec<String> {
    let changed = || changes.files().map(|file| &file.path).chain(foreign.changed());
    let planned = plan.tasks.iter().flat_map(|task| task.files());
    let keys = workspace.file_keys_of(planned.chain(changed().map(RepoPath::as_str)));
    let changed: HashSet<String> = changed().map(|path| keys.key(path)).collect();
    let is_there = |file: &str| RepoPath::parse(file).is_ok_and(|path| workspace.is_file(&path));
    let is_changed = |file: &str| keys.key_of(file).is_some_and(|key| changed.contains(&key));
    // A file whose name changes its case is written under the other name.
    let written = || plan.tasks.iter().flat_map(|task| task.files_to_modify.iter().chain(&task.files_to_create));
    let is_renamed = |file: &str| written().any(|other| other != file && keys.is_same(other, file));
    let mut lines = Vec::new();
    for task in &plan.tasks {
        for file in task.files_to_modify.iter().filter(|file| !is_changed(file)) {
            lines.push(format!("{}: {file}, to be modified, is as it was", task.id));
        }
        for file in task.files_to_create.iter().filter(|file| !is_changed(file)) {
            let state = if is_there(file) { "is as it was" } else { "is not there" };
            lines.push(format!("{}: {file}, to be created, {state}", task.id));
        }
        for file in task.files_to_delete.iter().filter(|file| is_there(file) && !is_renamed(file)) {
            lines.push(format!("{}: {file}, to be deleted, is still there", task.id));
        }
    }
    lines
}
