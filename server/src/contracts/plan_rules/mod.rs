//! What a plan must hold beyond its schema: its tasks, the files they name, and the order they can be worked in.
//!
//! Invariant: every fault is reported, each with its place. Deliberately absent: any look at the disk; what a rule needs
//! of it comes in as [`PathKind`] and [`FileKeys`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::contracts::fault::{Fault, JsonText};
use crate::contracts::file_keys::FileKeys;
use crate::contracts::limits::{MAX_FAULTS, MAX_TASKS};
use crate::contracts::plan::{PlanOutput, Task};
use crate::contracts::repo_path::RepoPath;

/// What is at a path of the workspace, as far as a plan's rules ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathKind {
    /// A plain file in its real place.
    File,
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// Nothing can be: this file stands where a folder would.
    BelowFile(RepoPath),
    /// What is neither read nor written, and why: behind a link, a device, too large.
    Unwritable(String),
}

/// How far a plan has come, which decides what is asked of it. What is at a path of the workspace is asked of the function.
#[derive(Clone, Copy)]
pub enum PlanStage<'a> {
    /// Nobody has approved it: every rule counts.
    Proposed(&'a dyn Fn(&RepoPath) -> PathKind),
    /// It is approved and no task has begun. An answer that was given stands: tasks may lack criteria, and new files may
    /// be there already.
    Approved(&'a dyn Fn(&RepoPath) -> PathKind),
    /// Its own tasks have begun to create and delete files: the disk is not asked.
    Begun,
}

/// Check every rule a plan must keep beyond its shape, and report the faults in the order of the text, up to
/// [`MAX_FAULTS`]. A plan of more than [`MAX_TASKS`] tasks is not looked at further.
///
/// `text` is the JSON the plan was read from, and `keys` tells which of its paths name one file.
pub fn check_plan(plan: &PlanOutput, text: &str, keys: &FileKeys, stage: PlanStage<'_>) -> Vec<Fault> {
    let mut check = Check { plan, json: JsonText::new(text), groups: groups_of(plan), faults: Vec::new() };
    if plan.tasks.len() > MAX_TASKS {
        let message = format!("{} tasks, and a plan has {MAX_TASKS} at most; plan the first part", plan.tasks.len());
        check.fault("schema", "/tasks".into(), message);
        return check.faults;
    }
    check.ids();
    check.dependencies();
    check.groups();
    let files = check.paths(keys);
    check.overlaps(&files);
    check.files_in_files(&files);
    match stage {
        PlanStage::Proposed(path_kind) => {
            check.criteria();
            check.check_path_kinds(&files, path_kind, true);
        }
        PlanStage::Approved(path_kind) => check.check_path_kinds(&files, path_kind, false),
        PlanStage::Begun => {}
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
    // By numbers, for every task goes along all the dependencies of all the others. An unknown id has none.
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut names: Vec<&str> = Vec::new();
    let ids = plan.tasks.iter().flat_map(|task| std::iter::once(&task.id).chain(&task.depends_on));
    for id in ids {
        numbers.entry(id).or_insert_with(|| {
            names.push(id);
            names.len() - 1
        });
    }
    let mut direct: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for task in &plan.tasks {
        let mut dependencies: Vec<usize> =
            task.depends_on.iter().filter_map(|id| numbers.get(id.as_str()).copied()).collect();
        dependencies.sort_unstable();
        dependencies.dedup();
        if let Some(number) = numbers.get(task.id.as_str()) {
            direct[*number] = dependencies;
        }
    }
    let closure = |task: &Task| {
        let mut seen = vec![false; names.len()];
        let mut open: Vec<usize> = numbers.get(task.id.as_str()).copied().into_iter().collect();
        while let Some(next) = open.pop() {
            for dependency in &direct[next] {
                if !std::mem::replace(&mut seen[*dependency], true) {
                    open.push(*dependency);
                }
            }
        }
        names.iter().zip(seen).filter(|(_, seen)| *seen).map(|(name, _)| (*name).to_owned()).collect()
    };
    plan.tasks.iter().map(closure).collect()
}

/// The first group that each task stands in.
fn groups_of(plan: &PlanOutput) -> HashMap<&str, usize> {
    let mut groups = HashMap::new();
    for (group, members) in plan.parallel_groups.iter().enumerate() {
        for id in members {
            groups.entry(id.as_str()).or_insert(group);
        }
    }
    groups
}

struct Check<'a> {
    plan: &'a PlanOutput,
    json: JsonText<'a>,
    /// The group of each task.
    groups: HashMap<&'a str, usize>,
    faults: Vec<Fault>,
}

/// One path of one task: the task's index, the list it stands in, its pointer, its parsed form, and its file's key.
struct OwnedPath {
    task: usize,
    list: &'static str,
    pointer: String,
    path: RepoPath,
    key: String,
}

impl OwnedPath {
    fn is_deleted(&self) -> bool {
        self.list == "files_to_delete"
    }
}

/// Keys of the folders above a file, the nearest first.
fn above(key: &str) -> impl Iterator<Item = &str> {
    key.rmatch_indices('/').map(|(at, _)| &key[..at])
}

impl Check<'_> {
    fn fault(&mut self, code: &'static str, pointer: String, message: String) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(self.json.fault(code, pointer, message));
        }
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
        let mut indexes: HashMap<&str, usize> = HashMap::new();
        for (index, task) in self.plan.tasks.iter().enumerate() {
            indexes.entry(task.id.as_str()).or_insert(index);
        }
        for (index, task) in self.plan.tasks.iter().enumerate() {
            for (at, dependency) in task.depends_on.iter().enumerate() {
                let pointer = format!("/tasks/{index}/depends_on/{at}");
                let Some(target) = indexes.get(dependency.as_str()).copied() else {
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
                if let (Some(&mine), Some(&theirs)) =
                    (self.groups.get(task.id.as_str()), self.groups.get(dependency.as_str()))
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
        let known: HashSet<&str> = self.plan.tasks.iter().map(|task| task.id.as_str()).collect();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (group, members) in self.plan.parallel_groups.iter().enumerate() {
            for (at, id) in members.iter().enumerate() {
                let pointer = format!("/parallel_groups/{group}/{at}");
                if !known.contains(id.as_str()) {
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

    fn paths(&mut self, keys: &FileKeys) -> Vec<OwnedPath> {
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
                        Ok(path) => files.push(OwnedPath { task: index, list, pointer, key: keys.key(&path), path }),
                        Err(error) => self.fault("plan.path", pointer, error.to_string()),
                    }
                }
            }
        }
        files
    }

    fn overlaps(&mut self, files: &[OwnedPath]) {
        let mut owners: HashMap<(usize, &str), usize> = HashMap::new();
        for file in files {
            if let Some(group) = self.groups.get(self.plan.tasks[file.task].id.as_str()).copied() {
                owners.entry((group, file.key.as_str())).or_insert(file.task);
            }
        }
        for file in files {
            let task = &self.plan.tasks[file.task];
            let Some(group) = self.groups.get(task.id.as_str()).copied() else { continue };
            let others = std::iter::once(file.key.as_str()).chain(above(&file.key));
            let mut owners = others.filter_map(|key| owners.get(&(group, key)));
            if let Some(owner) = owners.find(|owner| **owner != file.task) {
                let message = format!(
                    "{} and {} of group {} both write {}; move one to a later group or give the file to one of them",
                    self.plan.tasks[*owner].id,
                    task.id,
                    group + 1,
                    file.path
                );
                self.fault("plan.overlap", file.pointer.clone(), message);
            }
        }
    }

    /// No path can be a file and a folder of files, unless the file goes.
    fn files_in_files(&mut self, files: &[OwnedPath]) {
        let written: HashMap<&str, &OwnedPath> =
            files.iter().filter(|file| !file.is_deleted()).map(|file| (file.key.as_str(), file)).collect();
        let deleted: HashSet<&str> =
            files.iter().filter(|file| file.is_deleted()).map(|file| file.key.as_str()).collect();
        for file in written.values().copied() {
            let blocking =
                above(&file.key).find_map(|key| written.get(key)).filter(|b| !deleted.contains(b.key.as_str()));
            if let Some(blocking) = blocking.filter(|_| !deleted.contains(file.key.as_str())) {
                let message = format!("{} is a file of this plan, so {} cannot be in it", blocking.path, file.path);
                self.fault("plan.path", file.pointer.clone(), message);
            }
        }
    }

    /// Nobody could say of a task without criteria that it is done.
    fn criteria(&mut self) {
        for (index, task) in self.plan.tasks.iter().enumerate() {
            if task.acceptance_criteria.iter().all(|criterion| criterion.trim().is_empty()) {
                let message = format!(
                    "{} has no acceptance criteria; say in at least one sentence what must be true of the result",
                    task.id
                );
                self.fault("schema", format!("/tasks/{index}/acceptance_criteria"), message);
            }
        }
    }

    fn check_path_kinds(
        &mut self,
        files: &[OwnedPath],
        path_kind: &dyn Fn(&RepoPath) -> PathKind,
        new_files_are_new: bool,
    ) {
        let layers = plan_layers(self.plan);
        let depends = |task: usize, other: usize| layers[task].contains(&self.plan.tasks[other].id);
        let group = |task: usize| self.groups.get(self.plan.tasks[task].id.as_str()).copied();
        // What shares a file is done in the order of the groups.
        let comes_first = |task, other| task == other || depends(task, other) || group(other) < group(task);
        let mut creators: HashMap<&str, Vec<usize>> = HashMap::new();
        for file in files.iter().filter(|file| file.list == "files_to_create") {
            creators.entry(&file.key).or_default().push(file.task);
        }
        let mut deleters: HashMap<&RepoPath, Vec<usize>> = HashMap::new();
        let mut deleters_of: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut deleters_below: HashMap<&str, Vec<usize>> = HashMap::new();
        for file in files.iter().filter(|file| file.is_deleted()) {
            deleters.entry(&file.path).or_default().push(file.task);
            deleters_of.entry(&file.key).or_default().push(file.task);
            for folder in above(&file.key) {
                deleters_below.entry(folder).or_default().push(file.task);
            }
        }
        let mut faults = Vec::new();
        for file in files {
            let created_before = || {
                let tasks = creators.get(file.key.as_str());
                tasks.is_some_and(|tasks| tasks.iter().any(|other| depends(file.task, *other)))
            };
            let deleted_before = |tasks: Option<&Vec<usize>>| {
                tasks.is_some_and(|tasks| tasks.iter().any(|other| comes_first(file.task, *other)))
            };
            let is_new = file.list == "files_to_create";
            let path = &file.path;
            let (code, message) = match path_kind(path) {
                PathKind::Unwritable(why) => ("plan.path", why),
                PathKind::File
                    if new_files_are_new && is_new && !deleted_before(deleters_of.get(file.key.as_str())) =>
                {
                    let message = format!(
                        "{path} exists already; use files_to_modify, or delete it in a task before this one to write it \
                         anew"
                    );
                    ("plan.path", message)
                }
                PathKind::File => continue,
                _ if !is_new && created_before() => continue,
                PathKind::BelowFile(_) | PathKind::Folder | PathKind::Nothing if !is_new => {
                    let task = &self.plan.tasks[file.task].id;
                    let message = format!(
                        "{path} does not exist, and no task that {task} depends on creates it; use files_to_create or \
                         mend the path"
                    );
                    ("plan.missing-file", message)
                }
                PathKind::BelowFile(above) if !deleted_before(deleters.get(&above)) => (
                    "plan.path",
                    format!("{above} is a file, so {path} cannot be in it; delete it in this task or in one before"),
                ),
                PathKind::Folder if !deleted_before(deleters_below.get(file.key.as_str())) => {
                    ("plan.path", format!("{path} is a folder; name the files in it"))
                }
                // At the end of a name they cannot be seen.
                PathKind::Nothing if path.components().any(|component| component.ends_with(' ')) => {
                    ("plan.path", format!("{:?} has a name that ends in a blank; leave the blank out", path.as_str()))
                }
                _ => continue,
            };
            faults.push((code, file.pointer.clone(), message));
        }
        for (code, pointer, message) in faults {
            self.fault(code, pointer, message);
        }
    }
}

#[cfg(test)]
mod tests;
