//! The task for files with open issues that no task of the plan owns.

use super::next::fix_scope;
use crate::contracts::{Complexity, Issue, PlanOutput, RepoPath, Round, Task};
use crate::memory::{Memory, MemoryError, Store};
use crate::workspace::Workspace;

/// The task that owns files with open issues that no other task owns.
const FIX: &str = "FIX";

/// Files with issues of a fix round that should be in `FIX` by now, and are not.
pub(super) fn unowned_files(round: &Round, memory: &Memory, plan: &PlanOutput) -> Vec<String> {
    let fix = fix_id(plan);
    let Some(review) = memory.review.as_ref().filter(|_| round.tasks.contains(&fix)) else { return Vec::new() };
    let owners: Vec<String> = memory.approved_tasks().into_iter().chain([fix]).collect();
    let issues: Vec<&Issue> = review.issues.iter().filter(|issue| round.issues.contains(&issue.id)).collect();
    fix_scope(plan, &memory.keys, &owners, &issues).unowned
}

/// Write a plan whose task `FIX` owns these files too. It voids the approval.
pub(super) fn assign_to_fix_task(
    store: &Store,
    workspace: &Workspace,
    plan: &PlanOutput,
    files: &[String],
) -> Result<(), MemoryError> {
    let mut plan = plan.clone();
    add_fix_task(&mut plan, files, |path| workspace.is_file(path));
    store.write_plan(&plan)?;
    Ok(())
}

/// `FIX`, or what it is called in this plan: ids that differ in nothing but case are the same.
pub(super) fn fix_id(plan: &PlanOutput) -> String {
    let known = plan.tasks.iter().find(|task| task.id.eq_ignore_ascii_case(FIX));
    known.map_or_else(|| FIX.to_owned(), |task| task.id.clone())
}

/// Give files to `FIX`; where there is none yet, in a group of its own at the end.
fn add_fix_task(plan: &mut PlanOutput, files: &[String], exists: impl Fn(&RepoPath) -> bool) {
    let missing = |file: &String| RepoPath::parse(file).is_ok_and(|path| !exists(&path));
    let id = fix_id(plan);
    let listed: Vec<String> = plan.task(&id).iter().flat_map(|fix| fix.files()).map(str::to_owned).collect();
    let files = files.iter().filter(|file| !listed.contains(file)).cloned();
    let (create, modify): (Vec<String>, Vec<String>) = files.partition(missing);
    if let Some(fix) = plan.tasks.iter_mut().find(|task| task.id == id) {
        fix.files_to_modify.extend(modify);
        fix.files_to_create.extend(create);
        return;
    }
    plan.parallel_groups.push(vec![id.clone()]);
    plan.tasks.push(Task {
        id,
        title: "Fix review issues in files no task owns".to_owned(),
        description: "The review found issues in files that no task of the plan owns. Fix those issues and change \
                      nothing else."
            .to_owned(),
        files_to_modify: modify,
        files_to_create: create,
        files_to_delete: Vec::new(),
        depends_on: Vec::new(),
        acceptance_criteria: vec!["Every issue given with the task is fixed.".to_owned()],
        estimated_complexity: Complexity::Moderate,
    });
}
