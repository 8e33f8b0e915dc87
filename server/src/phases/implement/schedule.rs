//! In which order tasks may start.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::contracts::{FileKeys, PlanOutput, Task};

/// Which task may start when: a ready queue over the plan's dependencies. Groups are no barriers.
///
/// A task is ready once its dependencies, and earlier-grouped tasks that share a file with it, are done. Of the ready
/// ones the one with the longest remaining path goes first. A failed task keeps back only what waits for it.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Task index → indexes it waits for.
    waits_for: BTreeMap<usize, BTreeSet<usize>>,
    /// Task index → tasks on the longest path from it to an end, itself included.
    path: Vec<usize>,
    started: BTreeSet<usize>,
    ids: Vec<String>,
}

impl Schedule {
    /// The schedule of the tasks in `scope`; those not in it count as done.
    pub(super) fn new(plan: &PlanOutput, keys: &FileKeys, scope: &[String]) -> Self {
        let in_scope = |id: &str| scope.iter().any(|wanted| wanted == id);
        let index: HashMap<&str, usize> =
            plan.tasks.iter().enumerate().map(|(index, task)| (task.id.as_str(), index)).collect();
        let keys: Vec<BTreeSet<String>> = plan.tasks.iter().map(|task| file_keys(task, keys)).collect();
        let group = |task: &Task| plan.group_of(&task.id).unwrap_or(usize::MAX);
        let mut waits_for = BTreeMap::new();
        for (at, task) in plan.tasks.iter().enumerate().filter(|(_, task)| in_scope(&task.id)) {
            let mut before: BTreeSet<usize> =
                task.depends_on.iter().filter_map(|id| index.get(id.as_str()).copied()).collect();
            for (other, earlier) in plan.tasks.iter().enumerate() {
                if group(earlier) < group(task) && share_a_file(&keys[other], &keys[at]) {
                    before.insert(other);
                }
            }
            before.retain(|other| *other != at && in_scope(&plan.tasks[*other].id));
            waits_for.insert(at, before);
        }
        let path = longest_paths(plan.tasks.len(), &waits_for);
        let ids = plan.tasks.iter().map(|task| task.id.clone()).collect();
        Self { waits_for, path, started: BTreeSet::new(), ids }
    }

    /// The indexes of the tasks that may start now, the most urgent first.
    pub(super) fn ready(&self) -> Vec<usize> {
        let mut ready: Vec<usize> = self
            .waits_for
            .iter()
            .filter(|(task, before)| before.is_empty() && !self.started.contains(task))
            .map(|(task, _)| *task)
            .collect();
        ready.sort_by_key(|task| (std::cmp::Reverse(self.path[*task]), *task));
        ready
    }

    /// A task was started.
    pub(super) fn start(&mut self, task: usize) {
        self.started.insert(task);
    }

    /// A task was done: what waited for it may go on.
    pub(super) fn done(&mut self, task: usize) {
        self.waits_for.remove(&task);
        for before in self.waits_for.values_mut() {
            before.remove(&task);
        }
    }

    /// Ids of the tasks that were never started, in plan order.
    pub(super) fn never_started(&self) -> Vec<String> {
        let waiting = self.waits_for.keys().filter(|task| !self.started.contains(task));
        waiting.map(|task| self.ids[*task].clone()).collect()
    }
}

fn file_keys(task: &Task, keys: &FileKeys) -> BTreeSet<String> {
    task.files().filter_map(|file| keys.key_of(file)).collect()
}

/// Whether one writes a file of the other, or one that gives way to a folder of the other's files.
fn share_a_file(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let above = |key: &str, set: &BTreeSet<String>| key.match_indices('/').any(|(at, _)| set.contains(&key[..at]));
    !one.is_disjoint(other) || one.iter().any(|key| above(key, other)) || other.iter().any(|key| above(key, one))
}

/// Checked plans have no cycles; were there one, its tasks would just have the length of the walk so far.
fn longest_paths(tasks: usize, waits_for: &BTreeMap<usize, BTreeSet<usize>>) -> Vec<usize> {
    let mut path = vec![1; tasks];
    for _ in 0..tasks {
        let mut changed = false;
        for (task, before) in waits_for {
            for other in before {
                if path[*other] < path[*task] + 1 {
                    path[*other] = path[*task] + 1;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Complexity;

    fn task(id: &str, file: &str, depends_on: &[&str]) -> Task {
        Task {
            id: id.into(),
            title: id.into(),
            description: id.into(),
            files_to_modify: vec![file.into()],
            files_to_create: Vec::new(),
            files_to_delete: Vec::new(),
            depends_on: depends_on.iter().map(|id| (*id).into()).collect(),
            acceptance_criteria: Vec::new(),
            estimated_complexity: Complexity::Simple,
        }
    }

    fn plan(tasks: Vec<Task>, groups: &[&[&str]]) -> PlanOutput {
        PlanOutput {
            timestamp: None,
            plan_version: 1,
            approach_summary: String::new(),
            risks: Vec::new(),
            tasks,
            parallel_groups: groups.iter().map(|group| group.iter().map(|id| (*id).into()).collect()).collect(),
            questions: Vec::new(),
        }
    }

    fn names(schedule: &Schedule) -> Vec<&str> {
        schedule.ready().into_iter().map(|task| schedule.ids[task].as_str()).collect()
    }

    #[test]
    fn a_task_starts_when_what_it_needs_is_done_not_when_a_group_is() {
        let plan = plan(
            vec![task("A", "a", &[]), task("B", "b", &[]), task("C", "c", &["A"]), task("D", "d", &["C"])],
            &[&["A", "B"], &["C"], &["D"]],
        );
        let all: Vec<String> = ["A", "B", "C", "D"].map(String::from).to_vec();
        let mut schedule = Schedule::new(&plan, &FileKeys::default(), &all);
        // A has the longest remaining path.
        assert_eq!(names(&schedule), ["A", "B"]);
        schedule.start(0);
        schedule.start(1);
        assert!(names(&schedule).is_empty());
        schedule.done(0);
        assert_eq!(names(&schedule), ["C"]);
        assert_eq!(schedule.never_started(), ["C", "D"]);
    }

    #[test]
    fn tasks_of_later_groups_wait_for_a_shared_file_in_any_spelling() {
        let plan = plan(vec![task("A", "src/x.rs", &[]), task("B", "./SRC/x.rs", &[])], &[&["A"], &["B"]]);
        let both = vec!["A".to_owned(), "B".to_owned()];
        let folding = FileKeys::of_disk(true);
        assert_eq!(names(&Schedule::new(&plan, &folding, &both)), ["A"]);
        assert_eq!(names(&Schedule::new(&plan, &folding, &["B".to_owned()])), ["B"]);
        assert_eq!(names(&Schedule::new(&plan, &FileKeys::default(), &both)), ["A", "B"], "here they are two files");
    }

    #[test]
    fn what_is_put_below_a_file_waits_for_the_task_that_takes_the_file_away() {
        let both = vec!["A".to_owned(), "B".to_owned()];
        for (first, then) in [("conf", "conf/main.cfg"), ("conf/main.cfg", "conf")] {
            let plan = plan(vec![task("A", first, &[]), task("B", then, &[])], &[&["A"], &["B"]]);
            assert_eq!(names(&Schedule::new(&plan, &FileKeys::default(), &both)), ["A"]);
        }
    }
}
