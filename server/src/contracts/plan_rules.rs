use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::fault::{Fault, JsonText};
use super::plan::PlanOutput;
use super::repo_path::RepoPath;

/// Check every rule a plan must keep beyond its shape, and report all faults in the order of the text.
///
/// `text` is the JSON the plan was read from. `exists` tells whether a file is in the workspace; `None` leaves that
/// rule out, as it must be once the plan's own tasks have begun to create and delete files.
pub fn check_plan(plan: &PlanOutput, text: &str, exists: Option<&dyn Fn(&RepoPath) -> bool>) -> Vec<Fault> {
    let mut check = Check { plan, json: JsonText::new(text), faults: Vec::new() };
    check.ids();
    check.dependencies();
    check.groups();
    let files = check.paths();
    check.overlaps(&files);
    if let Some(exists) = exists {
        check.existing_files(&files, exists);
    }
    let mut faults = check.faults;
    faults.sort_by_key(|fault| fault.span.start);
    faults
}

/// Whether a text can be a task id: it names folders, so only letters, digits, `.`, `_` and `-`, at most 64.
pub fn is_task_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && !id.ends_with('.')
}

/// For each task, in plan order, the ids of all tasks it depends on, directly or not. Unknown ids and cycles are
/// followed only once.
pub fn plan_layers(plan: &PlanOutput) -> Vec<BTreeSet<String>> {
    let direct: HashMap<&str, &[String]> =
        plan.tasks.iter().map(|task| (task.id.as_str(), task.depends_on.as_slice())).collect();
    let closure = |id: &str| {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = vec![id];
        while let Some(next) = open.pop() {
            for dependency in direct.get(next).copied().unwrap_or_default() {
                if seen.insert(dependency.clone()) {
                    open.push(dependency);
                }
            }
        }
        seen
    };
    plan.tasks.iter().map(|task| closure(&task.id)).collect()
}

struct Check<'a> {
    plan: &'a PlanOutput,
    json: JsonText<'a>,
    faults: Vec<Fault>,
}

/// One path of one task: the task's index, the list it stands in, its pointer, its parsed form.
struct OwnedPath {
    task: usize,
    list: &'static str,
    pointer: String,
    path: RepoPath,
}

impl Check<'_> {
    fn fault(&mut self, code: &'static str, pointer: String, message: String) {
        self.faults.push(self.json.fault(code, pointer, message));
    }

    fn ids(&mut self) {
        if self.plan.tasks.is_empty() {
            self.fault("schema", "/tasks".into(), "a plan needs at least one task".into());
        }
        let mut seen = HashSet::new();
        for (index, task) in self.plan.tasks.iter().enumerate() {
            let pointer = format!("/tasks/{index}/id");
            if !is_task_id(&task.id) {
                let message = format!(
                    "{:?} is no task id: up to 64 letters, digits, '.', '_' and '-', starting with a letter or digit",
                    task.id
                );
                self.fault("schema", pointer.clone(), message);
            }
            // Ids name folders, and some file systems do not tell case apart.
            if !seen.insert(task.id.to_ascii_lowercase()) {
                self.fault("plan.duplicate-id", pointer, format!("two tasks are called {:?}", task.id));
            }
        }
    }

    fn dependencies(&mut self) {
        let layers = plan_layers(self.plan);
        for (index, task) in self.plan.tasks.iter().enumerate() {
            for (at, dependency) in task.depends_on.iter().enumerate() {
                let pointer = format!("/tasks/{index}/depends_on/{at}");
                let Some(target) = self.plan.tasks.iter().position(|other| &other.id == dependency) else {
                    let message = format!(
                        "{} depends on {dependency:?}, which is no task of this plan; depends_on holds task ids, or nothing",
                        task.id
                    );
                    self.fault("plan.unknown-task", pointer, message);
                    continue;
                };
                if target == index || layers[target].contains(&task.id) {
                    let message = format!("{} and {dependency} wait for each other", task.id);
                    self.fault("plan.cycle", pointer, message);
                    continue;
                }
                if let (Some(mine), Some(theirs)) = (self.plan.group_of(&task.id), self.plan.group_of(dependency))
                    && theirs >= mine
                {
                    let message = format!(
                        "{} (group {}) depends on {dependency} (group {}), which must stand in an earlier group",
                        task.id,
                        mine + 1,
                        theirs + 1
                    );
                    self.fault("plan.order", pointer, message);
                }
            }
        }
    }

    fn groups(&mut self) {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (group, members) in self.plan.parallel_groups.iter().enumerate() {
            for (at, id) in members.iter().enumerate() {
                let pointer = format!("/parallel_groups/{group}/{at}");
                if self.plan.task(id).is_none() {
                    self.fault("plan.unknown-task", pointer, format!("{id:?} is no task of this plan"));
                } else if let Some(first) = places.insert(id, group) {
                    let message =
                        format!("{id} stands in group {} already; every task belongs to exactly one group", first + 1);
                    self.fault("plan.ungrouped", pointer, message);
                }
            }
        }
        for (index, task) in self.plan.tasks.iter().enumerate() {
            if !places.contains_key(task.id.as_str()) {
                let message = format!("{} stands in no group of parallel_groups", task.id);
                self.fault("plan.ungrouped", format!("/tasks/{index}/id"), message);
            }
        }
    }

    fn paths(&mut self) -> Vec<OwnedPath> {
        let mut files = Vec::new();
        for (index, task) in self.plan.tasks.iter().enumerate() {
            let lists = [
                ("files_to_modify", &task.files_to_modify),
                ("files_to_create", &task.files_to_create),
                ("files_to_delete", &task.files_to_delete),
            ];
            for (list, paths) in lists {
                for (at, text) in paths.iter().enumerate() {
                    let pointer = format!("/tasks/{index}/{list}/{at}");
                    match RepoPath::parse(text) {
                        Ok(path) => files.push(OwnedPath { task: index, list, pointer, path }),
                        Err(error) => self.faults.push(self.json.fault("plan.path", pointer, error.to_string())),
                    }
                }
            }
        }
        files
    }

    fn overlaps(&mut self, files: &[OwnedPath]) {
        let mut owners: HashMap<(usize, String), usize> = HashMap::new();
        for file in files {
            let task = &self.plan.tasks[file.task];
            let Some(group) = self.plan.group_of(&task.id) else { continue };
            let owner = *owners.entry((group, file.path.key())).or_insert(file.task);
            if owner != file.task {
                let message = format!(
                    "{} and {} of group {} both write {}; move one to a later group or give the file to one of them",
                    self.plan.tasks[owner].id,
                    task.id,
                    group + 1,
                    file.path
                );
                self.fault("plan.overlap", file.pointer.clone(), message);
            }
        }
    }

    fn existing_files(&mut self, files: &[OwnedPath], exists: &dyn Fn(&RepoPath) -> bool) {
        let layers = plan_layers(self.plan);
        for file in files.iter().filter(|file| file.list != "files_to_create") {
            let created_before = || {
                files.iter().any(|other| {
                    other.list == "files_to_create"
                        && layers[file.task].contains(&self.plan.tasks[other.task].id)
                        && other.path.key() == file.path.key()
                })
            };
            if !exists(&file.path) && !created_before() {
                let message = format!(
                    "{} does not exist, and no task that {} depends on creates it; use files_to_create or mend the path",
                    file.path, self.plan.tasks[file.task].id
                );
                self.fault("plan.missing-file", file.pointer.clone(), message);
            }
        }
    }
}
